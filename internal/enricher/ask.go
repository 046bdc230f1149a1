package enricher

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/errgroup"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// Settings of all enrichers.
type Settings struct {
	Endpoints []Endpoint
	// Concurrency is how many calls there are at a time, over all tasks.
	Concurrency int
	// TokenFile holds the bearer token; empty is none.
	TokenFile string
}

// Deps are what enrichers use and do not own.
type Deps struct {
	Log      *slog.Logger
	Registry prometheus.Registerer
	Now      func() time.Time
}

func (d Deps) stateChanged(e Endpoint, from, to gobreaker.State) {
	attrs := []any{slog.String("enricher", e.Name), slog.Bool("required", e.Required)}
	switch {
	case to == gobreaker.StateOpen && from == gobreaker.StateClosed:
		d.Log.Error("an external enricher is down: it is asked again once a second; what needs it waits", attrs...)
	case to == gobreaker.StateClosed:
		d.Log.Info("an external enricher is back", attrs...)
	}
}

// Enrichers asks all external enrichers. Several tasks may use it at a time.
type Enrichers struct {
	clients []*client
	limit   int
	// places is one for each call that may be under way.
	places chan struct{}
}

var _ pipeline.Externals = (*Enrichers)(nil)

// idleConnections are kept that long, so that a quiet service finds them again.
const idleConnections = 90 * time.Second

// New prepares the enrichers. It does not connect.
func New(set Settings, d Deps) *Enrichers {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: set.Concurrency, IdleConnTimeout: idleConnections,
	}
	e := &Enrichers{places: make(chan struct{}, set.Concurrency), limit: set.Concurrency}
	token := tokenOf(set.TokenFile, d.Now)
	m := newMetrics(d.Registry)
	for _, endpoint := range set.Endpoints {
		c := newClient(endpoint, d, transport, token, m)
		e.clients = append(e.clients, c)
		m.watchBreaker(d.Registry, c)
	}
	return e
}

// Down names the enrichers whose breakers are not closed; required ones hold the
// record path.
func (e *Enrichers) Down() (required, optional []string) {
	for _, c := range e.clients {
		switch {
		case !c.down():
		case c.endpoint.Required:
			required = append(required, c.endpoint.Name)
		default:
			optional = append(optional, c.endpoint.Name)
		}
	}
	return required, optional
}

// answer is what one enricher has said about one inquiry.
type answer struct {
	object []byte
	err    error
	// known: it had answered an earlier try.
	known bool
}

// Ask implements pipeline.Externals.
func (e *Enrichers) Ask(ctx context.Context, batch []*pipeline.Inquiry) {
	answers := make([]answer, len(batch)*len(e.clients))
	group, calls := errgroup.WithContext(ctx)
	group.SetLimit(e.limit)
	for i, q := range batch {
		e.askAbout(calls, group, q, answers[i*len(e.clients):(i+1)*len(e.clients)])
	}
	_ = group.Wait() // none returns one
	for n, c := range e.clients {
		if c.endpoint.Required && c.down() {
			e.tellOutage(n, answers)
		}
	}
	for i, q := range batch {
		e.conclude(q, answers[i*len(e.clients):(i+1)*len(e.clients)])
	}
}

// askAbout starts the calls for one signal, except to those that have answered an
// earlier try.
func (e *Enrichers) askAbout(ctx context.Context, group *errgroup.Group, q *pipeline.Inquiry, answers []answer) {
	for n, c := range e.clients {
		if object, ok := known(q, c.endpoint.Name); ok {
			answers[n] = answer{object: object, known: true}
		}
	}
	encoded, err := encode(q)
	if err != nil {
		q.Err = &pulse.Bad{Class: pulse.EnricherRejected, Message: err.Error()}
		return
	}
	for n, c := range e.clients {
		if answers[n].known {
			continue
		}
		group.Go(func() error {
			select {
			case e.places <- struct{}{}:
				defer func() { <-e.places }()
			case <-ctx.Done():
				answers[n].err = context.Cause(ctx)
				return nil
			}
			answers[n].object, answers[n].err = c.ask(ctx, q, encoded)
			return nil
		})
	}
}

func known(q *pipeline.Inquiry, name string) (object []byte, ok bool) {
	for _, a := range q.Answers {
		if a.Enricher == name {
			return a.Object, true
		}
	}
	return nil, false
}

// tellOutage makes an outage of what failed because of one: what the service has
// refused or answered stays.
func (e *Enrichers) tellOutage(n int, answers []answer) {
	for i := n; i < len(answers); i += len(e.clients) {
		if err := answers[i].err; err != nil && serviceFailed(err) {
			answers[i].err = &pulse.Bad{Class: pulse.EnricherDown, Message: e.clients[n].endpoint.Name + " is down"}
		}
	}
}

// conclude tells the inquiry what came of it: answers in the order of the enrichers,
// and the first failure of a required one, an outage before others.
func (e *Enrichers) conclude(q *pipeline.Inquiry, answers []answer) {
	if q.Err != nil {
		return
	}
	var all []pulse.External
	for n, c := range e.clients {
		a := answers[n]
		if a.err == nil {
			all = append(all, pulse.External{Enricher: c.endpoint.Name, Object: a.object})
			continue
		}
		bad := classOf(a.err)
		c.metrics.failures.WithLabelValues(c.endpoint.Name, string(bad.Class)).Inc()
		if c.endpoint.Required && (q.Err == nil || bad.Class == pulse.EnricherDown) {
			q.Err = bad
		}
	}
	q.Answers = all
}

func classOf(err error) *pulse.Bad {
	if bad, ok := errors.AsType[*pulse.Bad](err); ok {
		return bad
	}
	return &pulse.Bad{Class: pulse.EnricherUnavailable, Message: "not asked"}
}

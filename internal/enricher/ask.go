package enricher

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
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

// Down names the enrichers that have no token or whose breakers are not closed;
// required ones hold the record path.
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
	before := make([]error, len(batch))
	for i, q := range batch {
		before[i], q.Err = q.Err, nil
	}
	order := inTurn(before)
	if required, _ := e.Down(); len(required) > 0 && len(order) > 0 {
		// The one call that a breaker may let through is about the first of them.
		e.askAll(ctx, batch, order[:1], answers)
		order = order[1:]
	}
	e.askAll(ctx, batch, order, answers)
	for n, c := range e.clients {
		if c.endpoint.Required {
			e.judge(ctx, n, batch, answers, before)
		}
	}
	for i, q := range batch {
		e.conclude(q, answers[i*len(e.clients):(i+1)*len(e.clients)])
	}
}

// askAll makes the calls for some signals of a batch, in that order, and waits for them.
func (e *Enrichers) askAll(ctx context.Context, batch []*pipeline.Inquiry, order []int, answers []answer) {
	group, calls := errgroup.WithContext(ctx)
	group.SetLimit(e.limit)
	for _, i := range order {
		e.askAbout(calls, group, batch[i], answers[i*len(e.clients):(i+1)*len(e.clients)])
	}
	_ = group.Wait() // none returns one
}

// inTurn is the order in which signals are asked about, given what was said of them
// before. A breaker that lets one call through must not always be asked about the same
// signal, which may be one that the service fails for: those that have not failed come
// first, and each may be the first of them.
func inTurn(before []error) []int {
	order := rand.Perm(len(before)) //nolint:gosec // nothing to guess
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(tries(before[a]), tries(before[b]))
	})
	return order
}

// tries is 1 for a signal whose call has failed before.
func tries(err error) int {
	if o, ok := errors.AsType[*outage](err); ok && !o.since.IsZero() {
		return 1
	}
	return 0
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

// conclude tells the inquiry what came of it: answers in the order of the enrichers,
// and the first failure of a required one, an outage before others. It is tried again
// when all of the required ones want to be asked.
func (e *Enrichers) conclude(q *pipeline.Inquiry, answers []answer) {
	if q.Err != nil {
		return
	}
	var all []pulse.External
	var after time.Duration
	for n, c := range e.clients {
		a := answers[n]
		if a.err == nil {
			all = append(all, pulse.External{Enricher: c.endpoint.Name, Object: a.object})
			continue
		}
		bad := classOf(a.err)
		c.metrics.failures.WithLabelValues(c.endpoint.Name, string(bad.Class)).Inc()
		if !c.endpoint.Required {
			continue
		}
		after = max(after, bad.RetryAfter)
		if q.Err == nil || bad.Class == pulse.EnricherDown {
			q.Err = a.err
		}
	}
	if q.Err != nil {
		classOf(q.Err).RetryAfter = after
	}
	q.Answers = all
}

func classOf(err error) *pulse.Bad {
	if bad, ok := errors.AsType[*pulse.Bad](err); ok {
		return bad
	}
	return &pulse.Bad{Class: pulse.EnricherUnavailable, Message: "not asked"}
}

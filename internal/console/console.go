package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pipeline"
)

// Settings are what does not change while the process runs.
type Settings struct {
	Version, Group, Instance, Profile string
	// Brokers is what clients are given, InputTopic where they produce.
	Brokers, InputTopic string
	// Environment is what a command needs to find this service: assignments for a shell.
	Environment string
	// RetryDelays are those of the tiers, in order.
	RetryDelays []time.Duration
	// Contents: there is a token, and who has it may see what is in records.
	Contents bool
}

// Deps are what the console asks. All are required.
type Deps struct {
	Gatherer prometheus.Gatherer
	// View must not wait. It is called concurrently.
	View func() View
	// Owners asks the group who has each partition.
	Owners func(context.Context) (map[int32]string, error)
	Now    func() time.Time
}

// Console serves the page. Its methods may be called concurrently.
type Console struct {
	set    Settings
	deps   Deps
	seen   seen
	looked chan struct{}

	mu      sync.Mutex // guards the rest
	history history
	owners  owners
	last    time.Time // when somebody looked at the page last
}

// owners is what the group said last.
type owners struct {
	of    map[int32]string
	at    time.Time
	fault string
}

// New returns a Console. What may be nil is said with each field.
func New(set Settings, deps Deps) (*Console, error) {
	if deps.Gatherer == nil || deps.View == nil || deps.Owners == nil || deps.Now == nil {
		return nil, errors.New("console: gatherer, view, owners and clock are required")
	}
	return &Console{
		set: set, deps: deps, looked: make(chan struct{}, 1),
		seen: seen{now: deps.Now, failed: make(map[pipeline.Fault]*failures)},
	}, nil
}

// Watcher is what tasks show their batches to.
func (c *Console) Watcher() pipeline.Watcher { return &c.seen } //nolint:ireturn // it is for that interface

// Sample takes one sample every SampleEvery until ctx ends.
func (c *Console) Sample(ctx context.Context) error {
	again := time.NewTicker(SampleEvery)
	defer again.Stop()
	for {
		c.sample()
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Console) sample() {
	// A metric that cannot be gathered is told by /metrics; the others are here.
	families, _ := c.deps.Gatherer.Gather()
	r := read(families, c.deps.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history.add(&r)
}

// How often the group is asked who owns what, for how long after somebody looked, and
// how long an answer may take.
const (
	ownersEvery = 10 * time.Second
	watchedFor  = 30 * time.Second
	ownersLimit = 5 * time.Second
)

// Follow asks the group for owners while somebody looks at the page, until ctx ends.
func (c *Console) Follow(ctx context.Context) error {
	again := time.NewTicker(ownersEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-c.looked:
		case <-ctx.Done():
			return nil
		}
		if c.watched() {
			c.askOwners(ctx)
		}
	}
}

func (c *Console) watched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.last.IsZero() && c.deps.Now().Sub(c.last) < watchedFor
}

func (c *Console) askOwners(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ownersLimit)
	defer cancel()
	of, err := c.deps.Owners(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.owners.fault = err.Error()
		return
	}
	c.owners = owners{of: of, at: c.deps.Now()}
}

// lookedAt notes that somebody looks; after a while without, the owners are asked for
// at once.
func (c *Console) lookedAt(now time.Time) {
	c.mu.Lock()
	fresh := now.Sub(c.last) >= watchedFor
	c.last = now
	c.mu.Unlock()
	if !fresh {
		return
	}
	select {
	case c.looked <- struct{}{}:
	default:
	}
}

// Pages are the handlers that everybody may ask, by their pattern.
func (c *Console) Pages() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /{$}":          document("index.html"),
		"GET /runbook":      document("runbook.html"),
		"GET /console.js":   asset("console.js", "text/javascript; charset=utf-8"),
		"GET /plots.js":     asset("plots.js", "text/javascript; charset=utf-8"),
		"GET /icon.svg":     asset("icon.svg", "image/svg+xml"),
		"GET /api/overview": http.HandlerFunc(c.serveOverview),
	}
}

// Guarded are the handlers that want the token.
func (c *Console) Guarded() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /api/recent": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, c.seen.recent()) }),
		"GET /api/dlq":    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, c.seen.deadLetters()) }),
	}
}

// serveOverview answers with all, or with the history after ?after=MILLISECONDS.
func (c *Console) serveOverview(w http.ResponseWriter, r *http.Request) {
	var after time.Time
	if text := r.URL.Query().Get("after"); text != "" {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			http.Error(w, "after: write milliseconds since 1970, as in history.at_ms", http.StatusBadRequest)
			return
		}
		after = time.UnixMilli(ms)
	}
	c.lookedAt(c.deps.Now())
	o, err := c.overview(after)
	if err != nil {
		http.Error(w, "the metrics cannot be gathered: "+err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, o)
}

func answer(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer cannot be encoded: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n'))
}

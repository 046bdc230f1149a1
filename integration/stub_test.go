//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// try is one attempt at a signal, from 1.
type try struct {
	id      string
	attempt int
}

// question is one call, as an external enricher sees it.
type question struct {
	try

	name   string
	worker string // who asks, as the address says that it was given
}

// stub is an external enricher in the hands of a test.
type stub struct {
	url   string
	takes time.Duration
	down  atomic.Bool
	calls atomic.Int64

	mu sync.Mutex // guards the rest
	// judge gives the status of an answer; nil is 200 for all.
	judge func(question) int
	// trap holds back the answer to the first call that it is true for, until the
	// caller is gone; caught tells of it, gone that the connection has broken.
	trap         func(question) bool
	caught, gone chan question
	// asked is when each try after the first was asked about first.
	asked map[try]time.Time
}

// startStub starts an enricher that answers after a while.
func startStub(t *testing.T, takes time.Duration) *stub {
	t.Helper()
	e := &stub{takes: takes, asked: make(map[try]time.Time), caught: make(chan question, 1), gone: make(chan question, 1)}
	server := httptest.NewServer(e)
	e.url = server.URL
	// Calls under way hold the server up: whoever makes them ends first.
	t.Cleanup(server.Close)
	return e
}

// env is the setting that makes it a worker's required enricher.
func (e *stub) env(worker string) string {
	return "PULSE_ENRICHERS=risk=" + e.url + "/?worker=" + worker + "&required=true&timeout=10s"
}

// answer is what it says of every signal.
const answer = `{"seen":true}`

// ServeHTTP implements http.Handler.
func (e *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.calls.Add(1)
	var body struct{ ID, Name string }
	attempt, headerErr := strconv.Atoi(r.Header.Get("Pulse-Attempt"))
	if err := errors.Join(headerErr, json.NewDecoder(r.Body).Decode(&body)); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	q := question{try{body.ID, attempt}, body.Name, r.URL.Query().Get("worker")}
	status, trapped := e.verdict(q)
	if trapped {
		e.caught <- q
		<-r.Context().Done()
		e.gone <- q
		return
	}
	if e.takes > 0 {
		select {
		case <-time.After(e.takes):
		case <-r.Context().Done():
			return
		}
	}
	if e.down.Load() {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = io.WriteString(w, answer)
	}
}

func (e *stub) verdict(q question) (status int, trapped bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, again := e.asked[q.try]; q.attempt > 1 && !again {
		e.asked[q.try] = time.Now()
	}
	if e.trap != nil && e.trap(q) {
		e.trap = nil
		return 0, true
	}
	if e.judge == nil {
		return http.StatusOK, false
	}
	return e.judge(q), false
}

// fail sets which calls fail.
func (e *stub) fail(judge func(question) int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.judge = judge
}

// catch holds back the answer to the next call that fits, and waits for it.
func (e *stub) catch(ctx context.Context, t *testing.T, fits func(question) bool) question {
	t.Helper()
	e.mu.Lock()
	e.trap = fits
	e.mu.Unlock()
	return e.await(ctx, t, e.caught)
}

// awaitGone waits until the caller that was caught has gone without its answer.
func (e *stub) awaitGone(ctx context.Context, t *testing.T) {
	t.Helper()
	e.await(ctx, t, e.gone)
}

func (e *stub) await(ctx context.Context, t *testing.T, from <-chan question) question {
	t.Helper()
	select {
	case q := <-from:
		return q
	case <-ctx.Done():
		t.Fatal("the enricher was not asked what the test waits for")
		return question{}
	}
}

// atRandom fails a share of all tries up to a number of attempts, the same ones in
// every run.
func atRandom(percent uint32, attempts int) func(question) int {
	return func(q question) int {
		h := fnv.New32a()
		_, _ = fmt.Fprintf(h, "%d/%s", q.attempt*7919, q.id) // never fails (hash.Hash)
		if q.attempt <= attempts && h.Sum32()%100 < percent {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
}

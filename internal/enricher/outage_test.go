package enricher

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// particular is a service that fails for signals whose ID begins with bad.
func particular(t *testing.T, asked *atomic.Int64) Endpoint {
	t.Helper()
	return Endpoint{Name: "risk", Required: true, Timeout: hangGuard, URL: serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.HasPrefix(r.Header.Get("Idempotency-Key"), "bad") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	})}
}

func bad(n int) (batch []*pipeline.Inquiry) {
	for i := range n {
		batch = append(batch, inquiry(fmt.Sprint("bad-", i)))
	}
	return batch
}

// classes counts what was said of a batch; an answer is the empty class.
func classes(batch []*pipeline.Inquiry) map[pulse.Class]int {
	found := make(map[pulse.Class]int)
	for _, q := range batch {
		class := pulse.Class("")
		if q.Err != nil {
			class = pulse.Classify(q.Err).Class
		}
		found[class]++
	}
	return found
}

// Many signals in a row that a service fails for are no outage, while it answers about
// others: that they are in a row is what retries of one series, due at once, look like.
// Time stands still here, so that it is the next answer that decides.
func TestAsk_SignalsThatFailDoNotHoldTheOthers(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	now := time.Now()
	d := deps()
	d.Now = func() time.Time { return now }
	e := New(Settings{Endpoints: []Endpoint{particular(t, &asked)}, Concurrency: 8}, d)
	e.Ask(t.Context(), []*pipeline.Inquiry{inquiry("good")})
	failing := bad(4 * breakerFailures)
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Ask(t.Context(), failing)
	}()
	ended := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	for asked.Load() <= int64(len(failing)) && !ended() { // all of them have failed, in a row
		runtime.Gosched()
	}
	for {
		over := ended()
		good := []*pipeline.Inquiry{inquiry("good")}
		if e.Ask(t.Context(), good); good[0].Err != nil {
			t.Fatalf("a signal that the service answers about: %v", good[0].Err)
		}
		if over {
			break
		}
	}
	if got := classes(failing); got[pulse.EnricherUnavailable] != len(failing) {
		t.Errorf("the others are told %v, want all %s", got, pulse.EnricherUnavailable)
	}
	if required, _ := e.Down(); required != nil {
		t.Errorf("down: %q", required)
	}
}

// Where a service has answered nobody yet, it seems down when it fails for all. The
// next signals that it answers about show that it is not, and those that have failed
// before and fail again go their way.
func TestAsk_WhatFailsAgainAfterAnAnswerIsNoOutage(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	var asked atomic.Int64
	e := newEnrichers(t, 8, particular(t, &asked))
	batch := bad(breakerFailures + 2)
	e.Ask(ctx, batch)
	if got := classes(batch); got[pulse.EnricherDown] != len(batch) {
		t.Fatalf("told %v, want all %s", got, pulse.EnricherDown)
	}
	for left := batch; len(left) > 0; {
		if ctx.Err() != nil {
			t.Fatalf("%d signals are still told of an outage", len(left))
		}
		e.Ask(ctx, append(left, inquiry("good")))
		var again []*pipeline.Inquiry
		for _, q := range left {
			if q.Err == nil || pulse.Classify(q.Err).Class == pulse.EnricherDown {
				again = append(again, q)
			}
		}
		left = again
	}
	if got := classes(batch); got[pulse.EnricherUnavailable] != len(batch) {
		t.Errorf("told %v, want all %s", got, pulse.EnricherUnavailable)
	}
}

// In an outage that begins after answers nobody is charged a try once failures follow
// each other: what the batch failed with is held until it is known.
func TestAsk_AnOutageAfterAnAnswerIsToldForAllOfABatch(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	e := newEnrichers(t, 8, particular(t, &asked))
	e.Ask(t.Context(), []*pipeline.Inquiry{inquiry("good")})
	batch := bad(4 * breakerFailures)
	e.Ask(t.Context(), batch)
	if got := classes(batch); got[pulse.EnricherDown] != len(batch) {
		t.Errorf("told %v, want all %s", got, pulse.EnricherDown)
	}
	// The batch, and a question every now and then until the breaker opens.
	if most := int64(1 + len(batch) + int(breakerSilence/lastDoubt) + 8); asked.Load() > most {
		t.Errorf("%d calls, want at most %d", asked.Load(), most)
	}
}

//go:build integration

package integration_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/audit"
)

// outageFor is how long the enricher is down; two minutes is what is promised for.
var outageFor = flag.Duration("outage", 6*time.Second, "how long TestEnrichers_AnOutage keeps the enricher down")

const (
	enrichersHangGuard = 10 * time.Minute
	// slowRate is what one worker reaches with an enricher that takes 50 ms.
	slowRate = 2000
	// backLimit is how long after an outage the last signal of it is scored.
	backLimit = time.Minute
	// inflightMB is the default of PULSE_MAX_INFLIGHT_BYTES.
	inflightMB = 64
)

// expectEnriched checks that each ID has one result with the enricher's answer, and
// that there are no dead letters. It returns when the results were written.
func (l *lab) expectEnriched(ctx context.Context, t *testing.T, ids int) []time.Time {
	t.Helper()
	seen := make(map[string]int)
	attempts := make(map[int]int)
	var at []time.Time
	l.eachResult(ctx, t, func(r scoredTry) {
		if string(r.External["risk"]) != answer {
			t.Errorf("signal %s: external is %s", r.ID, r.External)
		}
		seen[r.ID]++
		attempts[r.Attempts]++
		at = append(at, r.at)
	})
	for id := range ids {
		if n := seen[fmt.Sprint(id)]; n != 1 {
			t.Fatalf("signal %d has %d results, want 1", id, n)
		}
	}
	dead := 0
	l.each(ctx, t, l.topics.DeadLetters, func(*kgo.Record) { dead++ })
	if dead > 0 {
		t.Errorf("%d dead letters, want none", dead)
	}
	t.Logf("signals by attempts: %s", histogram(attempts))
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// An enricher that takes 50 ms does not make the service slow: many calls are under
// way at a time.
func TestEnrichers_ASlowOneIsAskedManyTimesAtOnce(t *testing.T) { //nolint:paralleltest // measures
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("enrich"), 8)
	l.logAppendTime(ctx, t, l.topics.Results)
	e := startStub(t, 50*time.Millisecond)
	ids := max(20_000, *retryRecords)
	l.produceFresh(ctx, t, 0, ids)
	program := buildWorker(ctx, t)
	began := time.Now()
	w := l.startAsking(t, program, "A", e)
	l.awaitResults(ctx, t, ids)
	took := time.Since(began)
	w.drain(ctx, t)
	at := l.expectEnriched(ctx, t, ids)
	first, last := ids/10, ids*9/10
	steady := float64(last-first) / at[last].Sub(at[first]).Seconds()
	t.Logf("one worker, 8 partitions, 50 ms a call: %.0f records/s between a tenth and nine tenths of the results, %.0f from the start of the process on; %d calls",
		steady, float64(ids)/took.Seconds(), e.calls.Load())
	if *timed && steady < slowRate {
		t.Errorf("%.0f records/s, want at least %d", steady, slowRate)
	}
}

// A required enricher is down while signals come: none is dead, none is tried again
// because of it, all are scored when it is back, and the worker takes no more memory
// than what may be in flight.
func TestEnrichers_AnOutage(t *testing.T) { //nolint:paralleltest // measures
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("outage"), 8)
	e := startStub(t, 5*time.Millisecond)
	w := l.startAsking(t, buildWorker(ctx, t), "A", e)
	sent := 0
	pace := time.NewTicker(100 * time.Millisecond) // 1,000 records a second
	defer pace.Stop()
	send := func() {
		l.produceFresh(ctx, t, sent, 100)
		sent += 100
		<-pace.C
	}
	const warm = 5_000 // until the worker's memory is what it needs for this load
	for sent < warm {
		send()
	}
	w.awaitValue(ctx, t, warm, "pulse_records_total", `outcome="scored"`)
	o := heldWorker{before: w.residentMB(t)}
	e.down.Store(true)
	for end := time.Now().Add(*outageFor); time.Now().Before(end) || !o.told; {
		send()
		o.look(ctx, t, w)
	}
	e.down.Store(false)
	back := time.Now()
	l.awaitResults(ctx, t, sent)
	took := time.Since(back)
	after := w.residentMB(t)
	w.drain(ctx, t)
	l.expectEnriched(ctx, t, sent)
	l.expectAudit(ctx, t)
	t.Logf("down for %v at 1,000 records/s: all %d scored %v after it was back; resident memory of the worker %.0f MB before, %.0f MB at most in the outage, %.0f MB after",
		*outageFor, sent, took.Round(100*time.Millisecond), o.before, o.most, after)
	t.Logf("/readyz?verbose says: %s", strings.TrimSpace(o.readiness))
	if limit := o.before + inflightMB; max(o.most, after) > limit {
		t.Errorf("the worker has had %.0f MB, want at most the %.0f MB before and the %d MB that may be in flight", max(o.most, after), o.before, inflightMB)
	}
	if *timed && took > backLimit {
		t.Errorf("all were scored %v after the enricher was back, want at most %v", took, backLimit)
	}
}

// heldWorker is what is seen of a worker whose enricher is down.
type heldWorker struct {
	before, most float64 // resident memory in MB
	told         bool    // readiness and metrics have said what is waited for
	readiness    string
}

func (o *heldWorker) look(ctx context.Context, t *testing.T, w *worker) {
	t.Helper()
	o.most = max(o.most, w.residentMB(t))
	status, text := get(ctx, t, "http://"+w.at(ctx, t)+"/readyz?verbose")
	if strings.Contains(text, "enricher risk") && w.value(ctx, t, "pulse_breaker_open", `enricher="risk"`) == 1 {
		o.told, o.readiness = true, text
	}
	if status != http.StatusOK {
		t.Fatalf("/readyz is %d while an enricher is down: %s", status, text)
	}
	if status, text := get(ctx, t, "http://"+w.at(ctx, t)+"/livez"); status != http.StatusOK {
		t.Fatalf("/livez is %d while an enricher is down: %s", status, text)
	}
}

// What waits in a tier, or is parked behind one that does, is pending: in the audit, in
// the lag and where a signal is looked for.
func TestEnrichers_WhatWaitsIsSeen(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("waits"), 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "7" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	const ids = 100
	for id := range ids {
		l.client.Produce(ctx, &kgo.Record{
			Topic: l.topics.Input, Partition: int32(id % l.partitions), Key: fmt.Appendf(nil, "s%d", id%l.partitions),
			Value: fmt.Appendf(nil, `{"id":"%d","name":"s%d","value":%d,"source":"t"}`, id, id%l.partitions, id),
		}, nil)
	}
	if err := l.client.Flush(ctx); err != nil {
		t.Fatalf("produce: %v", err)
	}
	s := l.startService(ctx, t, "PULSE_ENRICHERS=risk="+server.URL+"?required=true&timeout=10s", "PULSE_RETRY_DELAYS=1h", "PULSE_RETRY_ORDER=key")
	const parked = 23 // 11, 15 … 99: the series of 7 has a partition of its own
	s.awaitValue(ctx, t, ids-parked-1, "pulse_records_total", "scored")
	s.awaitValue(ctx, t, parked, "pulse_parked_records")
	s.stop(t)
	if sum := audit.Total(l.audit(ctx, t, 0).Partitions); sum.Pending != parked+1 || sum.Scored != ids-parked-1 {
		t.Errorf("audit: %+v, want %d pending", sum, parked+1)
	}
	if code, stdout, stderr := l.command(ctx, t, "find", "7"); code != 0 || !strings.Contains(stdout, "pending") {
		t.Errorf("find 7: exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := l.command(ctx, t, "lag"); code != 0 || !strings.Contains(stdout, "NEXT NOT BEFORE") {
		t.Errorf("lag: exit %d\n%s%s", code, stdout, stderr)
	}
}

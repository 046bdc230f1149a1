//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/audit"
)

// outageFor is how long the enricher is down; two minutes is what is promised for.
var outageFor = flag.Duration("outage", 6*time.Second, "how long TestEnrichers_AnOutage keeps the enricher down")

const enrichersHangGuard = 10 * time.Minute

// slowEnricher answers after a while, and with an error while it is down.
type slowEnricher struct {
	takes time.Duration
	down  atomic.Bool
	calls atomic.Int64
}

// ServeHTTP implements http.Handler.
func (e *slowEnricher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.calls.Add(1)
	select {
	case <-time.After(e.takes):
	case <-r.Context().Done():
		return
	}
	if e.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, `{"seen":true}`)
}

// produceSignals produces signals with IDs from first on, to all partitions in turn.
func (l *lab) produceSignals(ctx context.Context, t *testing.T, first, n int) {
	t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		id := first + i
		records[i] = &kgo.Record{
			Topic: l.topics.Input, Partition: int32(id % l.partitions), Key: fmt.Appendf(nil, "s%d", id%l.partitions),
			Value: fmt.Appendf(nil, `{"id":"%d","name":"s%d","value":%d,"source":"t"}`, id, id%l.partitions, id),
		}
	}
	if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

// expectEnriched checks that each ID has one result with the enricher's answer, and
// that there are no dead letters.
func (l *lab) expectEnriched(ctx context.Context, t *testing.T, ids int) {
	t.Helper()
	seen := make(map[string]int)
	attempts := make(map[int]int)
	l.each(ctx, t, l.topics.Results, func(r *kgo.Record) {
		var got struct {
			ID       string
			Attempts int
			External map[string]json.RawMessage
		}
		if err := json.Unmarshal(r.Value, &got); err != nil {
			t.Fatalf("result: %v", err)
		}
		if string(got.External["risk"]) != `{"seen":true}` {
			t.Errorf("signal %s: external is %s", got.ID, got.External)
		}
		seen[got.ID]++
		attempts[got.Attempts]++
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
	t.Logf("signals by attempts: %v", attempts)
}

// An enricher that takes 50 ms does not make the service slow: many calls are under
// way at a time. The rate is told, not held against a machine.
func TestEnrichers_ASlowOneIsAskedManyTimesAtOnce(t *testing.T) { //nolint:paralleltest // measures
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("enrich"), 8)
	enricher := &slowEnricher{takes: 50 * time.Millisecond}
	server := httptest.NewServer(enricher)
	defer server.Close()
	const ids = 20_000
	l.produceSignals(ctx, t, 0, ids)
	began := time.Now()
	s := l.startService(ctx, t, "PULSE_ENRICHERS=risk="+server.URL+"?required=true&timeout=10s")
	s.awaitValue(ctx, t, ids, "pulse_records_total", "scored")
	took := time.Since(began)
	s.stop(t)
	l.expectEnriched(ctx, t, ids)
	t.Logf("one worker, 8 partitions, 50 ms a call: %.0f records/s from its start on, with joining; %d calls",
		float64(ids)/took.Seconds(), enricher.calls.Load())
}

// A required enricher is down while signals come: none is dead, none is tried again
// because of it, and all are scored when it is back.
func TestEnrichers_AnOutage(t *testing.T) { //nolint:paralleltest // measures
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("outage"), 8)
	enricher := &slowEnricher{takes: 5 * time.Millisecond}
	server := httptest.NewServer(enricher)
	defer server.Close()
	s := l.startService(ctx, t, "PULSE_ENRICHERS=risk="+server.URL+"?required=true&timeout=2s")
	sent := 0
	send := func() {
		l.produceSignals(ctx, t, sent, 100)
		sent += 100
	}
	pace := time.NewTicker(100 * time.Millisecond) // 1,000 records a second
	defer pace.Stop()
	for range 20 {
		send()
		<-pace.C
	}
	awaitThat(ctx, t, func() string {
		if s.value(t, "pulse_records_total", "scored") == 0 {
			return "nothing is scored before the outage"
		}
		return ""
	})
	before := residentMB(t)
	enricher.down.Store(true)
	held, most := false, 0.0
	for end := time.Now().Add(*outageFor); time.Now().Before(end) || !held; <-pace.C {
		send()
		most = max(most, residentMB(t))
		status, text := get(ctx, t, "http://"+s.Addr()+"/readyz?verbose")
		held = held || strings.Contains(text, "enricher risk") && s.value(t, "pulse_breaker_open") == 1
		if status != http.StatusOK {
			t.Fatalf("/readyz is %d while an enricher is down: %s", status, text)
		}
		if status, text := get(ctx, t, "http://"+s.Addr()+"/livez"); status != http.StatusOK {
			t.Fatalf("/livez is %d while an enricher is down: %s", status, text)
		}
	}
	enricher.down.Store(false)
	back := time.Now()
	s.awaitValue(ctx, t, float64(sent), "pulse_records_total", "scored")
	took := time.Since(back)
	s.stop(t)
	l.expectEnriched(ctx, t, sent)
	t.Logf("down for %v at 1,000 records/s: all %d scored %v after it was back; resident memory of test and service %.0f MB before, %.0f MB at most in the outage",
		*outageFor, sent, took.Round(100*time.Millisecond), before, most)
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
		_, _ = io.WriteString(w, `{"seen":true}`)
	}))
	defer server.Close()
	const ids = 100
	l.produceSignals(ctx, t, 0, ids)
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
	if code, stdout, stderr := l.command(ctx, t, "lag"); code != 0 || !strings.Contains(stdout, "next not before") {
		t.Errorf("lag: exit %d\n%s%s", code, stdout, stderr)
	}
}

// residentMB is the resident memory of this process, which the service is in.
func residentMB(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kb float64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}

func get(ctx context.Context, t *testing.T, url string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(content)
}

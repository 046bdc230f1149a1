package brokertest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/retry"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// flaky is an external enricher that fails when it is told to, and notes what it was
// asked.
type flaky struct {
	fails func(id string, attempt int) error

	mu    sync.Mutex
	early []string
	late  []time.Duration
}

// Ask implements pipeline.Externals.
func (f *flaky) Ask(_ context.Context, inquiries []*pipeline.Inquiry) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range inquiries {
		if due, ok := pipeline.NotBefore(q.Headers); ok {
			if now.Before(due) {
				f.early = append(f.early, fmt.Sprintf("%s by %v", q.Signal.ID, due.Sub(now)))
			}
			f.late = append(f.late, now.Sub(due))
		}
		if q.Err = f.fails(q.Signal.ID, q.Attempt); q.Err == nil {
			q.Answers = []pulse.External{{Enricher: "e", Object: []byte(`{}`)}}
		}
	}
}

// expectOnTime checks that nothing was tried before it was due, and that something was
// tried again.
func (f *flaky) expectOnTime(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.early) > 0 {
		t.Errorf("%d retries before they were due: %v", len(f.early), f.early[:min(3, len(f.early))])
	}
	if len(f.late) == 0 {
		t.Fatal("nothing was tried again: the test proves nothing")
	}
	slices.Sort(f.late)
	t.Logf("%d retries: late by %v in the middle, %v at most", len(f.late), f.late[len(f.late)/2], f.late[len(f.late)-1])
}

// failing fails a share of the first attempts, the same ones each time.
func failing(percent uint32, attempts int) func(string, int) error {
	return func(id string, attempt int) error {
		h := fnv.New32a()
		_, _ = fmt.Fprintf(h, "%d/%s", attempt*7919, id) // never fails (hash.Hash)
		if attempt <= attempts && h.Sum32()%100 < percent {
			return &pulse.Bad{Class: pulse.EnricherUnavailable, Message: "not now"}
		}
		return nil
	}
}

// tieredBundle has two retry tiers.
func tieredBundle(t *testing.T, c Cluster) *bundle {
	t.Helper()
	b := newBundle(t, c, layout{})
	for n, delay := range []time.Duration{200 * time.Millisecond, 600 * time.Millisecond} {
		tier := broker.RetryTier{Topic: fmt.Sprintf("%s.retry.%d", b.group, n+1), Delay: delay}
		b.createTopic(tier.Topic, b.tasks, nil)
		b.topology.Retry = append(b.topology.Retry, tier)
	}
	return b
}

// enrichedPath is the service's own record path with an enricher.
func (b *bundle) enrichedPath(f *flaky, byKey bool) func(int32) broker.Task {
	metrics := pipeline.NewMetrics(prometheus.NewRegistry())
	set := pipeline.Settings{
		Group: b.group, ScorerVersion: "test", DefaultSource: "unknown", MaxRecordBytes: 1 << 20,
		State: state.Settings{DedupeWindow: 24 * time.Hour, DedupeMaxIDs: 100_000, WindowSize: 50, MemorySize: 100},
		Retry: retry.Settings{ByKey: byKey, MaxParked: 10_000},
	}
	for _, tier := range b.topology.Retry {
		set.Retry.Delays = append(set.Retry.Delays, tier.Delay)
	}
	return func(int32) broker.Task {
		var key [16]byte
		_, _ = rand.Read(key[:]) // never fails (crypto/rand)
		t, err := pipeline.New(set, pipeline.Deps{Profile: scoring.Parity(), Metrics: metrics, HashKey: key, Now: time.Now, Externals: f})
		if err != nil {
			panic(fmt.Sprintf("record path: %v", err)) // the settings above are valid
		}
		return t
	}
}

// inSeries makes n signals with IDs from first on, each series in one partition.
func (b *bundle) inSeries(first, n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		id := first + i
		series := id % 28
		name := fmt.Sprintf("series-%d", series)
		records[i] = &kgo.Record{
			Partition: int32(series) % b.tasks, Key: []byte(name),
			Value: fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%d.5,"source":"suite","timestamp":1700000000}`, id, name, id%90),
		}
	}
	return records
}

// parks tells the engine that the record path parks records.
func parks(s *broker.Settings) { s.Parks = true }

// awaitScored waits until so many results are visible.
func (b *bundle) awaitScored(n int) {
	b.t.Helper()
	eventually(b.t, func() string {
		got := 0
		for _, records := range b.read(b.topology.Results) {
			got += len(records)
		}
		if got < n {
			return fmt.Sprintf("%d results, want %d", got, n)
		}
		return ""
	})
}

// expectAttempts logs how often signals were tried, and that none is dead.
func (b *bundle) expectAttempts() {
	b.t.Helper()
	attempts := make(map[int]int)
	for _, records := range b.read(b.topology.Results) {
		for _, r := range records {
			var got struct{ Attempts int }
			if err := json.Unmarshal(r.Value, &got); err != nil {
				b.t.Errorf("result: %v", err)
			}
			attempts[got.Attempts]++
		}
	}
	b.t.Logf("signals by attempts: %v", attempts)
	for partition, records := range b.read(b.topology.DeadLetters) {
		if len(records) > 0 {
			b.t.Errorf("partition %d has %d dead letters, want none", partition, len(records))
		}
	}
}

// tiersOnce: signals whose enricher fails now and then have one result each, and none
// is tried before its time, although a worker dies in a transaction while they wait
// and another one drains.
func tiersOnce(t *testing.T, c Cluster) {
	b := tieredBundle(t, c)
	f := &flaky{fails: failing(30, 2)}
	const ids = 3000
	first, second := b.startWith(b.enrichedPath(f, false)), b.startWith(b.enrichedPath(f, false))
	b.awaitTasks([]*worker{first, second}, 2, 2)
	b.sendWith(b.client, b.inSeries(0, ids/3)...)
	b.awaitScored(ids / 6)
	died := first.network.arm(endTxn, dieBefore)
	b.sendWith(b.client, b.inSeries(ids/3, ids/3)...)
	await(t, "the first worker is to die in a transaction", died.fired)
	first.kill()
	b.awaitScored(ids / 2)
	b.startWith(b.enrichedPath(f, false)).awaitReady()
	b.sendWith(b.client, b.inSeries(2*ids/3, ids/3)...)
	second.stop()
	b.awaitScored(ids)
	b.onePerID(ids)
	b.expectAttempts()
	f.expectOnTime(t)
}

// tiersInOrder: with order by key the results of each series come in the order of
// their input, whatever fails, also across a restart.
func tiersInOrder(t *testing.T, c Cluster) {
	b := tieredBundle(t, c)
	f := &flaky{fails: failing(10, 2)}
	const ids = 1400
	first := b.startWith(b.enrichedPath(f, true), parks)
	b.sendWith(b.client, b.inSeries(0, ids/2)...)
	b.awaitScored(ids / 4)
	first.stop()
	b.startWith(b.enrichedPath(f, true), parks)
	b.sendWith(b.client, b.inSeries(ids/2, ids/2)...)
	b.awaitScored(ids)
	b.onePerID(ids)
	b.expectAttempts()
	f.expectOnTime(t)
	last := make(map[string]int)
	for _, records := range b.read(b.topology.Results) {
		for _, r := range records {
			var got struct{ ID, Name string }
			var id int
			if err := json.Unmarshal(r.Value, &got); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Sscan(got.ID, &id); err != nil {
				t.Fatal(err)
			}
			if before, ok := last[got.Name]; ok && id < before {
				t.Errorf("%s: signal %d comes after %d", got.Name, id, before)
			}
			last[got.Name] = id
		}
	}
}

// tiersHeld: while a required enricher is down nothing is lost, tried again or dead;
// the service is alive and says what it waits for. When it is back all goes on.
func tiersHeld(t *testing.T, c Cluster) {
	b := tieredBundle(t, c)
	var mu sync.Mutex
	down := true
	f := &flaky{fails: func(string, int) error {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return &pulse.Bad{Class: pulse.EnricherDown, Message: "down"}
		}
		return nil
	}}
	const ids = 1000
	w := b.startWith(b.enrichedPath(f, false))
	b.sendWith(b.client, b.inSeries(0, ids)...)
	eventually(t, func() string {
		if w.engine.Status().Hold == "" {
			return "nobody says that the enricher is waited for"
		}
		return ""
	})
	throughout(t, time.Second, func() string {
		if err := w.engine.Live(); err != nil {
			return "not alive while an enricher is down: " + err.Error()
		}
		for partition, records := range b.read(b.topology.Results) {
			if len(records) > 0 {
				return fmt.Sprintf("partition %d has results while the enricher is down", partition)
			}
		}
		return ""
	})
	mu.Lock()
	down = false
	mu.Unlock()
	b.awaitScored(ids)
	b.onePerID(ids)
	b.expectAttempts()
	eventually(t, func() string { return w.engine.Status().Hold })
}

// tiersStuck: an enricher that answers about nothing that a worker has asked is thought
// to be down. If it would answer about what comes later, that is found out.
func tiersStuck(t *testing.T, c Cluster) {
	b := tieredBundle(t, c)
	const stuck, ids = 100, 200
	var mu sync.Mutex
	answers := false
	f := &flaky{fails: func(id string, _ int) error {
		n, err := strconv.Atoi(id)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if answers = answers || n >= stuck; !answers {
			return &pulse.Bad{Class: pulse.EnricherDown, Message: "down"}
		}
		return nil
	}}
	w := b.startWith(b.enrichedPath(f, false))
	b.sendWith(b.client, b.inSeries(0, stuck)...)
	eventually(t, func() string {
		if w.engine.Status().Hold == "" {
			return "nobody says that the enricher is waited for"
		}
		return ""
	})
	b.sendWith(b.client, b.inSeries(stuck, ids-stuck)...)
	b.awaitScored(ids)
	b.onePerID(ids)
}

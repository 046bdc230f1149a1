package broker_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/devbroker"
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

	mu       sync.Mutex
	attempts map[string]int // the last one, by signal ID
	early    []string
	late     []time.Duration
}

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
		f.attempts[q.Signal.ID] = max(f.attempts[q.Signal.ID], q.Attempt)
		if q.Err = f.fails(q.Signal.ID, q.Attempt); q.Err == nil {
			q.Answers = []pulse.External{{Enricher: "e", Object: []byte(`{}`)}}
		}
	}
}

// failing fails a share of all attempts, the same ones each time.
func failing(percent uint32, last int) func(string, int) error {
	return func(id string, attempt int) error {
		h := fnv.New32a()
		_, _ = fmt.Fprintf(h, "%d/%s", attempt*7919, id) // never fails (hash.Hash)
		if attempt <= last && h.Sum32()%100 < percent {
			return &pulse.Bad{Class: pulse.EnricherUnavailable, Message: "not now"}
		}
		return nil
	}
}

// tierLab is an embedded broker with an input and two tiers.
type tierLab struct {
	*faultLab

	enricher *flaky
	order    bool
	engine   *broker.Engine
}

var tierDelays = []time.Duration{150 * time.Millisecond, 400 * time.Millisecond}

func newTierLab(t *testing.T, fails func(string, int) error) *tierLab {
	t.Helper()
	topics := broker.Topology{Input: "in", Results: "out", DeadLetters: "dead", State: "state"}
	for i, d := range tierDelays {
		topics.Retry = append(topics.Retry, broker.RetryTier{Topic: fmt.Sprintf("in.g.retry.%d", i+1), Delay: d})
	}
	settings := devbroker.Settings{}
	for _, name := range []string{topics.Input, topics.Results, topics.DeadLetters, topics.State, topics.Retry[0].Topic, topics.Retry[1].Topic} {
		settings.Topics = append(settings.Topics, devbroker.Topic{Name: name, Partitions: faultPartitions})
	}
	b, err := devbroker.Start(settings)
	if err != nil {
		t.Fatalf("start the broker: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return &tierLab{
		faultLab: newFaultLabAt(t, b.Addrs(), topics),
		enricher: &flaky{fails: fails, attempts: make(map[string]int)},
	}
}

// serve runs an engine whose record path asks the enricher.
func (l *tierLab) serve(ctx context.Context, t *testing.T) (stop func() error) {
	t.Helper()
	l.registry = prometheus.NewRegistry()
	metrics := pipeline.NewMetrics(l.registry)
	engine, err := broker.New(
		broker.Connection{Brokers: l.addrs, ClientID: "tiers"},
		broker.Settings{
			Group: faultGroup, Topics: l.topics, Start: broker.Earliest, Parks: l.order,
			CommitInterval: 20 * time.Millisecond, TransactionTimeout: 5 * time.Second,
			SessionTimeout: 6 * time.Second, HeartbeatInterval: 100 * time.Millisecond,
			StallTimeout: 30 * time.Second, DrainTimeout: 15 * time.Second,
			MaxRecordBytes: 1 << 20, MaxInflightBytes: 16 << 20, Compression: batch.LZ4,
		},
		broker.Deps{
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Registry: l.registry, Now: time.Now,
			NewTask: func(int32) broker.Task { return l.newTask(t, metrics) },
		})
	if err != nil {
		t.Fatalf("make an engine: %v", err)
	}
	l.engine = engine
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- engine.Run(run) }()
	return func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return errors.New("the engine does not stop")
		}
	}
}

func (l *tierLab) newTask(t *testing.T, metrics *pipeline.Metrics) broker.Task {
	t.Helper()
	var key [16]byte
	_, _ = rand.Read(key[:])
	task, err := pipeline.New(pipeline.Settings{
		Group: faultGroup, ScorerVersion: "test", DefaultSource: "unknown", MaxRecordBytes: 1 << 20,
		State: state.Settings{DedupeWindow: time.Hour, DedupeMaxIDs: 100_000, WindowSize: 50, MemorySize: 100},
		Retry: retry.Settings{Delays: tierDelays, ByKey: l.order, MaxParked: 10_000},
	}, pipeline.Deps{
		Profile: scoring.Parity(), Metrics: metrics, HashKey: key, Now: time.Now, Externals: l.enricher,
	})
	if err != nil {
		t.Errorf("make a record path: %v", err)
	}
	return task
}

// send produces n signals of a few series to each partition.
func (l *tierLab) send(ctx context.Context, t *testing.T, from, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := from; i < from+n; i++ {
		partition := int32(i % 35 % faultPartitions) // a series is in one partition
		records = append(records, &kgo.Record{
			Topic: l.topics.Input, Partition: partition,
			Value: fmt.Appendf(nil, `{"id":"%d","name":"s%d","value":%d,"source":"t"}`, i, i%35, i),
		})
	}
	if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

// result is what matters here of one.
type result struct {
	ID, Name string
	Attempts int
}

// results waits for n visible results and returns all there are, by partition.
func (l *tierLab) results(ctx context.Context, t *testing.T, n int) (all []result) {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(l.addrs...), kgo.ConsumeTopics(l.topics.Results),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for len(all) < n {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d results of %d", len(all), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var got result
			if err := json.Unmarshal(r.Value, &got); err != nil {
				t.Errorf("result: %v", err)
			}
			all = append(all, got)
		})
	}
	return all
}

// expectOnce checks that each signal has one result, and no dead letter was written.
func (l *tierLab) expectOnce(ctx context.Context, t *testing.T, all []result, n int) {
	t.Helper()
	seen := make(map[string]int)
	attempts := make(map[int]int)
	for _, r := range all {
		seen[r.ID]++
		attempts[r.Attempts]++
		if seen[r.ID] > 1 {
			t.Errorf("signal %s has %d results", r.ID, seen[r.ID])
		}
	}
	if len(seen) != n {
		t.Errorf("%d signals of %d have a result", len(seen), n)
	}
	for p := range int32(faultPartitions) {
		if end := l.end(ctx, t, l.topics.DeadLetters, p); end > 0 {
			t.Errorf("partition %d of the dead letters ends at %d, want none", p, end)
		}
	}
	t.Logf("attempts: %v", attempts)
}

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

// Signals whose enricher fails now and then are scored once each, in the tiers' time,
// across a restart of the service while they wait.
func TestTiers_EachSignalIsScoredOnceAndNoneEarly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	l := newTierLab(t, failing(30, 2))
	stop := l.serve(ctx, t)
	l.send(ctx, t, 0, 1000)
	l.results(ctx, t, 500)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	stop = l.serve(ctx, t)
	l.send(ctx, t, 1000, 500)
	l.results(ctx, t, 1500)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.expectOnce(ctx, t, l.results(ctx, t, 1500), 1500)
	l.enricher.expectOnTime(t)
}

// With order by key the results of each series come in the order of its input,
// whatever fails, also across a restart.
func TestTiers_KeepTheOrderOfASeriesWhenAsked(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	l := newTierLab(t, failing(10, 2))
	l.order = true
	stop := l.serve(ctx, t)
	l.send(ctx, t, 0, 700)
	l.results(ctx, t, 200)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	stop = l.serve(ctx, t)
	all := l.results(ctx, t, 700)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	last := make(map[string]int)
	for _, r := range all {
		var id int
		if _, err := fmt.Sscan(r.ID, &id); err != nil {
			t.Fatal(err)
		}
		if before, ok := last[r.Name]; ok && id < before {
			t.Errorf("series %s: signal %d after %d", r.Name, id, before)
		}
		last[r.Name] = id
	}
	l.expectOnce(ctx, t, all, 700)
	l.enricher.expectOnTime(t)
}

// While a required enricher is down nothing is lost, retried or dead; the service is
// alive and says what it waits for. When it is back everything goes on.
func TestTiers_AnOutageHoldsEverything(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	var down sync.Map
	down.Store("down", true)
	l := newTierLab(t, func(string, int) error {
		if v, _ := down.Load("down"); v == true {
			return &pulse.Bad{Class: pulse.EnricherDown, Message: "down"}
		}
		return nil
	})
	stop := l.serve(ctx, t)
	l.send(ctx, t, 0, 1000)
	for l.engine.Status().Hold == "" {
		if ctx.Err() != nil {
			t.Fatal("nobody says that the enricher is waited for")
		}
		l.send(ctx, t, 0, 1) // a duplicate, to have a look now and then
	}
	if err := l.engine.Live(); err != nil {
		t.Errorf("not alive while an enricher is down: %v", err)
	}
	for p := range int32(faultPartitions) {
		if end := l.end(ctx, t, l.topics.Results, p); end > 0 {
			t.Errorf("results were written while the enricher was down: partition %d ends at %d", p, end)
		}
	}
	down.Store("down", false)
	all := l.results(ctx, t, 1000)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.expectOnce(ctx, t, all, 1000)
}

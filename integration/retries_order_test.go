//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// keepOrder: with key order the results of each series stand in the order of its
// input, record by record, although a twentieth of all tries fails and the worker is
// killed while signals are parked.
func keepOrder(ctx context.Context, t *testing.T, lab *lab, program string) {
	t.Helper()
	e := startStub(t, 0)
	e.fail(atRandom(5, 2))
	lab.env = []string{"PULSE_RETRY_DELAYS=200ms,400ms,800ms,2s", "PULSE_RETRY_ORDER=key", "PULSE_INSTANCE_ID=ordered"}
	w := lab.startAsking(t, program, "A", e)
	lab.awaitJoined(ctx, t, 1)
	signals := max(2000, *retryRecords/5)
	half := signals / 2
	lab.produceFresh(ctx, t, 0, half)
	w.awaitValue(ctx, t, 1, "pulse_records_total", `outcome="scored"`)
	// What is parked now stays so until a retry is over, which takes longer than a kill.
	awaitThat(ctx, t, func() string {
		if w.value(ctx, t, "pulse_parked_records") == 0 {
			return "nothing is parked"
		}
		return ""
	})
	w.freeze(ctx, t)
	w.kill(t)
	waiting := lab.audit(ctx, t, 0)
	pending := uint64(0)
	for _, p := range waiting.Partitions {
		pending += p.Pending
	}
	if pending == 0 {
		t.Error("nothing waited when the worker was killed: the test proves nothing")
	}
	w = lab.startAsking(t, program, "B", e)
	lab.produceFresh(ctx, t, half, signals-half)
	lab.awaitResults(ctx, t, signals)
	lab.awaitEnd(ctx, t)
	w.drain(ctx, t)
	book := lab.account(ctx, t)
	book.expectBalanced(t)
	lab.expectAudit(ctx, t)
	lab.expectSameOrder(ctx, t)
	found := lab.readTries(ctx, t)
	found.judge(t, e.tried())
	t.Logf("%d signals; %d waited in tiers or parked when the worker was killed", signals, pending)
}

// produceFresh produces signals that no others repeat.
func (l *lab) produceFresh(ctx context.Context, t *testing.T, first, n int) {
	t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = fresh(l, first+i)
	}
	if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

// expectSameOrder compares the IDs of each series in input and results.
func (l *lab) expectSameOrder(ctx context.Context, t *testing.T) {
	t.Helper()
	read := func(topic string) map[string][]string {
		series := make(map[string][]string)
		l.each(ctx, t, topic, func(r *kgo.Record) {
			var got struct{ ID, Name string }
			if err := json.Unmarshal(r.Value, &got); err != nil {
				t.Fatalf("%s-%d offset %d: %v", topic, r.Partition, r.Offset, err)
			}
			series[got.Name] = append(series[got.Name], got.ID)
		})
		return series
	}
	in, out := read(l.topics.Input), read(l.topics.Results)
	compared := 0
	for name, ids := range in {
		if !slices.Equal(ids, out[name]) {
			t.Errorf("series %s: results stand in the order %v, want %v", name, out[name], ids)
		}
		compared += len(ids)
	}
	t.Logf("%d series, %d results compared one by one with the input", len(in), compared)
}

// A failing signal fails twice; a failing series is one in twenty.
const (
	failingTries  = 2
	failingSeries = "-0"
	roundRate     = 1000 // signals a second
	roundTick     = 10 * time.Millisecond
	// moreLatency is what others' failures may add to the latency of a series.
	moreLatency = 0.1
)

// doNotWait: without key order series that fail do not hold up the others. Rounds with
// failing series and rounds without take turns; the latency of all the others is from
// before it is produced until its result is visible.
func doNotWait(ctx context.Context, t *testing.T, lab *lab, program string) {
	t.Helper()
	lab.unordered = true
	e := startStub(t, time.Millisecond)
	w := lab.startAsking(t, program, "A", e)
	lab.awaitJoined(ctx, t, 1)
	clock := lab.watchLatency(ctx, t)
	length := time.Second
	if *retryRounds > 1 {
		length = 8 * time.Second
	}
	sent := lab.round(ctx, t, clock, 0, length) // warms up
	var medians [2][]time.Duration
	for n := range 2 * *retryRounds {
		// The first of a pair is another one each time.
		failing := (n + n/2) % 2
		e.fail(nil)
		if failing == 1 {
			e.fail(func(q question) int {
				if strings.HasSuffix(q.name, failingSeries) && q.attempt <= failingTries {
					return http.StatusServiceUnavailable
				}
				return http.StatusOK
			})
		}
		from := sent
		sent = lab.round(ctx, t, clock, sent, length)
		median := clock.median(from, sent)
		t.Logf("round %d, failing series %d: median latency of the others %v", n+1, failing, median)
		medians[failing] = append(medians[failing], median)
	}
	if err := lab.client.Flush(ctx); err != nil {
		t.Fatalf("produce: %v", err)
	}
	lab.awaitEnd(ctx, t)
	w.drain(ctx, t)
	book := lab.account(ctx, t)
	book.expectBalanced(t)
	lab.readTries(ctx, t).judge(t, e.tried())
	without, with := middle(medians[0]), middle(medians[1])
	share := float64(with)/float64(without) - 1
	t.Logf("%d rounds each: median latency of series that do not fail %v (%v) with failing ones, %v (%v) without: %+.1f %%",
		*retryRounds, with, medians[1], without, medians[0], 100*share)
	if *timed && share > moreLatency {
		t.Errorf("others' failures add %.1f %% to the latency, want at most %.0f %%", 100*share, 100*moreLatency)
	}
}

func middle(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// latencies notes when signals were produced and when their results became visible, by
// one clock.
type latencies struct {
	mu         sync.Mutex // guards the rest
	sent, seen map[string]time.Time
}

// watchLatency reads the results as a consumer does.
func (l *lab) watchLatency(ctx context.Context, t *testing.T) *latencies {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.ConsumeTopics(l.topics.Results),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatalf("make a reader: %v", err)
	}
	clock := &latencies{sent: make(map[string]time.Time), seen: make(map[string]time.Time)}
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			fetches := reader.PollFetches(ctx)
			clock.note(clock.seen, fetches.Records())
		}
	})
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		reader.Close()
	})
	return clock
}

func (c *latencies) note(to map[string]time.Time, records []*kgo.Record) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range records {
		to[identity(r.Value)] = now
	}
}

// round produces at a steady rate and waits for all results. It returns how many
// signals there were so far.
func (l *lab) round(ctx context.Context, t *testing.T, clock *latencies, sent int, length time.Duration) int {
	t.Helper()
	pace := time.NewTicker(roundTick)
	defer pace.Stop()
	for end := time.Now().Add(length); time.Now().Before(end); <-pace.C {
		records := make([]*kgo.Record, roundRate*int(roundTick)/int(time.Second))
		for i := range records {
			records[i] = fresh(l, sent+i)
		}
		clock.note(clock.sent, records)
		sent += len(records)
		for _, r := range records {
			l.client.Produce(ctx, r, nil)
		}
	}
	if err := l.client.Flush(ctx); err != nil {
		t.Fatalf("produce: %v", err)
	}
	l.awaitSeen(ctx, t, clock, sent)
	return sent
}

// awaitSeen waits for all results. Meanwhile a series that does not fail goes on: were
// the service asked about nothing but what fails, it could not tell that from an outage.
func (l *lab) awaitSeen(ctx context.Context, t *testing.T, clock *latencies, sent int) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		for p := range int32(l.partitions) {
			l.client.Produce(ctx, &kgo.Record{
				Topic: l.topics.Input, Partition: p, Key: []byte("beat"),
				Value: fmt.Appendf(nil, `{"id":"beat-%d-%d","name":"beat","value":1,"source":"t"}`, p, time.Now().UnixNano()),
			}, nil)
		}
		clock.mu.Lock()
		defer clock.mu.Unlock()
		for n := range sent {
			if _, seen := clock.seen[fmt.Sprintf("t/%d", n)]; !seen {
				return fmt.Sprintf("the result of signal %d is not visible", n)
			}
		}
		return ""
	})
}

// median is the latency of the signals from one to another whose series does not fail.
func (c *latencies) median(from, to int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Duration
	for n := from; n < to; n++ {
		if n/chaosPartitions%20 == 0 {
			continue // its series is one that fails in some rounds
		}
		id := fmt.Sprintf("t/%d", n)
		all = append(all, c.seen[id].Sub(c.sent[id]))
	}
	return middle(all)
}

//go:build integration

package integration_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
)

// joins is how often a third worker joins in TestRebalance. make rebalance wants
// enough for a median, and holds the limits; fewer show the figures.
var joins = flag.Int("joins", 2, "how often a worker joins in TestRebalance; from 10 on its limits are held")

const (
	rebalanceRate    = 10_000 // records a second
	enoughJoins      = 10
	pauseMedianLimit = 500 * time.Millisecond
	pauseMaxLimit    = 2 * time.Second
	// quiet is how long the group is left alone before a join, and what it does
	// then is normal; afterwards it is how long the effects of a join are looked for.
	quiet = 2 * time.Second
)

// visible notes when results became visible to a read_committed reader.
type visible struct {
	mu sync.Mutex
	at map[int32][]time.Time
}

func (v *visible) run(ctx context.Context, client *kgo.Client) {
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		v.mu.Lock()
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				v.at[p.Partition] = append(v.at[p.Partition], now)
			}
		})
		v.mu.Unlock()
	}
}

// missing names a partition of which nothing has become visible yet.
func (v *visible) missing(partitions int) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for p := range int32(partitions) {
		if len(v.at[p]) == 0 {
			return fmt.Sprintf("nothing of partition %d has become visible", p)
		}
	}
	return ""
}

// longest is the longest time between two appends of a partition that touches the
// time from one moment to another.
func (v *visible) longest(task int32, from, to time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	last, most := from, time.Duration(0)
	for _, at := range v.at[task] {
		if at.Before(from) {
			continue
		}
		if last.After(to) {
			break
		}
		most = max(most, at.Sub(last))
		last = at
	}
	return most
}

// TestRebalance measures what a worker that joins costs the partitions that stay
// where they are: the longest time in which nothing of one became visible, over
// what is normal without a join.
func TestRebalance(t *testing.T) { //nolint:paralleltest // measures time
	brokers := kafkatest.Brokers(t)
	program := buildWorker(t.Context(), t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*joins)*time.Minute+3*time.Minute)
	defer cancel()
	lab := newLab(ctx, t, brokers, kafkatest.Name("rebalance"), chaosPartitions)
	lab.startWorker(t, program, "A")
	first := lab.awaitJoined(ctx, t, 1)
	lab.startWorker(t, program, "B")
	second := lab.awaitJoined(ctx, t, 2, first.txnID)

	seen := lab.watchResults(ctx, t)
	length := time.Duration(*joins) * time.Minute
	load := lab.startLoad(ctx, int(length/time.Second)*rebalanceRate, length)
	// A reader may be told late of a partition that is new: what it does not see is no pause.
	awaitThat(ctx, t, func() string { return seen.missing(chaosPartitions) })
	stay := []string{first.txnID, second.txnID}
	var pauses, raw []time.Duration
	for n := range *joins {
		p := lab.measureJoin(ctx, t, program, fmt.Sprintf("C%d", n), stay, seen)
		t.Logf("join %d: %v", n+1, p)
		pauses, raw = append(pauses, p.beyond), append(raw, p.longest)
	}
	produced, took := load.produced.Load(), time.Since(load.start)
	slices.Sort(pauses)
	slices.Sort(raw)
	t.Logf("%d joins at %.0f records/s: pause of an untouched partition beyond normal: median %v, max %v; longest time without a visible result: median %v, max %v",
		len(pauses), float64(produced)/took.Seconds(), pauses[len(pauses)/2].Round(time.Millisecond), pauses[len(pauses)-1].Round(time.Millisecond),
		raw[len(raw)/2].Round(time.Millisecond), raw[len(raw)-1].Round(time.Millisecond))
	if *joins >= enoughJoins && (pauses[len(pauses)/2] > pauseMedianLimit || pauses[len(pauses)-1] > pauseMaxLimit) {
		t.Errorf("pauses %v, want a median of at most %v and a maximum of at most %v", pauses, pauseMedianLimit, pauseMaxLimit)
	}
}

// pause is what one join did.
type pause struct {
	untouched       []int32
	normal, longest time.Duration
	beyond          time.Duration
	joined          time.Duration // from the start of the process to the division
}

func (p pause) String() string {
	return fmt.Sprintf("longest time without a visible result of partitions %v: %v, normally %v; joined after %v",
		p.untouched, p.longest.Round(time.Millisecond), p.normal.Round(time.Millisecond), p.joined.Round(time.Millisecond))
}

// measureJoin starts a worker beside those that stay, and drains it again.
func (l *lab) measureJoin(ctx context.Context, t *testing.T, program, name string, stay []string, seen *visible) pause {
	t.Helper()
	before := l.awaitMembers(ctx, t, "of two", func(ms []member) bool { return len(ms) == 2 })
	idle(ctx, quiet)
	start := time.Now()
	w := l.startWorker(t, program, name)
	l.awaitJoined(ctx, t, 3, stay...)
	p := pause{joined: time.Since(start)}
	after := l.awaitMembers(ctx, t, "of three", func(ms []member) bool { return len(ms) == 3 })
	idle(ctx, quiet)
	end := time.Now()
	for _, b := range before {
		for _, a := range after {
			for _, task := range b.tasks {
				if a.txnID == b.txnID && slices.Contains(a.tasks, task) {
					p.untouched = append(p.untouched, task)
				}
			}
		}
	}
	if len(p.untouched) == 0 {
		t.Fatalf("no partition stayed: %v, %v", before, after)
	}
	for _, task := range p.untouched {
		normal, longest := seen.longest(task, start.Add(-quiet), start), seen.longest(task, start, end)
		if longest == 0 {
			t.Fatalf("nothing of partition %d became visible", task)
		}
		p.longest, p.normal = max(p.longest, longest), max(p.normal, normal)
		p.beyond = max(p.beyond, longest-normal)
	}
	slices.Sort(p.untouched)
	w.drain(ctx, t)
	return p
}

// idle lets time pass for a measurement.
func idle(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// watchResults reads the results as a consumer does.
func (l *lab) watchResults(ctx context.Context, t *testing.T) *visible {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.ConsumeTopics(l.topics.Results),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatalf("make a reader: %v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	seen := &visible{at: make(map[int32][]time.Time)}
	var reading sync.WaitGroup
	reading.Go(func() { seen.run(ctx, client) })
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		client.Close()
	})
	return seen
}

// TestRebalance_StaticRestart: static members that are restarted within their
// session, in turn, make no rebalance: the others get no new assignment, and the
// restarted one gets the tasks it had. Generations are counted in the logs of all.
func TestRebalance_StaticRestart(t *testing.T) {
	t.Parallel()
	const rounds = 6
	brokers := kafkatest.Brokers(t)
	program := buildWorker(t.Context(), t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	lab := newLab(ctx, t, brokers, kafkatest.Name("static"), chaosPartitions)
	names := []string{"A", "B", "C"}
	workers := make([]*worker, len(names))
	start := func(i int) {
		own := *lab
		own.env = append(slices.Clone(lab.env), "PULSE_INSTANCE_ID="+names[i])
		workers[i] = own.startWorker(t, program, names[i])
	}
	for i := range names {
		start(i)
	}
	before := lab.awaitMembers(ctx, t, "of three", func(ms []member) bool {
		return len(ms) == len(names) && !slices.ContainsFunc(ms, func(m member) bool { return len(m.tasks) == 0 })
	})
	last := lab.committedAfter(ctx, t, nil)
	generation := highestGeneration(workers)
	for n := range rounds {
		i := n % len(names)
		if n < rounds/2 {
			workers[i].drain(ctx, t)
		} else {
			workers[i].kill(t)
		}
		start(i)
		last = lab.committedAfter(ctx, t, last)
	}
	if got := highestGeneration(workers); got != generation || generation < 0 {
		t.Errorf("generation %d after %d restarts, want %d as before", got, rounds, generation)
	}
	after := lab.awaitMembers(ctx, t, "of three", func(ms []member) bool { return len(ms) == len(names) })
	for _, b := range before {
		at := slices.IndexFunc(after, func(a member) bool { return a.txnID == b.txnID })
		if at < 0 || !slices.Equal(after[at].tasks, b.tasks) {
			t.Errorf("%s had tasks %v: now the group is %+v", b.txnID, b.tasks, after)
		}
	}
	t.Logf("%d restarts (half of them kill -9): generation %d throughout, no task moved", rounds, generation)
}

// committedAfter sends records and waits for them on every partition: whoever has
// it is at work. It returns where each of them is.
func (l *lab) committedAfter(ctx context.Context, t *testing.T, last map[int32]offset) map[int32]offset {
	t.Helper()
	from := 0
	for _, o := range last {
		from += int(o.offset)
	}
	for n := range 50 * l.partitions {
		if err := l.client.ProduceSync(ctx, l.signal(from+n)).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
	}
	l.awaitEnd(ctx, t)
	return l.committed(ctx, t)
}

// highestGeneration is the newest that any of the workers has said it was given
// tasks in; -1 when none has.
func highestGeneration(workers []*worker) int {
	highest := -1
	for _, w := range workers {
		for _, line := range w.tail() {
			var generation int
			_, rest, found := strings.Cut(line, `"generation":`)
			if !found {
				continue
			}
			if _, err := fmt.Sscan(strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == '}' })[0], &generation); err == nil {
				highest = max(highest, generation)
			}
		}
	}
	return highest
}

//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// logAppendTime makes the broker stamp a topic's records, so that their times tell
// when they were written. The retry tiers have it by themselves.
func (l *lab) logAppendTime(ctx context.Context, t *testing.T, topic string) {
	t.Helper()
	l.setTopic(ctx, t, topic, "message.timestamp.type", "LogAppendTime")
}

// tier names a retry tier.
func (l *lab) tier(n int) string { return fmt.Sprintf("%s.%s.retry.%d", l.topics.Input, l.group, n) }

// scoredTry is what a result says of the try that made it.
type scoredTry struct {
	ID       string
	Name     string
	Attempts int
	External map[string]json.RawMessage
	at       time.Time
}

// eachResult hands out the results, read by a client of another make.
func (l *lab) eachResult(ctx context.Context, t *testing.T, do func(scoredTry)) {
	t.Helper()
	l.each(ctx, t, l.topics.Results, func(r *kgo.Record) {
		got := scoredTry{at: r.Timestamp}
		if err := json.Unmarshal(r.Value, &got); err != nil {
			t.Fatalf("result at %d-%d: %v", r.Partition, r.Offset, err)
		}
		do(got)
	})
}

// tries is what became of every try after the first: when it was not to be made before,
// by the tiers' records, and when its outcome was written, by the broker's clock.
type tries struct {
	due, over map[try]time.Time
	attempts  map[int]int // results by the number of tries
	faults    []string
}

// readTries reads tiers and results of a lab whose results have the broker's times.
func (l *lab) readTries(ctx context.Context, t *testing.T) *tries {
	t.Helper()
	found := &tries{due: make(map[try]time.Time), over: make(map[try]time.Time), attempts: make(map[int]int)}
	for tier := range retryTiers {
		l.each(ctx, t, l.tier(tier+1), func(r *kgo.Record) {
			failed, due := trail(t, r)
			next := try{failed.id, failed.attempt + 1}
			if _, twice := found.due[next]; twice {
				found.faults = append(found.faults, fmt.Sprintf("attempt %d of signal %s waits twice", next.attempt, next.id))
			}
			found.due[next], found.over[failed] = due, r.Timestamp
		})
	}
	l.eachResult(ctx, t, func(r scoredTry) {
		found.attempts[r.Attempts]++
		found.over[try{r.ID, r.Attempts}] = r.at
	})
	return found
}

// trail is the try that a record of a tier has failed in, and when it is due.
func trail(t *testing.T, r *kgo.Record) (failed try, due time.Time) {
	t.Helper()
	_, failed.id, _ = strings.Cut(identity(r.Value), "/")
	for _, h := range r.Headers {
		n, err := strconv.ParseInt(string(h.Value), 10, 64)
		switch {
		case h.Key != "__dlq.errors.delivery.count" && h.Key != "pulse-retry-not-before":
		case err != nil:
			t.Fatalf("header %s of %s: %v", h.Key, failed.id, err)
		case h.Key == "pulse-retry-not-before":
			due = time.UnixMilli(n)
		default:
			failed.attempt = int(n)
		}
	}
	if failed.id == "" || failed.attempt == 0 || due.IsZero() {
		t.Fatalf("record %s-%d offset %d does not say what waits and for how long: %v", r.Topic, r.Partition, r.Offset, r.Headers)
	}
	return failed, due
}

// lateness is how long after it was due each try's outcome was written.
type lateness []time.Duration

func (l lateness) at(share float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(len(l)-1, int(share*float64(len(l))))]
}

// String has the figures.
func (l lateness) String() string {
	return fmt.Sprintf("%d retries: outcome late by p50 %v, p99 %v, max %v", len(l), l.at(0.5), l.at(0.99), l.at(1))
}

// judge fails the test for each try that was made early, by the enricher's clock or
// the broker's, or never, and returns how late the others were.
func (f *tries) judge(t *testing.T, asked map[try]time.Time) lateness {
	t.Helper()
	var late lateness
	early, missing := 0, 0
	for next, due := range f.due {
		at, was := asked[next]
		over, ended := f.over[next]
		switch {
		case !was || !ended:
			missing++
		case at.Before(due) || over.Before(due):
			early++
			t.Errorf("attempt %d of signal %s, due %v, was made %v early", next.attempt, next.id, due, due.Sub(at))
		default:
			late = append(late, over.Sub(due))
		}
	}
	for next := range asked {
		if _, waited := f.due[next]; !waited {
			f.faults = append(f.faults, fmt.Sprintf("attempt %d of signal %s was made without waiting", next.attempt, next.id))
		}
	}
	for _, fault := range f.faults[:min(len(f.faults), mostFaults)] {
		t.Error(fault)
	}
	if missing > 0 {
		t.Errorf("%d retries were never made", missing)
	}
	if len(f.due) == 0 {
		t.Fatal("nothing was tried again: the test proves nothing")
	}
	slices.Sort(late)
	t.Logf("%v; %d early; signals by attempts: %s", late, early, histogram(f.attempts))
	return late
}

func histogram(counts map[int]int) string {
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d: %d", n, counts[n]))
	}
	return strings.Join(parts, ", ")
}

// awaitResults waits until so many results are visible.
func (l *lab) awaitResults(ctx context.Context, t *testing.T, want int) {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.ConsumeTopics(l.topics.Results),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatalf("make a reader: %v", err)
	}
	defer reader.Close()
	for seen := 0; seen < want; {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d results are visible, want %d", seen, want)
		}
		seen += fetches.NumRecords()
	}
}

//go:build integration

package integration_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
)

// The sizes of TestRetries. make retries wants what is promised; a hundredth of it is
// enough to see broken retries in every run of the suite.
var (
	retryRecords = flag.Int("retry-records", 5000, "how many signals TestRetries has while a twentieth of all tries fails")
	retryRounds  = flag.Int("retry-rounds", 1, "how many rounds TestRetries measures with failing series, and as many without")
)

const (
	retriesHangGuard = 15 * time.Minute
	// retryDelays are short, so that a run has many retries; there are as many as by
	// default, because the tiers of a group are known by their number.
	retryDelays = "PULSE_RETRY_DELAYS=500ms,1s,2s,4s"
	retryTiers  = 4
	// onTime is the share of retries that a worker which is not overloaded takes up
	// within 250 ms. Until the outcome is written it takes a transaction more.
	onTime = 0.99
)

// What fails and is tried again, on a real Kafka. One after the other, because parts
// of it measure.
func TestRetries(t *testing.T) { //nolint:paralleltest // measures when it is asked to
	if !*timed {
		t.Parallel()
	}
	brokers := kafkatest.Brokers(t)
	program := buildWorker(t.Context(), t)
	for _, part := range []struct { //nolint:paralleltest // one after the other
		name string
		run  func(context.Context, *testing.T, *lab, string)
	}{
		{"one in twenty tries fails", failAtRandom},
		{"idle ones are on time", idleRetries},
		{"with key order each series keeps its order across a crash", keepOrder},
		{"without it other series do not wait", doNotWait},
	} {
		t.Run(part.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), retriesHangGuard)
			defer cancel()
			lab := newLab(ctx, t, brokers, kafkatest.Name("retries"), chaosPartitions)
			lab.logAppendTime(ctx, t, lab.topics.Results)
			lab.env = []string{retryDelays}
			part.run(ctx, t, lab, program)
		})
	}
}

// startAsking starts a worker that asks the enricher.
func (l *lab) startAsking(t *testing.T, program, name string, e *stub) *worker {
	t.Helper()
	own := *l
	own.env = append(slices.Clone(l.env), e.env(name))
	return own.startWorker(t, program, name)
}

// failAtRandom: while a twentieth of all tries fails, a worker joins, one is killed
// while it makes a retry, and one leaves. Each signal is scored once, and no try is made
// before its time.
func failAtRandom(ctx context.Context, t *testing.T, lab *lab, program string) {
	t.Helper()
	lab.unordered = true
	e := startStub(t, time.Millisecond)
	e.fail(atRandom(5, retryTiers))
	a := lab.startAsking(t, program, "A", e)
	first := lab.awaitJoined(ctx, t, 1)
	b := lab.startAsking(t, program, "B", e)
	second := lab.awaitJoined(ctx, t, 2, first.txnID)
	lasts := max(10*time.Second, time.Duration(*retryRecords)*time.Second/2000)
	load := lab.startLoad(ctx, *retryRecords, lasts+killCycle)

	load.await(ctx, t, 0.2)
	c := lab.startAsking(t, program, "C", e)
	load.last(lasts) // however long that takes
	lab.awaitJoined(ctx, t, 3, first.txnID, second.txnID)
	t.Logf("a third worker has joined after %d of %d signals", load.produced.Load(), load.total)

	load.await(ctx, t, 0.4)
	caught := e.catch(ctx, t, func(q question) bool { return q.worker == "A" && q.attempt > 1 })
	a.kill(t)
	e.awaitGone(ctx, t)
	t.Logf("worker A is killed while it makes attempt %d of signal %s: its enricher was asked and has not answered", caught.attempt, caught.id)
	lab.awaitMembers(ctx, t, "of those that are left", func(ms []member) bool {
		load.last(lasts)
		return len(ms) == 2 && !slices.ContainsFunc(ms, func(m member) bool { return m.txnID == first.txnID })
	})

	load.await(ctx, t, 0.7)
	load.last(lasts)
	c.drain(ctx, t)
	lab.awaitJoined(ctx, t, 1)
	load.finish(t, 0)
	lab.awaitResults(ctx, t, lab.distinct(*retryRecords))
	lab.awaitEnd(ctx, t)
	b.drain(ctx, t)

	book := lab.account(ctx, t)
	t.Logf("ledger:\n%s", book)
	book.expectBalanced(t)
	lab.expectAudit(ctx, t)
	found := lab.readTries(ctx, t)
	found.judge(t, e.tried())
	if _, over := found.over[caught.try]; !over {
		t.Errorf("attempt %d of signal %s, at which the worker was killed, was not made again", caught.attempt, caught.id)
	}
}

// await waits until a share of the load has been produced.
func (p *load) await(ctx context.Context, t *testing.T, share float64) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		if p.produced.Load() < int64(share*float64(p.total)) {
			return fmt.Sprintf("the load is not produced: %d of %d", p.produced.Load(), p.total)
		}
		return ""
	})
}

// distinct is how many signals there are among the first n records.
func (l *lab) distinct(n int) int {
	ids := make(map[string]bool)
	for i := range n {
		ids[identity(l.signal(i).Value)] = true
	}
	return len(ids)
}

// tried is when each try after the first was made first.
func (e *stub) tried() map[try]time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// idleRetries: a worker with little to do makes each retry when it is due.
func idleRetries(ctx context.Context, t *testing.T, lab *lab, program string) {
	t.Helper()
	e := startStub(t, 0)
	e.fail(func(q question) int {
		if q.attempt == 1 {
			return http.StatusTooManyRequests // no outage, however many in a row
		}
		return http.StatusOK
	})
	lab.env = []string{"PULSE_RETRY_DELAYS=1s,2s,4s,8s"}
	w := lab.startAsking(t, program, "A", e)
	lab.awaitJoined(ctx, t, 1)
	signals := max(50, *retryRecords/100)
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	for n := range signals {
		if err := lab.client.ProduceSync(ctx, fresh(lab, n)).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
		<-pace.C
	}
	lab.awaitResults(ctx, t, signals)
	told := w.value(ctx, t, "pulse_retry_lateness_seconds_count")
	soon := w.value(ctx, t, "pulse_retry_lateness_seconds_bucket", `le="0.25"`)
	w.drain(ctx, t)
	late := lab.readTries(ctx, t).judge(t, e.tried())
	t.Logf("by the worker's own metric %.0f of %.0f are at most 250 ms late", soon, told)
	if told != float64(len(late)) {
		t.Errorf("the metric has %.0f retries, there were %d", told, len(late))
	}
	if *timed && soon < onTime*told {
		t.Errorf("%.0f of %.0f retries were taken up within 250 ms, want %.0f %%", soon, told, 100*onTime)
	}
}

// fresh is a signal that no other repeats, its series in one partition.
func fresh(l *lab, n int) *kgo.Record {
	partition, series := n%l.partitions, n/l.partitions%20
	name := fmt.Sprintf("series-%d-%d", partition, series)
	return &kgo.Record{
		Topic: l.topics.Input, Partition: int32(partition), Key: []byte(name),
		Value: fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%d.5,"source":"t"}`, n, name, n%1000),
	}
}

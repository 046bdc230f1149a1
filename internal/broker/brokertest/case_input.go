package brokertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
)

// upstream is a transactional producer of input.
type upstream struct {
	b      *bundle
	client *kgo.Client
}

func (b *bundle) upstream(name string) *upstream {
	b.t.Helper()
	return &upstream{b: b, client: b.newClient(kgo.TransactionalID(b.group + "-" + name))}
}

// open begins a transaction and writes to it.
func (u *upstream) open(records ...*kgo.Record) {
	u.b.t.Helper()
	if err := u.client.BeginTransaction(); err != nil {
		u.b.t.Fatalf("begin transaction: %v", err)
	}
	u.b.sendWith(u.client, records...)
}

// end commits or aborts.
func (u *upstream) end(how kgo.TransactionEndTry) {
	u.b.t.Helper()
	ctx, cancel := context.WithTimeout(u.b.t.Context(), patience)
	defer cancel()
	if err := u.client.EndTransaction(ctx, how); err != nil {
		u.b.t.Fatalf("end transaction: %v", err)
	}
}

// mark makes records of a partition that tell what they are.
func mark(what string, partition int32, n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Partition: partition, Key: []byte("k"), Value: fmt.Appendf(nil, "%s-%d", what, i)}
	}
	return records
}

// abortedInput: records of aborted transactions are not processed, those of
// the same producer's committed ones are, whatever lies between them; control
// markers are not records.
func abortedInput(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	w := b.start()
	one, two := b.upstream("one"), b.upstream("two")
	write := func(u *upstream, how kgo.TransactionEndTry, records []*kgo.Record) {
		u.open(records...)
		u.end(how)
		if how == kgo.TryCommit {
			b.expect(records...)
		}
	}
	for round := range 5 {
		write(one, kgo.TryAbort, mark(fmt.Sprintf("aborted-%d", round), 0, 10))
		write(one, kgo.TryCommit, mark(fmt.Sprintf("committed-%d", round), 0, 10))
		b.send(mark("plain", 0, 3)...)
		// Two open at once, ended in the other order.
		kept, gone := mark("kept", 0, 5), mark("gone", 0, 5)
		one.open(gone...)
		two.open(kept...)
		b.send(mark("between", 0, 2)...)
		two.end(kgo.TryCommit)
		one.end(kgo.TryAbort)
		b.expect(kept...)
	}
	write(two, kgo.TryAbort, mark("nothing but aborted", 1, 20))
	b.verify()
	w.stop()
	// Once more over the whole log, where one fetch sees all of it.
	again := b.sibling()
	again.start()
	again.verify()
}

// sibling is another group with topics of its own over the same input.
func (b *bundle) sibling() *bundle {
	b.t.Helper()
	s := emptyBundle(b.t, b.cluster)
	s.tasks, s.inputs, s.topology.Input = b.tasks, b.inputs, b.topology.Input
	for _, topic := range []string{s.topology.Results, s.topology.DeadLetters, s.topology.State} {
		s.createTopic(topic, s.tasks, nil)
	}
	return s
}

// openInput: an open transaction holds back what lies behind it until it ends,
// and that is nobody's stall.
func openInput(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 1})
	w := b.start(func(s *broker.Settings) { s.StallTimeout = time.Second })
	b.send(mark("before", 0, 5)...)
	b.awaitCommitted()
	u := b.upstream("open")
	held, behind := mark("held", 0, 5), mark("behind", 0, 5)
	u.open(held...)
	b.sendWith(b.client, behind...)
	w.awaitMetric("pulse_consumer_lag_records", float64(len(held)+len(behind)))
	throughout(t, 2500*time.Millisecond, func() string {
		if n := w.recorder.count(0); n != 5 {
			return fmt.Sprintf("%d records processed while a transaction before them is open, want 5", n)
		}
		if err := w.engine.Live(); err != nil {
			return fmt.Sprintf("input that is held back counts as a stall: %v", err)
		}
		if seconds, _ := w.metric("pulse_consumer_lag_seconds"); seconds != 0 {
			return fmt.Sprintf("lag is %v s where nothing can be processed, want 0", seconds)
		}
		return ""
	})
	u.end(kgo.TryCommit)
	b.expect(held...)
	b.expect(behind...)
	b.verify()
}

// idleOffsets: offsets pass markers and aborted records when nothing else
// comes, in one transaction; then there is none at all.
func idleOffsets(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	w := b.start()
	u := b.upstream("markers")
	records := b.plain(20)
	u.open(records...)
	u.end(kgo.TryCommit)
	b.expect(records...)
	u.open(b.plain(20)...)
	u.end(kgo.TryAbort)
	b.verify()
	w.awaitMetric("pulse_consumer_lag_records", 0)
	w.awaitMetric("pulse_consumer_lag_seconds", 0)
	opened := w.network.sent(addPartitionsToTxn)
	throughout(t, 2*time.Second, func() string {
		if n := w.network.sent(addPartitionsToTxn); n != opened {
			return fmt.Sprintf("%d transactions opened while idle", n-opened)
		}
		return ""
	})
}

package brokertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The cases in this file are each about one guard that the others would not
// miss. They tell a missing one by what the engine asks or writes, not by the
// time it takes, so that they go red at once and on any machine
// (integration/controls).

// taskCameBack: a task goes to another member and comes back while a transaction
// with its results is still waiting. The other one has committed the same input:
// what was computed before is void, though the task be ours again.
func taskCameBack(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	old := b.start()
	b.awaitTasks([]*worker{old}, 4)
	b.send(b.plain(100)...)
	b.awaitCommitted()
	f := old.network.arm(addPartitionsToTxn, holdBefore)
	b.send(b.plain(100)...)
	await(t, "before AddPartitionsToTxn", f.fired)
	other := b.start()
	eventually(t, func() string { return doneByNewOwner(b, other) })
	other.stop()
	eventually(t, func() string { return differ("tasks of the first member", []int{old.assigned()}, []int{4}) })
	f.release()
	b.send(b.plain(100)...)
	b.verify()
}

// deadIsFenced: a member dies with a transaction open. Whoever takes its tasks
// fences it before asking for their offsets, in place of asking until the
// broker's time-out.
func deadIsFenced(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	dying, other := b.start(longTransactions), b.start(longTransactions)
	b.awaitTasks([]*worker{dying, other}, 2, 2)
	b.send(b.plain(100)...)
	b.awaitCommitted()
	f := dying.network.arm(endTxn, dieBefore)
	b.send(b.plain(100)...)
	await(t, "before EndTxn", f.fired)
	asked := other.network.sent(offsetFetch)
	dying.kill()
	b.awaitFence(other, offsetFetch, asked+4)
	b.verify()
}

// hungIsFenced: a living member keeps a transaction open and does not end it.
// Whoever takes one of its tasks waits a moment, then fences it.
func hungIsFenced(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	old := b.start(longTransactions)
	b.awaitTasks([]*worker{old}, 4)
	b.send(b.plain(100)...)
	b.awaitCommitted()
	f := old.network.arm(txnOffsetCommit, holdBefore)
	b.send(b.plain(100)...)
	await(t, "before TxnOffsetCommit", f.fired)
	// Two restores ask four times a second, for two seconds.
	b.awaitFence(b.start(longTransactions), fetch, 50)
	f.release()
	b.verify()
}

// awaitFence waits until a worker has fenced somebody, and fails when it has
// made more requests of an API than it needs until then.
func (b *bundle) awaitFence(w *worker, api int16, most int) {
	b.t.Helper()
	eventually(b.t, func() string {
		if n, _ := w.metric("pulse_fenced_total"); n > 0 {
			return ""
		}
		if n := w.network.sent(api); n > most {
			b.t.Fatalf("%d requests of API %d and nobody is fenced, want at most %d", n, api, most)
		}
		return "nobody is fenced"
	})
}

// heldState: a transaction of somebody else holds back the end of the state
// partitions, so that the last records of the former owner, though committed,
// are not stable when a task is taken; as when their markers come late. A restore
// that ends with what is stable misses them: it must reach our own owner record,
// which lies behind them.
func heldState(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	first := b.start()
	b.send(b.plain(100)...)
	b.awaitCommitted()
	holder := b.upstream("holder")
	// A key of the engine's: it is no part of the task's state.
	holder.open(
		&kgo.Record{Topic: b.topology.State, Partition: 0, Key: []byte("\x00held")},
		&kgo.Record{Topic: b.topology.State, Partition: 1, Key: []byte("\x00held")},
	)
	b.send(b.plain(100)...)
	b.awaitCommitted()
	first.stop()
	second := b.start()
	// One that does not wait has read all it will by the second fetch of each.
	eventually(t, func() string {
		if n := second.network.sent(fetch); n < 6 {
			return fmt.Sprintf("the new owner has fetched %d times", n)
		}
		return ""
	})
	holder.end(kgo.TryCommit)
	b.verifyRestored(second, judgement{})
	b.send(b.plain(100)...)
	b.verify()
}

// addedFirst: nothing is written before the broker has said that the partitions
// are in the transaction; directly after the one before it would land there.
func addedFirst(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	w := b.start()
	b.send(b.plain(100)...)
	b.awaitCommitted()
	f := w.network.arm(addPartitionsToTxn, holdBefore)
	written := w.network.sent(produce)
	b.send(b.plain(100)...)
	await(t, "before AddPartitionsToTxn", f.fired)
	throughout(t, time.Second, func() string {
		if n := w.network.sent(produce); n > written {
			return fmt.Sprintf("%d requests to write while AddPartitionsToTxn is not answered", n-written)
		}
		return ""
	})
	f.release()
	b.verify()
}

package brokertest

import (
	"fmt"
	"testing"
	"time"

	"pulse-scorer/internal/broker"
)

// point is a place in a transaction where something happens to a worker.
type point struct {
	name string
	api  int16
	do   action
}

// crashInATransaction: a member dies at every step of a transaction. The other
// one takes its tasks over; nothing is lost, nothing comes twice, and it takes
// no longer than the session time-out and a second.
func crashInATransaction(t *testing.T, c Cluster) {
	points := []point{
		{"before AddPartitionsToTxn", addPartitionsToTxn, dieBefore},
		{"partitions added", addOffsetsToTxn, dieAfter},
		{"before Produce", produce, dieBefore},
		{"produced", produce, dieAfter},
		{"before TxnOffsetCommit", txnOffsetCommit, dieBefore},
		{"offsets accepted", txnOffsetCommit, dieAfter},
		{"before EndTxn", endTxn, dieBefore},
		{"committed, answer lost", endTxn, dieAfter},
	}
	bundles := make([]*bundle, len(points))
	died := make([]time.Time, len(points))
	for i, p := range points {
		b := newBundle(t, c, layout{})
		bundles[i] = b
		dying, other := b.start(longTransactions), b.start(longTransactions)
		b.awaitTasks([]*worker{dying, other}, 2, 2)
		b.send(b.plain(100)...)
		b.awaitCommitted()
		f := dying.network.arm(p.api, p.do)
		b.send(b.plain(100)...)
		await(t, p.name, f.fired)
		died[i] = time.Now()
		dying.kill()
	}
	for i, b := range bundles {
		b.awaitCommitted()
		took := time.Since(died[i])
		t.Logf("%s: all committed %v after the crash", points[i].name, took.Round(time.Millisecond))
		// Eight takeovers at once, beside all other cases: the promised second is for TestChaos to hold, one after the
		// other. Here it is enough that nobody waits for the transaction time-out, which is out of a slow machine's reach.
		if limit := sessionTimeout + longTransaction; c.FencesForGood && took > limit {
			t.Errorf("%s: %v until the successor had done everything, want at most %v", points[i].name, took, limit)
		}
		b.verify()
	}
}

// longTransaction is a transaction time-out that nobody can sit out by chance.
const longTransaction = time.Minute

func longTransactions(s *broker.Settings) { s.TransactionTimeout = longTransaction }

// zombie: a member whose network stands still beyond its session, in the middle
// of a transaction, and moves again when others have its tasks: what it still
// sends has no effect, and then it is a member like any other.
func zombie(t *testing.T, c Cluster) {
	points := []point{
		{"before AddPartitionsToTxn", addPartitionsToTxn, freezeBefore},
		{"before Produce", produce, freezeBefore},
		{"before TxnOffsetCommit", txnOffsetCommit, freezeBefore},
		{"before EndTxn", endTxn, freezeBefore},
	}
	type frozen struct {
		*bundle

		worker *worker
	}
	var all []frozen
	for _, p := range points {
		b := newBundle(t, c, layout{})
		w := b.start()
		b.send(b.plain(100)...)
		b.awaitCommitted()
		f := w.network.arm(p.api, p.do)
		b.send(b.plain(100)...)
		await(t, p.name, f.fired)
		all = append(all, frozen{b, w})
	}
	var successors []*worker
	for _, z := range all {
		successors = append(successors, z.start())
	}
	for i, z := range all {
		z.awaitCommitted() // by the successor, after the session
		z.send(z.plain(50)...)
		z.awaitCommitted()
		before := z.committed()
		sent := z.worker.network.sent(points[i].api)
		z.worker.network.thaw()
		// It is back when it has heard that it is none any more, and joined.
		z.awaitTasks([]*worker{z.worker, successors[i]}, 2, 2)
		if wrong := differ(points[i].name+": offsets after the thaw", z.committed(), before); wrong != "" {
			t.Error(wrong)
		}
		t.Logf("%s: thawed, %d such requests since the freeze", points[i].name, z.worker.network.sent(points[i].api)-sent+1)
		z.send(z.plain(50)...)
		z.verify()
	}
}

// zombieInTakeover: a new member's network stands still beyond its session while
// it takes tasks. They go back to the member that had them; what the other still
// sends when it moves again has no effect.
func zombieInTakeover(t *testing.T, c Cluster) {
	points := []point{
		{"before InitProducerId", initProducerID, freezeBefore},
		{"before Produce of the owner record", produce, freezeBefore},
		{"before TxnOffsetCommit", txnOffsetCommit, freezeBefore},
		{"before EndTxn", endTxn, freezeBefore},
	}
	bundles := make([]*bundle, len(points))
	old, taking := make([]*worker, len(points)), make([]*worker, len(points))
	for i, p := range points {
		b := newBundle(t, c, layout{})
		bundles[i] = b
		old[i] = b.start()
		b.send(b.plain(100)...)
		b.awaitCommitted()
		var f *fault
		taking[i], f = b.startArmed(p.api, p.do)
		await(t, p.name, f.fired)
		b.send(b.plain(50)...)
	}
	for i, b := range bundles {
		b.awaitTasks([]*worker{old[i]}, 4) // when the session has passed
		b.awaitCommitted()
		before := b.committed()
		taking[i].network.thaw()
		b.awaitTasks([]*worker{old[i], taking[i]}, 2, 2)
		if wrong := differ(points[i].name+": offsets after the thaw", b.committed(), before); wrong != "" {
			t.Error(wrong)
		}
		b.send(b.plain(50)...)
		b.verify()
	}
}

// livingOwner: tasks are taken from a member that lives and has a transaction
// with them open. Either its transaction counts, and the new owner goes on after
// it, or the new owner's work does; never both.
func livingOwner(t *testing.T, c Cluster) {
	ready := func(_ *bundle, w *worker) string {
		if err := w.engine.Ready(); err != nil {
			return err.Error()
		}
		return differ("tasks of the new member", []int{w.assigned()}, []int{2})
	}
	for _, p := range []struct {
		name string
		api  int16
		// until says what must have happened before the request goes on.
		until func(*bundle, *worker) string
	}{
		{"before AddPartitionsToTxn, until the new owner has done its part", addPartitionsToTxn, doneByNewOwner},
		{"before EndTxn, while the new owner waits for stable offsets", endTxn, func(_ *bundle, w *worker) string {
			// One that does not wait has claimed the tasks by then.
			if n := w.network.sent(offsetFetch); n < 4 && w.network.sent(endTxn) == 0 {
				return fmt.Sprintf("the new owner has asked %d times for offsets", n)
			}
			return ""
		}},
		{"before EndTxn, until the new owner has fenced", endTxn, ready},
		{"before TxnOffsetCommit, until the new owner has fenced", txnOffsetCommit, ready},
	} {
		b := newBundle(t, c, layout{})
		old := b.start()
		b.awaitTasks([]*worker{old}, 4)
		b.send(b.plain(100)...)
		b.awaitCommitted()
		f := old.network.arm(p.api, holdBefore)
		b.send(b.plain(100)...)
		await(t, p.name, f.fired)
		successor := b.start()
		eventually(t, func() string { return p.until(b, successor) })
		before := old.transactionsEnded()
		f.release()
		t.Logf("released: %s", p.name)
		eventually(t, func() string {
			if old.transactionsEnded() == before {
				return "the transaction that was held has no outcome"
			}
			return ""
		})
		// More input: should that one have committed without its offsets, or with
		// old ones, they would not come to the end of the input otherwise.
		b.send(b.plain(100)...)
		b.verify()
		b.awaitTasks([]*worker{old, successor}, 2, 2)
		b.send(b.plain(100)...)
		b.verify()
	}
}

// doneByNewOwner waits until a member has committed all input of two tasks.
func doneByNewOwner(b *bundle, w *worker) string {
	taken := w.recorder.taken()
	if len(taken) != 2 {
		return fmt.Sprintf("the new owner has tasks %v", taken)
	}
	committed, ends := b.committed(), b.ends()
	for id := range taken {
		if committed[id] != ends[id] {
			return fmt.Sprintf("task %d is committed to %d of %d", id, committed[id], ends[id])
		}
	}
	return ""
}

// lostAnswers: each request of a transaction is lost, or its answer is, or its
// answer does not come; the engine finds out what happened and goes on.
func lostAnswers(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	w := b.start(func(s *broker.Settings) { s.TransactionTimeout = 1500 * time.Millisecond })
	b.send(b.plain(100)...)
	b.awaitCommitted()
	stop := b.traffic() // so that the next batch is under way when one fails
	for _, r := range []struct {
		name string
		api  int16
		how  []action
	}{
		{"AddPartitionsToTxn", addPartitionsToTxn, []action{loseRequest, loseAnswer, swallowAnswer}},
		{"AddOffsetsToTxn", addOffsetsToTxn, []action{loseRequest, loseAnswer, swallowAnswer}},
		{"Produce", produce, []action{loseRequest, loseAnswer, swallowAnswer}},
		{"TxnOffsetCommit", txnOffsetCommit, []action{loseRequest, loseAnswer, swallowAnswer}},
		{"EndTxn", endTxn, []action{loseRequest, loseAnswer, swallowAnswer}},
		{"Fetch", fetch, []action{loseRequest, loseAnswer}},
		{"Heartbeat", heartbeat, []action{loseRequest, loseAnswer}},
	} {
		for _, how := range r.how {
			f := w.network.arm(r.api, how)
			await(t, fmt.Sprintf("%s, fault %d", r.name, how), f.fired)
		}
	}
	// While the outcome is being found out, that is lost as well.
	for _, how := range []action{loseRequest, loseAnswer} {
		first, second := w.network.arm(endTxn, loseAnswer), w.network.arm(initProducerID, how)
		await(t, "EndTxn", first.fired)
		await(t, "InitProducerID", second.fired)
	}
	stop()
	b.verify()
}

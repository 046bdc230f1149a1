package brokertest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// joinSoon has the member join, beside what the test does.
func (h *handmade) joinSoon() (joined <-chan error) {
	done := make(chan error, 1)
	go func() { done <- h.join() }()
	return done
}

func (h *handmade) must(what string, err error) {
	h.b.t.Helper()
	if err != nil {
		h.b.t.Fatalf("hand-made member: %s: %v", what, err)
	}
}

// awaitRebalance heartbeats until the group wants everybody to join.
func (h *handmade) awaitRebalance() {
	h.b.t.Helper()
	eventually(h.b.t, func() string {
		if err := h.heartbeat(); !errors.Is(err, kerr.RebalanceInProgress) {
			return "the group does not rebalance"
		}
		return ""
	})
}

// sharedWithTodaysFormat: during a rolling update members of both versions are in
// one group. One of version 1, made by hand, follows an engine, then leads it; it
// takes a task, and dies with a transaction open, which the engine has to find by
// the names that version 1 writes.
func sharedWithTodaysFormat(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	old := b.handmade("old")
	old.must("join", old.join())
	if !old.leads {
		t.Fatal("the first member does not lead")
	}
	_, err := old.sync(map[string][]int32{old.txnID: {0, 1, 2, 3}})
	old.must("sync", err)

	// It leads: the engine is a follower.
	w := b.start()
	old.awaitRebalance()
	old.must("join", old.join())
	txnIDs, err := old.sync(map[string][]int32{old.txnID: {0, 1}, "": {2, 3}})
	old.must("sync", err)
	if others := old.others(txnIDs); len(others) != 1 {
		t.Fatalf("members are %v, want one beside %s", txnIDs, old.txnID)
	}
	b.awaitTasks([]*worker{w}, 2)
	b.send(on(b.plain(100), 2, 3)...)
	b.awaitCommittedOf(2, 3)
	old.must("claim a task", old.claim(0, 0, true))

	// Leave, and come as a follower of the engine.
	old.must("leave", old.leave())
	b.awaitTasks([]*worker{w}, 4)
	b.send(b.plain(100)...)
	b.awaitCommitted()
	again := b.handmade("again")
	again.must("join", again.join())
	if again.leads {
		t.Fatal("the second member leads")
	}
	txnIDs, err = again.sync(nil)
	again.must("sync", err)
	if len(again.tasks) != 2 || len(again.others(txnIDs)) != 1 {
		t.Fatalf("follows with tasks %v among %v, want two tasks and one other member", again.tasks, txnIDs)
	}
	b.awaitTasks([]*worker{w}, 2)
	b.expectTaken(w, again.tasks)
	for _, task := range again.tasks {
		again.must("die in a transaction", again.claim(task, b.committed()[task], false))
		break
	}
	again.must("leave", again.leave())
	b.awaitTasks([]*worker{w}, 4)
	b.send(b.plain(100)...)
	b.verify()
	if n, _ := w.metric("pulse_fenced_total"); n < 2 {
		t.Errorf("%v former owners fenced, want both hand-made members", n)
	}
}

// expectTaken: what the engine has and what the other one has do not overlap.
func (b *bundle) expectTaken(w *worker, theirs []int32) {
	b.t.Helper()
	var mine []int32
	for id := range b.tasks {
		if !slices.Contains(theirs, id) {
			mine = append(mine, id)
		}
	}
	b.send(on(b.plain(100), mine...)...)
	b.awaitCommittedOf(mine...)
	for _, id := range mine {
		if w.recorder.count(id) == 0 {
			b.t.Errorf("task %d is with nobody", id)
		}
	}
}

// workDuringRebalance: a member that joined and does not sync, then one that does
// not join, keep the group between two generations. What the engine keeps goes on:
// its batches commit under the generation in hand, until the new one is made.
func workDuringRebalance(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	w := b.start()
	b.awaitTasks([]*worker{w}, 4)
	h := b.handmade("slow")
	h.must("join", h.join())
	_, err := h.sync(nil)
	h.must("sync", err)
	b.awaitTasks([]*worker{w}, 2)
	before := w.recorder.anew()
	var kept []int32
	for id := range b.tasks {
		if !slices.Contains(h.tasks, id) {
			kept = append(kept, id)
		}
	}
	// A third member makes the group rebalance; the slow one does not join, so
	// the JoinGroups of the engine and of the third are not answered.
	third := b.handmade("third")
	joined := third.joinSoon()
	h.awaitRebalance()
	for range 5 {
		b.send(on(b.plain(40), kept...)...)
		b.awaitCommittedOf(kept...)
	}
	select {
	case err := <-joined:
		t.Fatalf("the group has not waited for the slow member: %v", err)
	default:
	}
	h.must("leave", h.leave())
	select {
	case err := <-joined:
		third.must("join", err)
	case <-time.After(patience):
		t.Fatal("the third member is not in the group")
	}
	_, err = third.sync(nil)
	third.must("sync", err)
	third.must("leave", third.leave())
	b.awaitTasks([]*worker{w}, 4)
	b.send(b.plain(40)...)
	b.verify()
	after := w.recorder.taken()
	for _, id := range kept {
		if w.recorder.anew()[id] != before[id] {
			t.Errorf("kept task %d was read anew in a rebalance: taken %v times", id, after[id])
		}
	}
}

package broker

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Under steady traffic there is always some lag. Between two batches nothing is
// known of its age, and the time since lag was first seen, hours ago, was shown.
func TestLagSeconds_OfSteadyTrafficIsItsRecords(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_700_000_000_000)
	w := &task{source: newSource(0)}
	if got := w.lagSeconds(5, start); got != 0 {
		t.Errorf("lag that was seen just now is %v s old, want 0", got)
	}
	now := start.Add(time.Hour)
	w.open = openBatch{records: 1, next: offsets{8}, oldestMs: now.Add(-time.Second).UnixMilli()}
	if got := w.lagSeconds(5, now); got != 1 {
		t.Errorf("lag of an open batch is %v s old, want 1", got)
	}
	w.open = openBatch{}
	if got := w.lagSeconds(5, now.Add(time.Second)); got != 2 {
		t.Errorf("lag between two batches is %v s old, want 2: as old as what was known last", got)
	}
	if got := w.lagSeconds(0, now.Add(time.Second)); got != 0 {
		t.Errorf("no lag is %v s old, want 0", got)
	}
}

// When a broker came back after longer than the stall time-out, the service was
// not alive at once, although there had been nothing that it could have done.
func TestLive_CountsFromTheEndOfAHold(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	const stall = 30 * time.Second
	e := &Engine{health: newHealth(func() time.Time { return now }, stall)}
	e.health.assigned(true, 0)
	e.health.answered()
	pass := func(d time.Duration) {
		for end := now.Add(d); now.Before(end); now = now.Add(tick) {
			e.health.work(true)
		}
	}
	pass(time.Minute) // no broker answers
	e.health.answered()
	if err := e.Live(); err != nil {
		t.Errorf("not alive when the broker is back: %v", err)
	}
	for range 32 {
		pass(time.Second)
		e.health.answered()
	}
	if e.Live() == nil {
		t.Error("alive after 32 s without progress while brokers answered")
	}
}

// The start of the log was asked for, and the task was rewound meanwhile: it
// wants what it was rewound to.
func TestOnReset_OfAnEarlierPositionIsVoid(t *testing.T) {
	t.Parallel()
	e := newIdleEngine(t)
	w := e.newTask(3)
	w.phase, w.committed, w.base, w.position = phaseRunning, 40, 40, 50
	e.tasks[3] = w
	asked := offsetReset{task: w, source: &w.source, epoch: w.epoch, start: 7}
	w.rewind()
	e.onReset(asked)
	if w.position != 40 || w.open.next != nil {
		t.Errorf("goes on at %d and will commit %v, want 40 and nothing", w.position, w.open.next)
	}
	e.onReset(offsetReset{task: w, source: &w.source, epoch: w.epoch, start: 7})
	if w.position != 7 || w.open.next.at(0) != 7 {
		t.Errorf("goes on at %d and will commit %v, want 7 and 7", w.position, w.open.next)
	}
}

// What happened to a task that was released meanwhile is not ours to die of.
func TestOnRestored_OfAReleasedTaskIsIgnored(t *testing.T) {
	t.Parallel()
	e := newIdleEngine(t)
	w := e.newTask(3)
	failed := restored{task: w, err: fatalf("state of task 3 is broken")}
	if err := e.onRestored(failed); err != nil {
		t.Errorf("%v, want nothing", err)
	}
	e.tasks[3] = w
	if err := e.onRestored(failed); err == nil {
		t.Error("a broken state of a task of ours is ignored")
	}
}

// While a batch is being committed, retention passes what comes after it. If the
// batch is rolled back, its records are asked for again: they are not passed over
// without a word.
func TestOnReset_DoesNotPassOverWhatIsBeingCommitted(t *testing.T) {
	t.Parallel()
	e := newIdleEngine(t)
	e.metrics = newMetrics(prometheus.NewRegistry())
	w := e.newTask(3)
	w.phase, w.committed, w.base, w.position = phaseRunning, 40, 40, 50
	e.tasks[3] = w
	p := &part{task: 3, worker: w, before: offsets{40}, next: offsets{50}, records: 10}
	e.txn = &transaction{parts: []*part{p}}
	e.onReset(offsetReset{task: w, source: &w.source, epoch: w.epoch, start: 70})
	e.rollBack(w, p)
	if w.position != 40 {
		t.Errorf("goes on at %d after the rollback, want 40", w.position)
	}
}

// A task was given up when a topic was made again: the others are taken anew, and
// it waits for the next generation.
func TestRenew_LeavesATaskThatWasGivenUp(t *testing.T) {
	t.Parallel()
	e := newIdleEngine(t)
	e.current = &generation{id: 1, tasks: []int32{3}}
	e.stopClaim, e.renewing = func(error) {}, true
	e.renew()
	if e.renewing || len(e.tasks) > 0 {
		t.Errorf("renewing %v with %d tasks, want done with none", e.renewing, len(e.tasks))
	}
}

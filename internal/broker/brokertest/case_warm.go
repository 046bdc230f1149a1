package brokertest

import (
	"errors"
	"testing"
	"time"

	"pulse-scorer/internal/broker"
)

// warmState: tasks go to another member, who works on them, and come back: their
// state is continued, not read anew, and what the other one did is in it. Results
// carry a hash over everything before them, so a state that lacks something gives
// wrong ones.
func warmState(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	one := b.start()
	b.awaitTasks([]*worker{one}, 4)
	b.send(b.plain(200)...)
	b.awaitCommitted()
	for range 2 {
		two := b.start()
		b.awaitTasks([]*worker{one, two}, 2, 2)
		b.send(b.plain(200)...)
		b.awaitCommitted()
		two.stop()
		b.awaitTasks([]*worker{one}, 4)
		b.send(b.plain(100)...)
		b.awaitCommitted()
	}
	b.verify()
	taken := one.recorder.taken()
	twice := 0
	for id, n := range one.recorder.anew() {
		if n != 1 {
			t.Errorf("the state of task %d was read from its beginning %d times, want once", id, n)
		}
		if taken[id] == 3 {
			twice++
		}
	}
	if twice != 2 {
		t.Errorf("tasks were taken %v times, want two of them three times", taken)
	}
	one.stop()
}

// stalledTask: a record path that does not return holds one task. Another member
// gets it, the others go on, the process is not alive any more, and it ends all the
// same when it is told to.
func stalledTask(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	stall := func(s *broker.Settings) { s.StallTimeout = 2 * time.Second }
	one := b.start(stall)
	b.awaitTasks([]*worker{one}, 4)
	b.send(b.plain(100)...)
	b.awaitCommitted()
	release := one.recorder.holdTask(1)
	t.Cleanup(release)
	b.send(b.plain(100)...)
	// Alone in its group it takes the task anew, and stalls again.
	one.awaitMetric("pulse_stalled_tasks_total", 1)
	two := b.start()
	b.awaitTasks([]*worker{two}, 2)
	b.awaitCommitted()
	if two.recorder.taken()[1] == 0 {
		t.Errorf("the other member has tasks %v, want the stalled task 1 among them", two.recorder.taken())
	}
	if one.engine.Live() == nil {
		t.Error("a process whose task has stalled is alive")
	}
	if got := one.engine.Status().Stalled; len(got) == 0 || got[0] != 1 {
		t.Errorf("status shows stalled tasks %v, want task 1", got)
	}
	one.cancel()
	await(t, "an engine with a stalled task does not end", one.ended)
	if one.err != nil && !errors.Is(one.err, broker.ErrFatal) {
		t.Errorf("ended with %v", one.err)
	}
	b.send(b.plain(50)...)
	b.verify()
}

package broker

import (
	"log/slog"
	"time"
)

// couldGoOn tells whether a task has something to do, and nothing keeps it from
// doing it that is known and not its own: the broker is away, its batch waits for
// the outcome of a transaction, or others fill the memory.
func (e *Engine) couldGoOn(t *task, now time.Time) bool {
	switch {
	case e.draining || !t.ready() || t.held || e.health.brokerAway(now):
		return false
	case e.txn != nil && e.txn.holds(t) && e.txn.sealing[t.id] == nil:
		// Also when it hangs computing what comes next
		// (TestStall_ABatchOnItsWayEndsBeforeItsTaskIsGivenUp).
		return false
	case t.working:
		return true
	case e.txn != nil && (e.txn.holds(t) || t.open.records > 0):
		return false // one transaction at a time: what it has computed waits for its turn
	case t.open.records > 0 || t.couldProcess(now):
		return e.openBytes() < e.set.MaxInflightBytes/2
	default:
		return t.couldFetch(now)
	}
}

// couldFetch tells whether there is something to fetch that is due.
func (t *task) couldFetch(now time.Time) bool {
	for s := range t.each() {
		if s.stable > s.position && !s.away && !now.Before(s.due) {
			return true
		}
	}
	return false
}

// releaseStalled gives up the tasks that have made no progress for the stall
// time-out although they could. Another member gets them, if there is one; else
// they come back and are taken anew, with a record path of their own. What has
// stalled is abandoned: its worker may never answer. From then on the service is
// not alive (Live): whatever holds one task may hold more, and a restart is the
// only sure end of it (suite: Stall_TaskGoesToAnotherMember).
func (e *Engine) releaseStalled(now time.Time) {
	released := false
	for _, t := range e.tasks {
		if t.movedAt.IsZero() || !e.couldGoOn(t, now) {
			t.movedAt = now
			continue
		}
		idle := now.Sub(t.movedAt)
		if idle <= e.set.StallTimeout {
			continue
		}
		e.log.Error("a task makes no progress though it has work: it is given up, and this process wants to be restarted (PULSE_STALL_TIMEOUT)",
			slog.Int("task", int(t.id)), slog.Duration("idle", idle.Round(time.Millisecond)), slog.Bool("in_record_path", t.working),
			slog.Int64("position", t.position), slog.Int64("committed", t.committed))
		e.metrics.stalled.Inc()
		t.cold, released = true, true
		e.drop(t, "stalled")
		if t.working {
			t.abandon()
		}
		e.health.stalledTask(t.id)
		e.member.giveUp(t.id)
	}
	if released {
		e.health.assigned(e.current != nil, e.restoring())
	}
}

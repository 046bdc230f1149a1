package broker

import (
	"math/rand/v2"
	"time"
)

// Retry tiers have no consumers of their own, and nothing is paused or resumed: a
// tier is a source beside the input whose next record says when it is due
// (pulse-retry-not-before). Not-before times of a tier never go back within a task,
// so nothing behind that record is due any sooner. Three things follow from it:
//
//   - a worker stops at a record that is not due and tells when it will be;
//   - what is due later than fetchAhead is given back, and fetched again then: a tier
//     that waits takes no memory, and no fetch;
//   - the loop wakes when the next one is due.
//
// TestWorker_StopsAtWhatIsNotDue, Tiers_EachSignalIsScoredOnceAndNoneEarly.
const (
	// fetchAhead is how long before it is due the next record of a tier is fetched.
	// The long poll under way must end before, and on a busy machine one takes longer.
	fetchAhead = 4 * fetchWait
	// crowdedPause is how long the input waits when as many records wait in tiers or
	// are parked as may, before it is tried again.
	crowdedPause = 100 * time.Millisecond
	// heldPause is how long a task waits for its external enrichers between two
	// questions whether it may go on, give or take half of it: tasks that wait together
	// must not always ask in the same order, because only the first may be answered.
	heldPause = 500 * time.Millisecond
)

// next is the source that a task works at next: each in turn of those that have
// something that is due, so that neither a flood of retries nor one of the input
// keeps the other waiting (TestNext_TakesTurns).
func (t *task) next(now time.Time) *source {
	n := len(t.tiers) + 1
	for i := range n {
		tier := (t.turn + 1 + i) % n
		if s := t.of(tier); s.ready(now) {
			t.turn = tier
			return s
		}
	}
	return nil
}

// couldProcess tells whether a task has something that is due.
func (t *task) couldProcess(now time.Time) bool {
	for s := range t.each() {
		if s.ready(now) {
			return true
		}
	}
	return false
}

// notDue leaves a source alone until its next record is due.
func (s *source) notDue(due, now time.Time, next int64) {
	s.due = due
	if s.tier > 0 && due.Sub(now) > fetchAhead {
		s.dropQueue(nil)
		s.position = next
	}
}

// wakeWhenDue sets the loop's clock to the next record that is at hand and becomes due.
func (e *Engine) wakeWhenDue(now time.Time) {
	var soonest time.Time
	sooner := func(at time.Time) {
		if at.After(now) && (soonest.IsZero() || at.Before(soonest)) {
			soonest = at
		}
	}
	for _, t := range e.tasks {
		if !t.ready() {
			continue
		}
		if t.held {
			sooner(t.askAgain)
			continue
		}
		for s := range t.each() {
			if len(s.queue) > 0 {
				sooner(s.due)
			}
		}
	}
	if soonest.IsZero() || soonest.Equal(e.wakeAt) {
		return
	}
	e.wakeAt = soonest
	e.wake.Reset(soonest.Sub(now))
}

// wakeBy sets the loop's clock to a time unless it goes off earlier.
func (e *Engine) wakeBy(at, now time.Time) {
	if e.wakeAt.IsZero() || at.Before(e.wakeAt) {
		e.wakeAt = at
		e.wake.Reset(at.Sub(now))
	}
}

// askHeld has a task that waits for its external enrichers ask again, when it is time.
func (t *task) askHeld(now time.Time) bool {
	if !t.held || t.working || now.Before(t.askAgain) {
		return false
	}
	t.order(order{kind: orderFinish})
	return true
}

// takesMore: a task whose record path is held is given more of the input, until a batch
// waits. The signals that wait may be ones that an enricher fails for, while it would
// answer about others (Tiers_SignalsThatFailDoNotStopTheOthers).
func (t *task) takesMore(now time.Time) bool { return t.held && !t.full && t.source.ready(now) }

// hold notes whether a task's record path may go on. While it may not, no clock of
// its tiers runs out: what becomes due is processed afterwards, and its lateness
// counts from then. full goes with held: it is given nothing more.
func (t *task) hold(held, full bool, now time.Time) {
	if held {
		t.askAgain = now.Add(heldPause/2 + rand.N(heldPause)) //nolint:gosec // jitter, nothing to guess
	}
	if t.held && !held {
		t.freeSince = now
	}
	t.full = held && (t.full || full)
	t.held = held
}

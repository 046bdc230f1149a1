package broker

import (
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
	// Two long polls fit in: the one under way must end before.
	fetchAhead = 2 * fetchWait
	// crowdedPause is how long the input waits when as many records wait in tiers or
	// are parked as may, before it is tried again.
	crowdedPause = 100 * time.Millisecond
	// heldPause is how long a task waits for its external enrichers between two
	// questions whether it may go on.
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

// askHeld has tasks that wait for their external enrichers ask again.
func (t *task) askHeld(now time.Time) {
	if t.held && !t.working && !now.Before(t.askAgain) {
		t.order(order{kind: orderFinish})
	}
}

// hold notes whether a task's record path may go on. While it may not, no clock of
// its tiers runs out: what becomes due is processed afterwards, and its lateness
// counts from then.
func (t *task) hold(held bool, now time.Time) {
	if held {
		t.askAgain = now.Add(heldPause)
	}
	if t.held && !held {
		t.freeSince = now
	}
	t.held = held
}

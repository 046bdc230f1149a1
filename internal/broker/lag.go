package broker

import (
	"slices"
	"strconv"
	"time"
)

// observe brings lag and health up to date, once a tick.
func (e *Engine) observe(now time.Time) {
	if now.Sub(e.observed) < tick {
		return
	}
	e.observed = now
	e.noteTopics()
	e.askEnds(now)
	pending, held := false, false
	seconds := make(map[int32]float64, len(e.tasks))
	for _, t := range e.tasks {
		if t.phase == phaseClaiming || t.end < 0 {
			continue
		}
		records := t.lag()
		seconds[t.id] = t.lagSeconds(records, e.committer.clock.at(now))
		e.metrics.lag(e.set.Topics.Input, t.id, records, seconds[t.id])
		if !t.ready() {
			continue
		}
		// What an open upstream transaction holds back is lag, and nothing
		// that could be fetched.
		held = held || t.held
		for s := range t.each() {
			pending = pending || s.pending(now)
		}
	}
	e.health.waitForEnrichers(held)
	e.health.work(pending)
	e.observeTiers()
	e.describe(seconds, now)
	e.observeRestores(now)
	e.expireWarm(now)
	e.releaseStalled(now)
}

// describe keeps what /status shows.
func (e *Engine) describe(lagSeconds map[int32]float64, now time.Time) {
	tasks := make([]TaskStatus, 0, len(e.tasks))
	for _, t := range e.tasks {
		tasks = append(tasks, t.status(lagSeconds[t.id]))
	}
	slices.SortFunc(tasks, func(a, b TaskStatus) int { return int(a.Partition - b.Partition) })
	done := Throughput{Records: e.done.total, PerSecond: e.done.perSecond(now)}
	e.health.change(func() { e.health.tasks, e.health.done = tasks, done })
}

// observeTiers shows how much waits in each tier.
func (e *Engine) observeTiers() {
	for tier := 1; tier < e.set.Topics.sources(); tier++ {
		waiting := int64(0)
		for _, t := range e.tasks {
			if t.ready() {
				waiting += t.of(tier).behind()
			}
		}
		e.metrics.retryPending.WithLabelValues(strconv.Itoa(tier)).Set(float64(waiting))
	}
}

// behind is the distance from the group's offset to the end.
func (s *source) behind() int64 { return max(0, s.end-s.base) }

// lag is what the group has still to commit: the end of the partition as the
// broker last told it, which is at most endTTL ago, minus the committed offset, as
// Kafka's own tools count (TestLag_AgreesWithKafkasOwnTool).
func (t *task) lag() int64 { return t.behind() }

// lagSeconds is the age of the oldest record that is not committed and can be
// processed: what an open transaction upstream holds back cannot. Before it
// has been read nobody knows its timestamp; then it is the time since lag was
// first seen. now is the brokers' (brokerClock).
func (t *task) lagSeconds(records int64, now time.Time) float64 {
	if records == 0 || t.stable >= 0 && t.stable <= t.base {
		t.behindSince = time.Time{}
		return 0
	}
	if t.behindSince.IsZero() {
		t.behindSince = now
	}
	oldest := t.behindSince
	switch {
	case t.sealedOldest > 0:
		oldest = time.UnixMilli(t.sealedOldest)
	case t.open.records > 0:
		oldest = time.UnixMilli(t.open.oldestMs)
	}
	// Until the next one has been read, the last known one stands for it.
	t.behindSince = oldest
	return max(0, now.Sub(oldest).Seconds())
}

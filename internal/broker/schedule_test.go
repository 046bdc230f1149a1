package broker

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

func sourcesLab(t *testing.T, tiers int) (*Engine, *task) {
	t.Helper()
	e := newIdleEngine(t)
	e.metrics = newMetrics(prometheus.NewRegistry())
	for range tiers {
		e.set.Topics.Retry = append(e.set.Topics.Retry, RetryTier{Topic: "tier"})
	}
	w := e.newTask(3)
	w.phase = phaseRunning
	e.tasks[3] = w
	return e, w
}

// The input and the tiers take turns, so that none of them keeps another waiting; what
// is not due is passed over.
func TestNext_TakesTurns(t *testing.T) {
	t.Parallel()
	_, w := sourcesLab(t, 2)
	now := time.Now()
	if w.next(now) != nil {
		t.Fatal("there is something to do in a task that has nothing")
	}
	for s := range w.each() {
		s.queue = []*chunk{{tier: s.tier}}
	}
	got := make(map[int]int)
	for range 30 {
		got[w.next(now).tier]++
	}
	if got[0] != 10 || got[1] != 10 || got[2] != 10 {
		t.Errorf("turns of 30: %v, want 10 each", got)
	}
	w.of(1).due = now.Add(time.Millisecond)
	for range 30 {
		if w.next(now).tier == 1 {
			t.Fatal("a tier is worked at before its next record is due")
		}
	}
	if w.of(1).ready(now.Add(time.Millisecond)) != true {
		t.Error("a tier is not worked at when its next record is due")
	}
}

// What is due late takes no memory, and is fetched again in time.
func TestNotDue_GivesBackWhatWaitsLong(t *testing.T) {
	t.Parallel()
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	_, w := sourcesLab(t, 1)
	now := time.Now()
	for name, c := range map[string]struct {
		due  time.Duration
		kept bool
	}{
		"soon": {fetchAhead / 2, true},
		"late": {time.Hour, false},
	} {
		s := w.of(1)
		s.queue, s.queued, s.position = []*chunk{{tier: 1, bytes: 9, buf: mem.buffer(9)}}, 9, 20
		s.notDue(now.Add(c.due), now, 7)
		switch kept := len(s.queue) > 0; {
		case kept != c.kept:
			t.Errorf("due %s: kept is %v", name, kept)
		case !kept && (s.position != 7 || s.queued != 0):
			t.Errorf("due %s: goes on at %d with %d bytes, want 7 and none", name, s.position, s.queued)
		}
		if !c.kept && (s.wanted(now) || !s.wanted(now.Add(c.due-fetchAhead))) {
			t.Errorf("due %s: wanted now is %v, ahead of its time %v", name, s.wanted(now), s.wanted(now.Add(c.due-fetchAhead)))
		}
		s.queue, s.queued, s.due = nil, 0, time.Time{}
	}
}

// The input's chunk stays when the input has to wait: it is tried again soon.
func TestOnProcessed_AnInputThatWaitsStaysFetched(t *testing.T) {
	t.Parallel()
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	e, w := sourcesLab(t, 1)
	c := &chunk{next: 5, bytes: 9, buf: mem.buffer(9)}
	w.queue, w.queued, w.working, w.processing = []*chunk{c}, 9, true, c
	w.begin(5, 5)
	w.taken = 5
	e.onReply(reply{task: w, kind: orderProcess, chunk: c, next: 5, stop: true, due: e.deps.Now().Add(crowdedPause)})
	if len(w.queue) != 1 || w.open.next != nil || w.ready() && w.source.ready(e.deps.Now()) {
		t.Errorf("%d chunks, batch to %v, ready %v; want the chunk to wait", len(w.queue), w.open.next, w.source.ready(e.deps.Now()))
	}
}

// A held task is not sealed, and asks again after a while. It takes more of the input
// until a batch waits, and nothing of the tiers.
func TestHold_KeepsATaskFromEverything(t *testing.T) {
	t.Parallel()
	e, w := sourcesLab(t, 1)
	now := e.deps.Now()
	for s := range w.each() {
		s.queue = []*chunk{{tier: s.tier}}
	}
	w.open = openBatch{records: 3, next: offsets{9, noOffset}, since: now.Add(-time.Hour)}
	w.hold(true, false, now)
	if w.mayBeSealed() {
		t.Error("a held batch may be sealed")
	}
	if ps := e.fetchable(now); len(ps) != 1 || ps[0].source.tier != 0 || !w.takesMore(now) {
		t.Errorf("with room in its batch it fetches from %d sources, takes more: %v; want more of the input", len(ps), w.takesMore(now))
	}
	w.hold(true, true, now)
	w.hold(true, false, now) // it asked again; what waits is the same
	if len(e.fetchable(now)) != 0 || w.takesMore(now) {
		t.Error("more is fetched for, or given to, a task whose batch is full and held")
	}
	if w.askHeld(now) || w.working {
		t.Error("it is asked again at once")
	}
	if !w.askHeld(now.Add(2*heldPause)) || !w.working {
		t.Error("it is not asked again")
	}
	for s := range w.each() {
		s.queue = nil
	}
	w.hold(false, false, now.Add(time.Minute))
	if !w.freeSince.Equal(now.Add(time.Minute)) || len(e.fetchable(now)) != 2 {
		t.Error("after the hold it does not go on")
	}
}

// A record of a tier is not given to the record path before its time.
func TestWorker_StopsAtWhatIsNotDue(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	var late []float64
	w := &worker{now: func() time.Time { return now }, lateness: func(s float64) { late = append(late, s) }, before: make(map[int]time.Time)}
	record := func(tier int, ms string) *pipeline.Record {
		return &pipeline.Record{Tier: tier, TimestampMs: 1_600_000_000_000, Headers: []pipeline.Header{{Key: "pulse-retry-not-before", Value: []byte(ms)}}}
	}
	for ms, want := range map[string]bool{"1700000000000": true, "1699999999000": true, "1700000000001": false, "soon": true} {
		var r reply
		if got := w.due(record(1, ms), &r, time.Time{}); got != want || r.stop == want {
			t.Errorf("not before %s: taken %v, stopped %v; want %v", ms, got, r.stop, want)
		}
	}
	late = nil
	w.due(record(2, "1699999990000"), new(reply), now.Add(-time.Second))
	if len(late) != 1 || late[0] != 1 {
		t.Errorf("ten seconds late, nine of them held: lateness %v, want 1", late)
	}
	late = nil
	w.due(record(3, "1699999998000"), new(reply), time.Time{})
	w.due(record(3, "1699999990000"), new(reply), time.Time{})
	if len(late) != 2 || late[1] != 2 {
		t.Errorf("due ten seconds ago, behind one that was due two seconds ago: lateness %v, want 2", late)
	}
	late = nil
	redriven := record(4, "1600000000000")
	redriven.TimestampMs = now.UnixMilli() - 500
	w.due(redriven, new(reply), time.Time{})
	if len(late) != 1 || late[0] != 0.5 {
		t.Errorf("due three years ago, and in the tier for half a second: lateness %v, want 0.5", late)
	}
}

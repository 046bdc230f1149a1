package broker

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"
)

// follow has transactions follow each other at once, with markers that take as long as
// take says, and returns how often the coordinator was asked and how long was waited
// beyond the markers, each on average.
func follow(m *markers, rounds int, take func() time.Duration) (asked, late float64) {
	at := time.Unix(1_700_000_000, 0)
	m.ended(at, markersSeen{})
	for range rounds {
		written, open := at.Add(take()), at
		if m.written.After(open) {
			open = m.written
		}
		open = open.Add(200 * time.Microsecond) // closing batches, and the question's way
		seen := markersSeen{asked: 1}
		for open.Before(written) {
			open = open.Add(firstPause + 200*time.Microsecond)
			seen.asked++
		}
		seen.after = open.Sub(at)
		asked += float64(seen.asked) / float64(rounds)
		late += open.Sub(written).Seconds() * 1000 / float64(rounds)
		at = open.Add(3 * time.Millisecond)
		m.ended(at, seen)
	}
	return asked, late
}

func TestMarkers_AreWaitedForAboutAsLongAsTheyTake(t *testing.T) {
	t.Parallel()
	about := func(least, most time.Duration) func() time.Duration {
		random := rand.New(rand.NewPCG(1, 2))
		return func() time.Duration { return least + time.Duration(random.Int64N(int64(most-least))) }
	}
	var m markers
	follow(&m, 30, about(3*time.Millisecond, 4*time.Millisecond))
	asked, late := follow(&m, 300, about(3*time.Millisecond, 4*time.Millisecond))
	if asked > 1.5 || late > 0.7 {
		t.Errorf("markers of 3 to 4 ms: asked %.2f times, %.2f ms late", asked, late)
	}
	follow(&m, 150, about(300*time.Microsecond, 500*time.Microsecond))
	if _, late = follow(&m, 300, about(300*time.Microsecond, 500*time.Microsecond)); late > 0.7 {
		t.Errorf("markers that take a tenth of what they took: %.2f ms late", late)
	}
}

func TestMarkers_ABrokerThatHangsDoesNotMakeTheNextOnesWait(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	var m markers
	for range 100 {
		m.ended(at, markersSeen{after: time.Minute, asked: 300})
	}
	if wait := m.written.Sub(at); wait > longestMarkers {
		t.Errorf("waits for %v", wait)
	}
	once := markers{typical: 2 * time.Millisecond}
	if once.ended(at, markersSeen{after: time.Minute, asked: 300}); once.typical > 3*time.Millisecond {
		t.Errorf("one that took a minute makes the next one wait for %v", once.typical)
	}
	for range 50 {
		m.ended(at, markersSeen{after: time.Hour, asked: 1}) // it was idle: nothing to learn
	}
	if wait := m.written.Sub(at); wait != longestMarkers {
		t.Errorf("waits for %v after transactions that say nothing", wait)
	}
}

func TestBegin_WaitsForMarkersBeforeItClosesBatches(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	begun := func(written time.Time) (*Engine, bool) {
		e := &Engine{
			set:   Settings{CommitInterval: 100 * time.Millisecond, MaxInflightBytes: 8 << 20},
			tasks: make(map[int32]*task), current: &generation{}, log: slog.New(slog.DiscardHandler),
			wake: time.NewTimer(time.Hour), markers: markers{written: written},
		}
		e.tasks[0] = &task{
			phase: phaseRunning, orders: make(chan order, 1), source: source{committed: 0},
			open: openBatch{next: offsets{9}, records: 9, bytes: 99, since: now},
		}
		e.begin(now)
		return e, e.txn != nil
	}
	if e, ok := begun(now.Add(time.Millisecond)); ok || !e.wakeAt.Equal(now.Add(time.Millisecond)) {
		t.Errorf("begun %v, wakes at %v", ok, e.wakeAt)
	}
	if _, ok := begun(now); !ok {
		t.Error("not begun although the markers are written")
	}
}

package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

type change struct{ key, value []byte }

// world drives one Task and its naive twin.
type world struct {
	t        *testing.T
	rng      *rand.Rand
	settings Settings
	task     *Task
	// standby is a warm copy that reads the changelog some batches late.
	standby    *Task
	standbyLag []change

	open, sealed, committed naive
	hasSealed               bool
	batch                   []change // what the sealed batch wrote
	changelog               map[string][]byte
	whole                   []change
	clockMs                 int64
	identities, series      int
	shape                   shape
	burst                   int // signals at once, at most
	evictions, merges       int
	deltas, steps, lessons  int
	longestPauseMs          int64
	// vary: each worker has settings of its own, as while a change of them is
	// rolled out.
	vary    bool
	largest int // segment size of any
	swaps   int
	waits   int
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	w := &world{
		t: t, rng: rng,
		settings: Settings{
			DedupeWindow: time.Duration(1+rng.IntN(4)) * time.Second,
			DedupeMaxIDs: 50 + rng.IntN(3000), WindowSize: 1 + rng.IntN(12), MemorySize: 1 + rng.IntN(6),
		},
		open: newNaive(), sealed: newNaive(), committed: newNaive(),
		changelog: map[string][]byte{}, clockMs: 1000,
		identities: 200 + rng.IntN(4000), series: 1 + rng.IntN(8),
		burst: 600,
		// Small enough that a few hundred IDs go through all merges.
		shape: shape{closeAt: 1 + rng.IntN(6), fanOut: 2 + rng.IntN(3), largest: 20 + rng.IntN(200)},
	}
	if seed%4 == 1 {
		w.shape = production()
	}
	if seed%2 == 0 { // segments are merged more than they age
		w.settings.DedupeWindow *= 30
		w.settings.DedupeMaxIDs = 400 + rng.IntN(1000)
		w.identities = 3 * w.settings.DedupeMaxIDs
		w.series *= 30
		w.burst, w.shape.closeAt, w.shape.largest = 40, 1+rng.IntN(3), 30+rng.IntN(100)
	}
	if seed/2%2 == 1 { // a profile without a window
		w.settings.WindowSize = 0
		w.series = min(w.series, 40) // a series is compared as a whole
	}
	w.vary = seed%3 == 0
	w.task, w.standby = w.fresh(), w.fresh()
	return w
}

func (w *world) fresh() *Task {
	var key [16]byte
	binary.LittleEndian.PutUint64(key[:], w.rng.Uint64())
	settings := w.settings
	if w.vary {
		settings.DedupeMaxIDs = max(20, settings.DedupeMaxIDs>>w.rng.IntN(4))
		settings.DedupeWindow = max(500*time.Millisecond, settings.DedupeWindow>>w.rng.IntN(3))
	}
	task, err := New(settings, key)
	if err != nil {
		w.t.Fatal(err)
	}
	task.shape = w.shape
	w.largest = max(w.largest, task.segmentSize())
	return task
}

// signal does to both what the record path does with one signal.
func (w *world) signal() {
	identity := "id-" + strconv.Itoa(w.rng.IntN(w.identities))
	content := "content-" + strconv.Itoa(w.rng.IntN(2))
	w.task.CountIn()
	w.open.ledger["in"]++
	id, verdict := w.task.Look([]byte(identity), []byte(content))
	if want := w.open.verdict(identity, content); verdict != want {
		w.t.Fatalf("Look(%s, %s) = %v, want %v", identity, content, verdict, want)
	}
	switch verdict {
	case Duplicate:
		w.task.CountDuplicate()
		w.open.ledger["duplicate"]++
	case Conflict:
		w.task.CountDead(pulse.IDConflict)
		w.open.ledger[string(pulse.IDConflict)]++
	case Waiting:
		w.tryAgain(id, identity)
	case Unseen, Died:
		if w.rng.IntN(6) == 0 {
			w.await(id, identity, content)
			return
		}
		w.remember(id, identity, content)
	}
}

func (w *world) remember(id ID, identity, content string) {
	w.observe()
	w.task.Remember(id, Scored)
	w.open.ids[identity] = naiveID{content: content, status: Scored, bornMs: -1}
	if w.rng.IntN(8) > 0 {
		w.task.CountScored()
		w.open.ledger["scored"]++
		w.learn()
		return
	}
	// A later stage fails: its changes go, those of ingest stay.
	mark, before := w.task.Mark(), w.open.cloneWithoutIDs()
	w.observe()
	w.learn()
	if w.hasSealed && w.rng.IntN(4) == 0 {
		w.commit()
	}
	w.task.CountScored()
	w.task.Undo(mark)
	before.ids = w.open.ids
	w.open = before
	w.task.Remember(id, Dead)
	w.open.ids[identity] = naiveID{content: content, status: Dead, bornMs: -1}
	w.task.CountDead(pulse.StagePanic)
	w.open.ledger[string(pulse.StagePanic)]++
}

func (w *world) key() seriesKey { return worldSeries(w.rng.IntN(w.series)) }

// worldSeries are series with keys of many lengths, those of rowKey.text among them.
func worldSeries(n int) seriesKey {
	return seriesKey{strconv.Itoa(n % 2), "series" + strconv.Itoa(n) + strings.Repeat("-", 5*n%31)}
}

func (w *world) observe() {
	k, v := w.key(), w.rng.Float64()
	if w.settings.WindowSize == 0 {
		w.advance(k, v)
		return
	}
	w.open.windows[k] = appendLast(w.open.windows[k], v, w.settings.WindowSize)
	if got := w.task.Observe(k.source, k.name, v); !slices.Equal(got, w.open.windows[k]) {
		w.t.Fatalf("Observe(%v) = %v, want %v", k, got, w.open.windows[k])
	}
}

func (w *world) learn() {
	if w.rng.IntN(3) > 0 {
		return
	}
	k, v := w.key(), randomValue(w.rng, 2)
	w.open.memory[k] = appendLast(w.open.memory[k], v, w.settings.MemorySize)
	if !w.task.Learn(k.source, k.name, v) {
		w.t.Fatalf("Learn refused %v", v)
	}
}

func (w *world) seal() {
	w.clockMs += int64(w.rng.IntN(400)) - 20 // sometimes back
	if w.rng.IntN(200) == 0 {
		w.clockMs -= int64(w.rng.IntN(5000))
	}
	changed := !reflect.DeepEqual(w.open, w.committed)
	w.batch = nil
	last := w.task.committed.segments.clockMs
	if last > 0 && changed {
		w.longestPauseMs = max(w.longestPauseMs, w.clockMs-last)
	}
	w.task.Seal(w.clockMs, func(key, value []byte) {
		w.batch = append(w.batch, change{bytes.Clone(key), bytes.Clone(value)})
	})
	if changed != (len(w.batch) > 0) {
		w.t.Fatalf("batch changed something: %v, but wrote %d records", changed, len(w.batch))
	}
	if now := w.task.cur.segments.clockMs; now < last {
		w.t.Fatalf("commit clock went back from %d to %d", last, now)
	}
	w.checkBatch()
	w.expire()
	w.sealed, w.hasSealed = w.open.clone(), true
}

// checkBatch: no key is written twice, and nothing that has not changed.
func (w *world) checkBatch() { //nolint:cyclop // a table of kinds
	seen := map[string]bool{}
	for _, c := range w.batch {
		switch {
		case c.key[0] == kindDelta:
			w.deltas++
		case c.key[0] == kindSteps:
			w.steps++
		case c.key[0] == kindLessons:
			w.lessons++
		case c.key[0] == kindSeries || c.key[0] == kindSource || c.key[0] == kindModel:
		case c.key[0] == kindSegment && c.value != nil:
			if len(c.value) > 64+w.largest*(entryBytes+2) {
				w.t.Fatalf("segment of %d bytes, want at most %d IDs", len(c.value), w.largest)
			}
		case c.key[0] == kindPending || c.key[0] == kindParked:
			w.waits++
		case c.value == nil && binary.BigEndian.Uint64(c.key[2:]) >= w.task.cur.segments.floor:
			w.merges++
		}
		same := c.value != nil && bytes.Equal(c.value, w.changelog[string(c.key)])
		if seen[string(c.key)] || same && c.key[0] != kindBounds {
			w.t.Fatalf("key %q is written twice (%v) or unchanged (%v)", c.key, seen[string(c.key)], same)
		}
		seen[string(c.key)] = true
	}
}

// expire takes out of the model what the batch evicted, after checking that it
// was due.
func (w *world) expire() {
	c := w.task.cur.segments
	for identity, held := range w.open.ids {
		if held.bornMs < 0 && len(w.batch) > 0 {
			held.bornMs = c.clockMs
			w.open.ids[identity] = held
		}
	}
	full := len(w.open.ids) > w.task.settings.DedupeMaxIDs
	windowMs := w.task.settings.DedupeWindow.Milliseconds()
	latest := c.clockMs - windowMs - w.settings.DedupeWindow.Milliseconds()/8 - 2*w.longestPauseMs
	for identity, held := range w.open.ids {
		id, _ := w.task.Look([]byte(identity), nil)
		s := w.task.ids.table.get(id.hash)
		if !segmentBefore(s.meta, c.floor) {
			if held.bornMs < latest && len(w.batch) > 0 {
				w.t.Fatalf("%s from %d is still there at %d, window %d ms", identity, held.bornMs, c.clockMs, windowMs)
			}
			continue
		}
		if held.bornMs > c.clockMs-windowMs && !full {
			w.t.Fatalf("%s from %d is evicted at %d, window %d ms, %d IDs", identity, held.bornMs, c.clockMs, windowMs, len(w.open.ids))
		}
		w.evictions++
		delete(w.open.ids, identity)
	}
}

func (w *world) commit() {
	w.task.Commit()
	w.committed, w.hasSealed = w.sealed, false
	for _, c := range w.batch {
		w.whole = append(w.whole, c)
		w.standbyLag = append(w.standbyLag, c)
		if c.value == nil {
			delete(w.changelog, string(c.key))
		} else {
			w.changelog[string(c.key)] = c.value
		}
	}
}

func (w *world) rollback() {
	w.task.Rollback()
	w.open, w.hasSealed = w.committed.clone(), false
	w.compare("after rollback", w.task, w.committed)
	if n := w.task.Stats().IDs; n != len(w.committed.ids) {
		w.t.Fatalf("%d IDs after rollback, want %d", n, len(w.committed.ids))
	}
}

// restored returns a new Task with the committed changelog.
func (w *world) restored(c compaction) *Task {
	task := w.fresh()
	w.feed(task, w.log(c))
	return task
}

func (w *world) feed(task *Task, changes []change) {
	for _, c := range changes {
		if err := task.Restore(c.key, c.value); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := task.Restored(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) compare(when string, task *Task, want naive) {
	w.t.Helper()
	for i := range w.identities {
		identity := "id-" + strconv.Itoa(i)
		for _, content := range []string{"content-0", "content-1"} {
			if _, got := task.Look([]byte(identity), []byte(content)); got != want.verdict(identity, content) {
				w.t.Fatalf("%s: %s with %s is %v, want %v", when, identity, content, got, want.verdict(identity, content))
			}
		}
	}
	for i := range w.series {
		k := worldSeries(i)
		if got := task.windows.view(k.source, k.name); !slices.Equal(got, want.windows[k]) {
			w.t.Fatalf("%s: window %v is %v, want %v", when, k, got, want.windows[k])
		}
		if got := task.Memory(k.source, k.name).List; !slices.EqualFunc(got, want.memory[k], equalValues) {
			w.t.Fatalf("%s: memory %v is %v, want %v", when, k, got, want.memory[k])
		}
	}
	w.compareSeries(when, task, want)
	if got := len(task.windows.byKey); got != len(want.windows) {
		w.t.Fatalf("%s: %d windows, want %d", when, got, len(want.windows))
	}
	w.compareQueues(when, task, want)
	if got := countsOf(task.Ledger()); !maps.Equal(got, want.ledger) {
		w.t.Fatalf("%s: ledger %v, want %v", when, got, want.ledger)
	}
}

func countsOf(l Ledger) map[string]uint64 {
	counts := map[string]uint64{"in": l.In, "scored": l.Scored, "duplicate": l.Duplicate, "pending": l.Pending}
	for _, d := range l.Dead {
		counts[string(d.Class)] = d.Count
	}
	maps.DeleteFunc(counts, func(_ string, n uint64) bool { return n == 0 })
	return counts
}

func (w *world) compareRestored(c compaction) *Task {
	task := w.restored(c)
	w.compare(fmt.Sprintf("restored, compaction %d", c), task, w.committed)
	got, want := task.committed.segments, w.task.committed.segments
	got.evicted, want.evicted = Evictions{}, Evictions{}
	got.settledEnd, want.settledEnd = 0, 0 // either is right
	if got != want {
		w.t.Fatalf("restored segments are %+v, want %+v", got, want)
	}
	wantSegments, segments := len(w.task.ids.closed), 0
	if want.filled > 0 {
		wantSegments++
	}
	for key := range w.changelog {
		if key[0] == kindSegment {
			segments++
		}
	}
	if segments != wantSegments {
		w.t.Fatalf("changelog has %d segments, want %d", segments, wantSegments)
	}
	if n := task.Stats().IDs; n != len(w.committed.ids) {
		w.t.Fatalf("%d IDs restored, want %d", n, len(w.committed.ids))
	}
	return task
}

// catchUp feeds the standby what it has not read, and sometimes what it has.
func (w *world) catchUp() {
	if w.rng.IntN(3) == 0 {
		from := max(0, len(w.whole)-len(w.standbyLag)-w.rng.IntN(500))
		w.standbyLag = slices.Clone(w.whole[from:])
	}
	w.feed(w.standby, w.standbyLag)
	w.standbyLag = nil
	w.compare("standby", w.standby, w.committed)
	if got := w.standby.Stats().IDs; got != len(w.committed.ids) {
		w.t.Fatalf("standby knows %d IDs, want %d", got, len(w.committed.ids))
	}
}

func (w *world) step() {
	switch n := w.rng.IntN(100); {
	case n < 40:
		for range 1 + w.rng.IntN(5) {
			w.signal()
		}
	case n < 45:
		for range w.rng.IntN(w.burst) {
			w.signal()
		}
	case n < 65 && !w.hasSealed:
		w.seal()
	case n < 85 && w.hasSealed:
		w.commit()
	case n < 90:
		w.rollback()
	case n < 93:
		w.catchUp()
	case n < 94:
		w.catchUp()
		w.rollback()
		w.task, w.standby = w.standby, w.task // the warm copy goes on
		w.swaps++
	case n < 97:
		task := w.compareRestored(compaction(w.rng.IntN(3)))
		if w.rng.IntN(2) == 0 { // another worker goes on
			w.task, w.open, w.hasSealed = task, w.committed.clone(), false
		}
	}
}

func TestTask_BehavesLikeNaiveModel(t *testing.T) { //nolint:tparallel // its runs add up evictions
	t.Parallel()
	var evictions, merges, deltas, steps, lessons, swaps, waits int
	for seed := range uint64(26) { //nolint:paralleltest // they add up evictions
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 1000 {
				w.step()
			}
			w.compare("at the end", w.task, w.open)
			w.rollback()
			for c := range compacting + 1 {
				w.compareRestored(c)
			}
			evictions += w.evictions
			merges += w.merges
			deltas += w.deltas
			steps += w.steps
			lessons += w.lessons
			swaps += w.swaps
			waits += w.waits
		})
	}
	if evictions < 1000 || merges < 300 || deltas < 1000 || steps < 1000 || lessons < 300 || swaps < 100 || waits < 1000 {
		t.Errorf("only %d IDs were evicted, %d segments merged away, %d deltas, %d steps and %d lessons written, %d times a warm copy went on, %d records of what waits: the model did not test them",
			evictions, merges, deltas, steps, lessons, swaps, waits)
	}
}

package state

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pulse-scorer/internal/pulse"
)

func TestSettings_ValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Settings{WindowSize: -1, MemorySize: memorySlots + 1}, [16]byte{})
	for _, want := range []string{"PULSE_DEDUPE_WINDOW", "PULSE_DEDUPE_MAX_IDS", "window size", "memory size"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want it to name %s", err, want)
		}
	}
	if err := testSettings().Validate(); err != nil {
		t.Error(err)
	}
}

func TestSeal_WritesTheHashKeyUntilItIsCommitted(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	keys := func() (n int) {
		task.CountIn()
		task.Seal(1, func(key, _ []byte) {
			if key[0] == kindHashKey {
				n++
			}
		})
		return n
	}
	for i, want := range []int{1, 1, 0} {
		if got := keys(); got != want {
			t.Errorf("batch %d wrote %d hash keys, want %d", i, got, want)
		}
		if i == 0 {
			task.Rollback()
		} else {
			task.Commit()
		}
	}
}

func TestSeal_WritesNothingForABatchThatTookAllBack(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	m := task.Mark()
	id, _ := task.Look([]byte("a"), nil)
	task.Remember(id, Scored)
	task.Observe("s", "n", 1)
	task.Learn("s", "n", pulse.Value{})
	task.CountDead(pulse.StagePanic)
	task.Undo(m)
	if out := sealed(task, 1); len(out) != 0 {
		t.Errorf("wrote %d records", len(out))
	}
	if s := task.Stats(); s.IDs+s.Series+s.Streams != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// The record path overlaps batches: the answer for the sealed one may come
// while a record of the open one is under way.
func TestUndo_ReachesAcrossACommit(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	task.Observe("s", "n", 1)
	task.Seal(1, func(_, _ []byte) {})
	task.Observe("s", "n", 2)
	m := task.Mark()
	task.Observe("s", "n", 3)
	task.Commit()
	task.Undo(m)
	if got := task.Observe("s", "n", 4); len(got) != 3 || got[1] != 2 {
		t.Errorf("window = %v, want 1 2 4", got)
	}
}

func TestTask_PanicsWhenBatchesAreMixedUp(t *testing.T) {
	t.Parallel()
	nothing := func(_, _ []byte) {}
	tests := []struct {
		name string
		do   func(*Task)
	}{
		{"commit without seal", func(task *Task) { task.Commit() }},
		{"two seals", func(task *Task) { task.Seal(1, nothing); task.Seal(2, nothing) }},
		{"mark of the sealed batch", func(task *Task) { m := task.Mark(); task.Seal(1, nothing); task.Undo(m) }},
		{"mark from before a rollback", func(task *Task) { m := task.Mark(); task.Rollback(); task.Undo(m) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			test.do(newTask(t, testSettings()))
		})
	}
}

// Signals share memory with the fetch buffer, which is used again.
func TestTask_KeepsNoBytesOfTheRecord(t *testing.T) {
	t.Parallel()
	buffer := []byte("source/name/text")
	at := func(from, to int) string { return unsafe.String(&buffer[from], to-from) }
	task := newTask(t, testSettings())
	task.Observe(at(0, 6), at(7, 11), 1)
	task.Learn(at(0, 6), at(7, 11), pulse.ObjectValue(pulse.Member{Name: at(12, 16), Value: pulse.StringValue(at(12, 16))}))
	task.CountDead(pulse.Class(at(12, 16)))
	clear(buffer)
	if got := task.Observe("source", "name", 2); len(got) != 2 {
		t.Errorf("window = %v", got)
	}
	want := pulse.ObjectValue(pulse.Member{Name: "text", Value: pulse.StringValue("text")})
	if got := task.Memory("source", "name").List; len(got) != 1 || !equalValues(got[0], want) {
		t.Errorf("memory = %v", got)
	}
	if got := task.Ledger().Dead[0].Class; got != "text" {
		t.Errorf("class = %q", got)
	}
}

func rememberMany(task *Task, from, to uint32) {
	for i := from; i < to; i++ {
		id, _ := task.Look(binary.BigEndian.AppendUint32(nil, i), nil)
		task.Remember(id, Scored)
	}
}

func TestSeal_EvictsTheOldestByCount(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 6400
	task := newTask(t, s)
	const batch, batches = 500, 40
	for i := range uint32(batches) {
		rememberMany(task, i*batch, (i+1)*batch)
		sealed(task, int64(1000+i))
		if got := task.Stats().IDs; got > s.DedupeMaxIDs+batch {
			t.Fatalf("%d IDs held, bound %d", got, s.DedupeMaxIDs)
		}
	}
	got := task.Stats()
	if got.IDs < s.DedupeMaxIDs*7/8 || got.Evictions.ByTime != 0 || int(got.Evictions.ByCount)+got.IDs != batch*batches {
		t.Errorf("%d IDs held, evicted %+v", got.IDs, got.Evictions)
	}
	// 6,400 IDs are the last 12.8 batches, 1 ms apart.
	if got.DedupeWindow < 10*time.Millisecond || got.DedupeWindow > 14*time.Millisecond {
		t.Errorf("effective window %v", got.DedupeWindow)
	}
	for i := uint32(batch*batches - 5600); i < batch*batches; i++ {
		if _, v := task.Look(binary.BigEndian.AppendUint32(nil, i), nil); v != Duplicate {
			t.Fatalf("ID %d is %v", i, v)
		}
	}
}

func TestSeal_EvictsByTheCommitClockAlone(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 100_000 // each batch below is a segment of its own
	task := newTask(t, s)
	hour := time.Hour.Milliseconds()
	now := 1_800_000_000_000
	rememberMany(task, 0, 100)
	sealed(task, int64(now))
	// A clock that jumps back does not count, and does not make IDs younger.
	rememberMany(task, 100, 200)
	sealed(task, int64(now)-24*hour)
	rememberMany(task, 200, 300)
	sealed(task, int64(now)+hour-1)
	if got := task.Stats(); got.IDs != 300 || got.DedupeWindow != time.Hour {
		t.Errorf("before the window has passed: %+v", got)
	}
	rememberMany(task, 300, 301)
	sealed(task, int64(now)+hour)
	if got := task.Stats(); got.IDs != 101 || got.Evictions.ByTime != 200 || got.DedupeWindow != time.Hour {
		t.Errorf("after the window has passed: %+v", got)
	}
}

// Without new IDs the newest segment is not rewritten, and must expire all the
// same.
func TestSeal_EvictsTheNewestSegmentToo(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	rememberMany(task, 0, 5)
	sealed(task, 1)
	for i := range int64(30) {
		task.CountIn()
		sealed(task, 1+i*time.Hour.Milliseconds()/10)
	}
	if got := task.Stats(); got.IDs != 0 || got.Evictions.ByTime != 5 {
		t.Errorf("two windows later: %+v", got)
	}
}

// A slow task writes one segment again and again, not one per batch.
func TestSeal_SmallBatchesShareASegment(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	keys := map[string]bool{}
	closeAt := production().closeAt
	for i := range uint32(2 * closeAt) {
		rememberMany(task, i, i+1)
		for _, c := range sealed(task, int64(i+1)) {
			if c.key[0] == kindSegment {
				keys[string(c.key)] = true
				if len(c.value) > 24+closeAt*entryBytes {
					t.Fatalf("value of %d bytes", len(c.value))
				}
			}
		}
	}
	if len(keys) != 2 {
		t.Errorf("%d segments for %d IDs, want 2", len(keys), 2*closeAt)
	}
}

func TestSeal_KeepsValuesUnderTheBrokersLimit(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 1_000_000
	task := newTask(t, s)
	rememberMany(task, 0, 100_000)
	for _, c := range sealed(task, 1) {
		if len(c.key)+len(c.value) > 512<<10 {
			t.Errorf("record of kind %c has %d bytes", c.key[0], len(c.value))
		}
	}
}

func TestTask_DoesNotAllocateForKnownSeries(t *testing.T) {
	task := newTask(t, testSettings())
	source, name := "source", "name"
	identity := []byte("identity")
	nothing := func(_, _ []byte) {}
	round := func() {
		for range 100 {
			m := task.Mark()
			task.Look(identity, identity)
			task.Observe(source, name, 1)
			task.Undo(m)
			task.Observe(source, name, 1)
			task.CountIn()
		}
		task.Seal(1, nothing)
		task.Commit()
	}
	round()
	if got := testing.AllocsPerRun(50, round); got != 0 {
		t.Errorf("%v allocations in 100 records", got)
	}
}

func BenchmarkLookRemember(b *testing.B) {
	s := testSettings()
	s.DedupeMaxIDs = 1_000_000
	task := newTask(b, s)
	identity := []byte("source\x00id-0123456789-....")
	nothing := func(_, _ []byte) {}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.LittleEndian.PutUint64(identity[10:], uint64(i))
		id, _ := task.Look(identity, identity)
		task.Remember(id, Scored)
		if i%10_000 == 9_999 {
			task.Seal(int64(i), nothing)
			task.Commit()
		}
	}
	b.ReportMetric(float64(task.Stats().Bytes)/float64(task.Stats().IDs), "B/ID")
}

// What an observation costs a task of a profile with machines, all of its batch included,
// as its series become more than the caches hold.
func BenchmarkAdvance_Series(b *testing.B) {
	for _, series := range []int{125, 12_500, 125_000} {
		b.Run(strconv.Itoa(series), func(b *testing.B) {
			s := testSettings()
			s.WindowSize = 0
			task := newTask(b, s)
			names := make([]string, series)
			for i := range names {
				names[i] = "series-" + strconv.Itoa(i*7919%series)
			}
			at := 0
			advance := func() {
				task.Advance("source", names[at%series], float64(at), int64(at))
				at++
				if at%20_000 == 0 { // two batches are outstanding, as with a worker
					task.Seal(int64(at), nothing)
				} else if at%20_000 == 5_000 && task.hasSealed {
					task.Commit()
				}
			}
			for range 3 * series {
				advance()
			}
			b.ReportAllocs()
			for b.Loop() {
				advance()
			}
		})
	}
}

func BenchmarkObserve(b *testing.B) {
	task := newTask(b, testSettings())
	names := make([]string, 1000)
	for i := range names {
		names[i] = "series-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	}
	nothing := func(_, _ []byte) {}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		task.Observe("source", names[i%1000], float64(i))
		if i%10_000 == 9_999 {
			task.Seal(int64(i), nothing)
			task.Commit()
		}
	}
}

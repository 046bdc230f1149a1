package state

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

func testSettings() Settings {
	return Settings{DedupeWindow: time.Hour, DedupeMaxIDs: 1000, WindowSize: 50, MemorySize: 100}
}

func newTask(t testing.TB, s Settings) *Task {
	t.Helper()
	task, err := New(s, [16]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// sealed seals and commits, and returns what was written.
func sealed(task *Task, nowMs int64) (out []change) {
	task.Seal(nowMs, func(key, value []byte) { out = append(out, change{bytes.Clone(key), bytes.Clone(value)}) })
	task.Commit()
	return out
}

// sample returns a changelog with a record of every kind.
func sample(t testing.TB) []change {
	t.Helper()
	task := newTask(t, testSettings())
	for i := range 70 {
		id, _ := task.Look([]byte{byte(i)}, []byte("c"))
		task.Remember(id, Scored)
	}
	out := sealed(task, 1000)
	id, _ := task.Look([]byte("one more"), []byte("c"))
	task.Remember(id, Dead)
	task.Observe("s", "n", 1.5)
	task.Learn("s", "n", pulse.ObjectValue(pulse.Member{Name: "a", Value: pulse.ListValue([]pulse.Value{pulse.NumberValue(0.5), pulse.StringValue("x")})}))
	task.CountDead(pulse.TooLarge)
	for i := range 4 {
		task.Observe("s", "n", float64(i))
	}
	out = append(out, sealed(task, 2000)...)
	task.Observe("s", "n", 2.5)
	waiting, _ := task.Look([]byte("waits"), []byte("c"))
	task.AwaitInFront(waiting, "s", "n")
	task.Park("s", "n", make([]byte, maxPart+1))
	task.SetNotBefore(2, 3000)
	return append(out, sealed(task, 2500)...)
}

// sampleWaiting is the key of the ID that waits in the sample.
func sampleWaiting(t *testing.T) string {
	t.Helper()
	for _, c := range sample(t) {
		if c.key[0] == kindPending {
			return string(c.key)
		}
	}
	t.Fatal("no ID waits")
	return ""
}

func TestRestore_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	segment := func(numbers ...byte) []byte { return append([]byte("s/\x00\x00\x00\x00\x00\x00\x00"), numbers...) }
	tests := []struct {
		name       string
		key, value []byte
		want       string
	}{
		{"the engine's key", []byte("\x00owner"), []byte{1}, "engine"},
		{"no key", nil, []byte{1}, "of no kind that this build knows"},
		{"unknown kind", []byte("%/"), []byte{1}, "of no kind that this build knows"},
		{"kind without slash", []byte("ledger"), []byte{1}, "of no kind that this build knows"},
		{"empty value", []byte("l/"), []byte{}, "restore ledger record|too short"},
		{"newer version", []byte("l/"), []byte{3, 0, 0, 0, 0}, "ledger record, key \"l/\": unknown format version 3, this build reads versions 1 to 2: it was written by another release, run that one or a newer one"},
		{"newer segment", segment(1), []byte{3, 0, 0, 0, 0}, "unknown format version 3, this build reads versions 1 to 2"},
		{"version that never was", []byte("w/\x01s\x01n"), []byte{0, 0}, "unknown format version 0"},
		{"ledger too long", []byte("l/"), []byte{1, 0, 0, 0, 0, 9}, "restore ledger record|too long"},
		{"ledger with a false count", []byte("l/"), []byte{1, 0, 0, 0, 200, 1}, "restore ledger record|too short"},
		{"hash key too short", []byte("k/"), []byte{1, 2, 3}, "restore hash key record|too short"},
		{"segment key too short", []byte("s/\x00"), []byte{1, 0, 0}, "restore segment record|too short"},
		{"segment of half an ID", segment(1), []byte{2, 0, 0, 0, 0, 7}, "restore segment record|not a whole number"},
		{"segment of more than there are", segment(1), append([]byte{2, 0, 0, 2, 0}, make([]byte, 17)...), "restore segment record|more segments than"},
		{"dead ID that is not there", segment(1), append([]byte{2, 0, 0, 0, 1, 1}, make([]byte, 17)...), "restore segment record|dead IDs"},
		{"the same ID dead twice", segment(1), append([]byte{2, 0, 0, 0, 2, 0, 0}, make([]byte, 17)...), "restore segment record|dead IDs"},
		{"delta without values", []byte("d/\x01s\x01n"), []byte{1, 3}, "restore window delta record|not a whole number"},
		{"delta beyond all counting", []byte("d/\x01s\x01n"), append(binary.AppendUvarint([]byte{1}, math.MaxUint64), make([]byte, 8)...), "restore window delta record|more values"},
		{"window of more than there were", []byte("w/\x01s\x01n"), append([]byte{2, 1}, make([]byte, 16)...), "restore window record|more values"},
		{"segment of a fraction", segment(1), []byte{1, 0, 0, 7}, "restore segment record|not a whole number"},
		{"segment without IDs", segment(1), []byte{1, 0, 0}, "restore segment record|not a whole number"},
		{"status of no kind", segment(1), append([]byte{1, 0, 0}, make([]byte, 21)...), "restore segment record|unknown status"},
		{"window of a fraction", []byte("w/\x01s\x01n"), []byte{1, 1, 2, 3}, "restore window record|not a whole number"},
		{"window key too long", []byte("w/\x01s\x01nn"), append([]byte{1}, make([]byte, 8)...), "restore window record|too long"},
		{"window key too short", []byte("w/\x09s"), nil, "restore window record|too short"},
		{"forecast in another's slot", []byte("f/\x01s\x01n\x05"), []byte{1, 4, 0}, "restore forecast record|number"},
		{"forecast of no type", []byte("f/\x01s\x01n\x05"), []byte{1, 5, 99}, "restore forecast record|unknown tag"},
		{"forecast with a false count", []byte("f/\x01s\x01n\x05"), []byte{1, 5, tagList, 200, 1}, "restore forecast record|too short"},
		{"forecast too deep", []byte("f/\x01s\x01n\x05"), append([]byte{1, 5}, bytes.Repeat([]byte{tagList, 1}, 20_000)...), "restore forecast record|nested too deep"},
		{"pending ID too short", []byte("p/\x00\x00"), []byte{1, 0, 0, 0, 0, 0, 0}, "restore pending ID record|too short"},
		{"pending ID without content", []byte("p/0123456789abc"), []byte{1, 0}, "restore pending ID record|too short"},
		{"parked record without a number", []byte("q/\x01s\x01n"), []byte{1, 1}, "restore parked record|too short"},
		{"tier without a number", []byte("n/\x00"), []byte{1, 0}, "restore not-before time record|no tier"},
		{"tier without a time", []byte("n/\x01"), []byte{1}, "restore not-before time record|bad number"},
		{"bounds too short", []byte("m/"), []byte{1, 1}, "restore bounds record|bad number"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := newTask(t, testSettings()).Restore(test.key, test.value)
			for want := range strings.SplitSeq(test.want, "|") {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Restore(%q, %v) = %v, want an error with %q", test.key, test.value, err, want)
				}
			}
		})
	}
}

// A changelog that lost records must not start a task that then scores
// duplicates again.
func TestRestored_RefusesAChangelogThatIsNotWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ drop, want string }{
		{"k/", "no hash key"},
		{"m/", "no record of their bounds"},
		{"s/\x00\x00\x00\x00\x00\x00\x00\x00", "segment 0 of IDs is missing"},
		{"w/\x01s\x01n", "values came after a window that is missing"},
		{sampleWaiting(t), "0 IDs wait and 1 records are parked, and the ledger has counted 1 and 1"},
		{"q/\x01s\x01n" + strings.Repeat("\x00", 16), "parked record 0 of source \"s\", name \"n\" is not whole"},
		{"q/\x01s\x01n" + strings.Repeat("\x00", 15) + "\x01", "parked record 0 of source \"s\", name \"n\" is not whole"},
	} {
		task := newTask(t, testSettings())
		for _, c := range sample(t) {
			if string(c.key) == test.drop {
				continue
			}
			if err := task.Restore(c.key, c.value); err != nil {
				t.Fatal(err)
			}
		}
		if err := task.Restored(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Restored without %q = %v, want an error with %q", test.drop, err, test.want)
		}
	}
}

func TestRestored_RefusesAGapInMemory(t *testing.T) {
	t.Parallel()
	task, s := newTask(t, testSettings()), testSettings()
	for i := range 5 {
		task.Learn("s", "n", pulse.NumberValue(float64(i)))
	}
	again := newTask(t, s)
	for _, c := range sealed(task, 1) {
		if c.key[0] == kindForecast && c.key[len(c.key)-1] == 3 {
			continue
		}
		if err := again.Restore(c.key, c.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := again.Restored(); err == nil || !strings.Contains(err.Error(), "are missing") {
		t.Errorf("Restored = %v, want an error about missing forecasts", err)
	}
}

// A worker that lost a task and gets it back replays what the other one wrote.
func TestRestore_ContinuesWhatTheTaskRemembers(t *testing.T) {
	t.Parallel()
	other, warm, cold := newTask(t, testSettings()), newTask(t, testSettings()), newTask(t, testSettings())
	feed := func(task *Task, changes []change) {
		t.Helper()
		for _, c := range changes {
			if err := task.Restore(c.key, c.value); err != nil {
				t.Fatal(err)
			}
		}
		if err := task.Restored(); err != nil {
			t.Fatal(err)
		}
	}
	rememberMany(other, 0, 3)
	other.CountIn()
	other.Learn("s", "n", pulse.NumberValue(1))
	log := sealed(other, 1000)
	feed(warm, log)
	other.Learn("s", "n", pulse.NumberValue(2))
	more := sealed(other, 2000)
	feed(warm, more)
	if got := warm.Ledger().In; got != 1 {
		t.Errorf("ledger has %d in, want 1", got)
	}
	if got := warm.Memory("s", "n").List; len(got) != 2 || got[0].Number != 1 {
		t.Errorf("memory = %v, want 1 2", got)
	}
	rememberMany(warm, 3, 4)
	log = append(append(log, more...), sealed(warm, 3000)...)
	feed(cold, log)
	for i := range uint32(4) {
		if _, v := cold.Look(binary.BigEndian.AppendUint32(nil, i), nil); v != Duplicate {
			t.Errorf("ID %d is %v", i, v)
		}
	}
	if got, want := len(cold.ids.tail), 4; got != want {
		t.Errorf("newest segment has %d IDs, want %d", got, want)
	}
	fromLast := newTask(t, testSettings())
	last := map[string]change{}
	for _, c := range log {
		last[string(c.key)] = c
	}
	feed(fromLast, slices.Collect(maps.Values(last)))
	if got := fromLast.Stats().IDs; got != 4 {
		t.Errorf("%d IDs in the compacted changelog, want 4", got)
	}
}

func TestRestore_RefusesBetweenBatches(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	task.CountIn()
	if err := task.Restore([]byte("l/"), nil); err == nil || !strings.Contains(err.Error(), "roll back first") {
		t.Errorf("Restore over an open batch = %v", err)
	}
	task.Rollback()
	if err := task.Restore([]byte("l/"), nil); err != nil {
		t.Errorf("Restore after the rollback = %v", err)
	}
}

// segmentRecord is a segment of IDs with the given hashes.
func segmentRecord(number uint64, hashes ...hash) change {
	var c change
	w := writer{emit: func(key, value []byte) { c = change{bytes.Clone(key), bytes.Clone(value)} }}
	entries := make([]entry, len(hashes))
	for i, h := range hashes {
		entries[i] = entry{hash: h, meta: metaOf(Scored, number)}
	}
	w.segment(&extent{first: number, last: number}, entries)
	return c
}

func boundsRecord(floor, closedEnd uint64) change {
	var c change
	w := writer{emit: func(key, value []byte) { c = change{bytes.Clone(key), bytes.Clone(value)} }}
	w.bounds(&segmentCursor{floor: floor, closedEnd: closedEnd})
	return c
}

func restoreAll(task *Task, changes ...change) error {
	for _, c := range changes {
		if err := task.Restore(c.key, c.value); err != nil {
			return err
		}
	}
	return task.Restored()
}

func TestRestored_RefusesCrowdedHashes(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(i uint32) hash{
		"each after the last one":       func(i uint32) hash { return hash{a: 42, b: 42, mid: i} },
		"each in front of the last one": func(i uint32) hash { return hash{a: 42, b: 2*maxProbe - i, mid: i} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusesCrowd(t, of)
		})
	}
}

func refusesCrowd(t *testing.T, of func(i uint32) hash) {
	t.Helper()
	crowd := make([]hash, 2*maxProbe)
	for i := range crowd {
		crowd[i] = of(uint32(i))
	}
	task := newTask(t, testSettings())
	err := restoreAll(task, change{[]byte("k/"), append([]byte{1}, make([]byte, 16)...)}, boundsRecord(0, 0), segmentRecord(0, crowd...))
	if err == nil || !strings.Contains(err.Error(), "crowd together") {
		t.Errorf("Restored of crowded hashes = %v", err)
	}
	if got := task.ids.table.capacity(); got > 4*maxProbe {
		t.Errorf("table has grown to %d slots", got)
	}
}

func TestRestored_RefusesBoundsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		changes []change
		want    string
	}{
		{"end before the beginning", []change{boundsRecord(9, 8)}, "cannot be"},
		{"without numbers to go on", []change{boundsRecord(math.MaxUint64, math.MaxUint64)}, "cannot be"},
		{"too far apart", []change{boundsRecord(1, 1+maxSpan)}, "cannot be"},
		{"a segment beyond", []change{boundsRecord(1, 1), segmentRecord(2, hash{})}, "beyond the bounds"},
		{"a segment missing", []change{boundsRecord(1, 3), segmentRecord(1, hash{})}, "segment 2 of IDs is missing"},
		{"the oldest missing", []change{boundsRecord(1, 3), segmentRecord(2, hash{})}, "segment 1 of IDs is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			key := change{[]byte("k/"), append([]byte{1}, make([]byte, 16)...)}
			err := restoreAll(newTask(t, testSettings()), append(test.changes, key)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Restored = %v, want an error with %q", err, test.want)
			}
		})
	}
}

// FuzzRestore: whatever the bytes, Restore and Restored return; where both
// accept, the Task works on and what it then writes can be restored.
func FuzzRestore(f *testing.F) {
	var seed []byte
	for _, c := range sample(f) {
		seed = append(seed, byte(len(c.key)))
		seed = append(seed, c.key...)
		seed = binary.BigEndian.AppendUint16(seed, uint16(len(c.value)))
		seed = append(seed, c.value...)
		f.Add(append(slices.Clip(seed), 2, 'l', '/', 0, 0))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		task, again := newTask(t, testSettings()), newTask(t, testSettings())
		var log []change
		for len(data) > 3 {
			var c change
			c.key, data = cut(data[1:], int(data[0]))
			if len(data) < 2 {
				break
			}
			c.value, data = cut(data[2:], int(binary.BigEndian.Uint16(data)))
			if len(c.value) == 0 {
				c.value = nil
			}
			if task.Restore(c.key, c.value) == nil {
				log = append(log, c)
			} else {
				return
			}
		}
		if task.Restored() != nil {
			return
		}
		id, _ := task.Look([]byte("a"), nil)
		task.Remember(id, Scored)
		task.Observe("s", "n", 1)
		task.Learn("s", "n", pulse.NumberValue(1))
		task.CountIn()
		for _, c := range append(log, sealed(task, math.MaxInt32)...) {
			if err := again.Restore(c.key, c.value); err != nil {
				t.Fatalf("Restore of what was written: %v", err)
			}
		}
		if err := again.Restored(); err != nil {
			t.Fatalf("Restored of what was written: %v", err)
		}
		if _, v := again.Look([]byte("a"), nil); v != Duplicate {
			t.Fatalf("remembered ID is %v after the restore", v)
		}
	})
}

func cut(data []byte, n int) (head, rest []byte) {
	n = min(n, len(data))
	return data[:n:n], data[n:]
}

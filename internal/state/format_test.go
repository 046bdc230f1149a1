package state

import (
	"encoding/binary"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

// oldChangelog is what the release before format version 2 of segments and
// windows wrote: 416 IDs "source\x00id-N" with content "content of it", every
// seventh from 3 on dead; three series of N/4; every fifth in a stream. Made
// with its own code, bounds 24 h and 4,000 IDs.
func oldChangelog(t *testing.T) (changes []change) {
	t.Helper()
	return readChangelog(t, "testdata/changelog-v1.bin")
}

func TestRestore_ReadsFormatOne(t *testing.T) {
	t.Parallel()
	s := Settings{DedupeWindow: 24 * time.Hour, DedupeMaxIDs: 200_000, WindowSize: 50, MemorySize: 100}
	log := oldChangelog(t)
	task := newTask(t, s)
	if err := restoreAll(task, log...); err != nil {
		t.Fatal(err)
	}
	checkOld(t, task)
	// It works on, and what it writes replaces what is old.
	last := map[string]change{}
	for _, c := range append(log, workOn(task)...) {
		last[string(c.key)] = c
	}
	again := newTask(t, s)
	if err := restoreAll(again, slices.Collect(maps.Values(last))...); err != nil {
		t.Fatal(err)
	}
	for name, task := range map[string]*Task{"that went on": task, "restored again": again} {
		if got := task.Stats().IDs; got != 416+5000 {
			t.Errorf("%s: %d IDs", name, got)
		}
		checkOldIDs(t, task)
		if got := task.Window("source", "series-1"); len(got) != 50 || got[0] != 7 {
			t.Errorf("%s: window %v", name, got)
		}
	}
	checkNothingOld(t, last)
}

func workOn(task *Task) (log []change) {
	for i := range uint32(500) {
		rememberMany(task, 10*i, 10*i+10)
		for _, series := range []string{"series-0", "series-1", "series-2"} {
			task.Observe("source", series, 7)
		}
		log = append(log, sealed(task, 1_800_000_006_000+int64(i))...)
	}
	return log
}

func checkNothingOld(t *testing.T, last map[string]change) {
	t.Helper()
	for key, c := range last {
		if (key[0] == kindSegment || key[0] == kindWindow) && c.value != nil && c.value[0] != 2 {
			t.Errorf("%q is still of format version %d", key, c.value[0])
		}
	}
	if c := last["s/\x00\x00\x00\x00\x00\x00\x00\x00"]; c.key == nil || c.value != nil {
		t.Error("the old changelog's first segment was not merged")
	}
}

func checkOld(t *testing.T, task *Task) {
	t.Helper()
	checkOldIDs(t, task)
	if got := task.Stats(); got.IDs != 416 || got.Series != 3 || got.Streams != 1 {
		t.Errorf("%+v", got)
	}
	for series, last := range map[string]int{"series-0": 414, "series-1": 415, "series-2": 413} {
		got := task.Window("source", series)
		if len(got) != 50 {
			t.Fatalf("window of %s has %d values", series, len(got))
		}
		for i, v := range got {
			if want := float64(last-3*(49-i)) / 4; v != want {
				t.Errorf("value %d of %s is %v, want %v", i, series, v, want)
			}
		}
	}
	memory := task.Memory("source", "stream").List
	want := pulse.ObjectValue(pulse.Member{Name: "n", Value: pulse.NumberValue(415)})
	if len(memory) != 84 || !equalValues(memory[83], want) {
		t.Errorf("memory of %d, last %v", len(memory), memory[len(memory)-1])
	}
	if l := task.Ledger(); l.In != 416 || l.Scored != 357 || len(l.Dead) != 1 || l.Dead[0].Count != 59 {
		t.Errorf("ledger %+v", l)
	}
}

func checkOldIDs(t *testing.T, task *Task) {
	t.Helper()
	for n := range 416 {
		identity := strconv.AppendInt([]byte("source\x00id-"), int64(n), 10)
		want, wantOther := Duplicate, Conflict
		if n%7 == 3 {
			want, wantOther = Died, Died
		}
		if _, v := task.Look(identity, []byte("content of it")); v != want {
			t.Fatalf("ID %d is %v, want %v", n, v, want)
		}
		if _, v := task.Look(identity, []byte("other")); v != wantOther {
			t.Fatalf("ID %d with other content is %v, want %v", n, v, wantOther)
		}
	}
}

// readChangelog reads length-prefixed keys and values; a length of 0 is a
// tombstone, of the value it is one more.
func readChangelog(t *testing.T, file string) (changes []change) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	take := func(n uint64) []byte {
		taken := data[:n]
		data = data[n:]
		return taken
	}
	length := func() uint64 {
		n, size := binary.Uvarint(data)
		take(uint64(size))
		return n
	}
	for len(data) > 0 {
		c := change{key: take(length())}
		if n := length(); n > 0 {
			c.value = take(n - 1)
		}
		changes = append(changes, c)
	}
	return changes
}

// What the release before format version 2 of steps wrote, as a compacted topic has it:
// four series in 50 batches, see observeOld. Made with its own code, but for the cadence,
// which is that of now: a whole holds what a release made of the observations.
func TestRestore_ReadsStepsOfFormatOne(t *testing.T) {
	t.Parallel()
	s := Settings{DedupeWindow: 24 * time.Hour, DedupeMaxIDs: 1000, MemorySize: 100}
	last := map[string]change{}
	steps := 0
	for _, c := range readChangelog(t, "testdata/changelog-steps-v1.bin") {
		last[string(c.key)] = c
		if c.key[0] == kindSteps && c.value[0] == 1 {
			steps++
		}
	}
	if steps < 30 {
		t.Fatalf("there are %d records of steps", steps)
	}
	restored := func() *Task {
		task := newTask(t, s)
		if err := restoreAll(task, slices.Collect(maps.Values(last))...); err != nil {
			t.Fatal(err)
		}
		return task
	}
	want := newTask(t, s)
	for i := range 50 {
		observeOld(want, i)
	}
	task := restored()
	requireOld(t, "restored", task, want)
	for i := 50; i < 90; i++ { // it works on
		observeOld(task, i)
		observeOld(want, i)
		for _, c := range sealed(task, 1_800_000_000_050+int64(i)) {
			last[string(c.key)] = c
		}
		want.Seal(int64(i), nothing)
		want.Commit()
	}
	requireOld(t, "that went on", task, want)
	requireOld(t, "restored again", restored(), want)
}

// observeOld is batch i of that changelog: 1 to 4 observations a series, but none in
// every fifth.
func observeOld(task *Task, i int) {
	for n := range 4 {
		for j := range 1 + n {
			if (i+n)%5 != 0 {
				task.Advance("source", oldSeries(n), float64(i*j), int64(i)*1e6)
			}
		}
	}
}

func oldSeries(n int) string { return "series-" + strconv.Itoa(n) + strings.Repeat("-", 12*n) }

func requireOld(t *testing.T, which string, task, want *Task) {
	t.Helper()
	for n := range 4 {
		if !sameSeries(t, task.Series("source", oldSeries(n)), want.Series("source", oldSeries(n))) {
			t.Errorf("%s: series %q is another one", which, oldSeries(n))
		}
	}
}

package state

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// A signal that waits is known however long it waits and however many come
// meanwhile; the others go.
func TestAwait_NeverEvicts(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 50
	task := newTask(t, s)
	waits, _ := task.Look([]byte("waits"), []byte("c"))
	task.Await(waits)
	sealed(task, 1000)
	for batch := range 30 {
		for i := range 50 {
			id, _ := task.Look([]byte{byte(batch), byte(i)}, []byte("c"))
			task.Remember(id, Scored)
		}
		sealed(task, 1000+int64(batch)*(2*time.Hour).Milliseconds())
	}
	if e := task.Dedupe().Evictions; e.ByCount == 0 && e.ByTime == 0 {
		t.Fatal("nothing was evicted: the test shows nothing")
	}
	if _, got := task.Look([]byte("waits"), []byte("c")); got != Waiting {
		t.Errorf("the ID is %v, want waiting", got)
	}
	if _, got := task.Look([]byte("waits"), []byte("other")); got != Conflict {
		t.Errorf("with other content it is %v, want a conflict", got)
	}
	task.Remember(waits, Scored)
	if _, got := task.Look([]byte("waits"), []byte("c")); got != Duplicate || task.Pending() != 0 {
		t.Errorf("after its end it is %v, %d wait", got, task.Pending())
	}
}

// What waited and ended within one batch leaves nothing in the changelog but
// what any signal leaves.
func TestSeal_WritesNothingOfAWaitThatIsOver(t *testing.T) {
	t.Parallel()
	once, twice := newTask(t, testSettings()), newTask(t, testSettings())
	var logs [2][]change
	for i, task := range []*Task{once, twice} {
		id, _ := task.Look([]byte("1"), []byte("c"))
		if task == twice {
			task.AwaitInFront(id, "s", "n")
			task.Park("s", "n", []byte("r"))
			task.Await(id)
			task.Unpark("s", "n")
		}
		task.Remember(id, Scored)
		logs[i] = sealed(task, 1000)
	}
	if len(logs[0]) != len(logs[1]) {
		t.Errorf("%d records, want %d: %q", len(logs[1]), len(logs[0]), logs[1])
	}
}

// A parked record larger than what a topic takes is written in parts, and comes
// back whole; its end leaves tombstones for all of them.
func TestPark_WritesLargeRecordsInParts(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	record := bytes.Repeat([]byte("0123456789abcdef"), (maxPart*5/2)/16)
	task.Park("s", "n", record)
	log := sealed(task, 1000)
	parts := 0
	for _, c := range log {
		if c.key[0] == kindParked {
			parts++
			if len(c.value) > maxPart+16 {
				t.Errorf("a part of %d bytes", len(c.value))
			}
		}
	}
	again := newTask(t, testSettings())
	if err := restoreAll(again, log...); err != nil {
		t.Fatal(err)
	}
	if got, ok := again.NextParked("s", "n", 0); !ok || !bytes.Equal(got, record) || parts != 3 {
		t.Errorf("%d parts, %d bytes came back", parts, len(got))
	}
	again.Unpark("s", "n")
	tombstones := 0
	for _, c := range sealed(again, 2000) {
		if c.key[0] == kindParked && c.value == nil {
			tombstones++
		}
	}
	if tombstones != parts || again.Behind("s", "n") {
		t.Errorf("%d tombstones for %d parts; still behind: %v", tombstones, parts, again.Behind("s", "n"))
	}
}

func TestDecodeParked_ReadsTheBeginningOnly(t *testing.T) {
	t.Parallel()
	found := 0
	for _, c := range sample(t) {
		name, begin, ok, err := DecodeParked(c.key, c.value)
		if err != nil || ok && (len(begin) != maxPart || name != string(c.key)) {
			t.Errorf("%q: %d bytes, %v", c.key, len(begin), err)
		}
		if ok {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d beginnings", found)
	}
	if _, begin, ok, err := DecodeParked([]byte("q/\x01s\x01n"+string(make([]byte, 16))), nil); begin != nil || !ok || err != nil {
		t.Errorf("tombstone: %q, %v, %v", begin, ok, err)
	}
}

// A signal that fails once more waits as it did before. The time given last in its new
// tier is written all the same: a task that is restored would else give earlier ones,
// which would wait behind it.
func TestSeal_WritesATimeThatAloneHasChanged(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	id, _ := task.Look([]byte("1"), []byte("c"))
	task.Await(id)
	task.SetNotBefore(1, 5000)
	log := sealed(task, 1000)
	task.Await(id)
	task.SetNotBefore(2, 30_000)
	log = append(log, sealed(task, 2000)...)
	again := newTask(t, testSettings())
	for _, c := range log {
		if err := again.Restore(c.key, c.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := again.Restored(); err != nil {
		t.Fatal(err)
	}
	if got := again.NotBefore(); !slices.Equal(got, []int64{5000, 30_000}) {
		t.Errorf("restored times are %v, want 5000 and 30000", got)
	}
}

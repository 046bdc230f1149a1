package state

import (
	"testing"

	"pulse-scorer/internal/pulse"
)

// What a task writes of its ledger, an outsider reads.
func TestDecodeLedger_ReadsWhatSealWrites(t *testing.T) {
	t.Parallel()
	task, err := New(Settings{DedupeWindow: 1e12, DedupeMaxIDs: 1000, WindowSize: 5, MemorySize: 5}, [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		task.CountIn()
	}
	task.CountScored()
	task.CountDuplicate()
	task.CountDuplicate()
	task.CountDead(pulse.MalformedJSON)
	task.CountDead(pulse.IDConflict)
	task.CountDead(pulse.IDConflict)
	found := 0
	task.Seal(1, func(key, value []byte) {
		got, ok, err := DecodeLedger(key, value)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		found++
		if want := task.Ledger(); !got.equal(want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	if found != 1 {
		t.Errorf("%d of the records are the ledger, want one", found)
	}
	if got, ok, err := DecodeLedger([]byte("l/"), nil); err != nil || !ok || !got.equal(Ledger{}) {
		t.Errorf("a tombstone gives %+v, %v, %v", got, ok, err)
	}
	for _, bad := range []string{"", "\xff", "\x01", "\x01\x01\x01\x01\x05"} {
		if _, ok, err := DecodeLedger([]byte("l/"), []byte(bad)); err == nil || !ok {
			t.Errorf("%q: %v, %v, want an error", bad, ok, err)
		}
	}
}

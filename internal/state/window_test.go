package state

import (
	"slices"
	"testing"
)

// What a window's changes cost: a delta where few values are new, the whole
// where most are, and never more than wholes alone.
func TestSeal_WritesDeltasWhereTheyAreShorter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perBatch int
		limit    float64 // of what wholes alone would take
	}{{1, 0.3}, {2, 0.45}, {8, 0.6}, {24, 1}, {49, 1}, {50, 1}, {200, 1}} {
		task := newTask(t, testSettings())
		bytesWritten, batches := 0, 0
		for i := range 3000 {
			task.Observe("source", "name", float64(i))
			if i%test.perBatch != test.perBatch-1 {
				continue
			}
			batches++
			for _, c := range sealed(task, int64(i)) {
				if c.key[0] == kindWindow || c.key[0] == kindDelta {
					bytesWritten += len(c.key) + len(c.value)
				}
			}
		}
		whole := float64(batches * (len("w/source.name.") + 3 + 8*50))
		if got := float64(bytesWritten) / whole; got > test.limit {
			t.Errorf("%d values a batch: %.2f of what whole windows take, want at most %.2f", test.perBatch, got, test.limit)
		}
	}
}

// A delta belongs to the whole that was committed before it, not to one that
// was rolled back.
func TestRollback_TheNextDeltaBelongsToACommittedWindow(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	for i := range 60 {
		task.Observe("s", "n", float64(i))
	}
	log := sealed(task, 1)
	for range 60 {
		task.Observe("s", "n", 100)
	}
	task.Seal(2, nothing)
	task.Observe("s", "n", 101)
	task.Rollback()
	task.Observe("s", "n", 102)
	log = append(log, sealed(task, 3)...)
	again := newTask(t, testSettings())
	if err := restoreAll(again, log...); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Window("s", "n"), task.Window("s", "n"); !slices.Equal(got, want) || got[49] != 102 || got[48] != 59 {
		t.Errorf("window = %v, want %v", got, want)
	}
}

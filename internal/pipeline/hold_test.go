package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

// While a required enricher is down nothing is decided: no result, no retry, no
// dead letter, and the batch cannot be sealed. Afterwards only those without an
// answer are asked again.
func TestFinish_HoldsWhileAnEnricherIsDown(t *testing.T) {
	t.Parallel()
	o := &oracle{answer: func(q *Inquiry) {
		if q.Signal.ID == "b" {
			q.Err = fmt.Errorf("risk: %w", &pulse.Bad{Class: pulse.EnricherDown})
			return
		}
		answered(q)
	}}
	task := asking(t, retrySettings(), o)
	var out pages
	for i, id := range []string{"a", "b", "c"} {
		process(task, named(int64(i), id, "n"), &out)
	}
	for range 3 {
		if a := task.Finish(t.Context(), &out); a != HoldAll || len(out) != 0 {
			t.Fatalf("answered %v, wrote %s", a, brief(out))
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a batch was sealed whose records have no outcome")
			}
		}()
		task.Seal(wallMs, &out)
	}()
	o.answer = nil
	finish(t, task, &out)
	if brief(out) != "scored:a scored:b scored:c" || !slices.Equal(o.asked, []string{"a", "b", "c", "b", "b", "b"}) {
		t.Errorf("wrote %s after asking %v", brief(out), o.asked)
	}
	balanced(t, task)
}

// When the engine ends the wait, nothing is known of the calls under way.
func TestFinish_HoldsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	task := asking(t, retrySettings(), &oracle{answer: unavailable, ended: cancel})
	var out pages
	process(task, named(1, "a", "n"), &out)
	if a := task.Finish(ctx, &out); a != HoldAll || len(out) != 0 {
		t.Errorf("answered %v, wrote %s", a, brief(out))
	}
	task.Rollback()
	if task.state.Pending() != 0 || len(task.waiting) != 0 {
		t.Errorf("left behind: %d wait", task.state.Pending())
	}
	commit(task)
}

// As many signals may wait as IDs are remembered; then the input is held, and
// tiers go on until there is room.
func TestProcess_HoldsTheInputWhenTooManyWait(t *testing.T) {
	t.Parallel()
	s := retrySettings()
	s.State.DedupeMaxIDs = 4
	o := &oracle{answer: unavailable}
	task := asking(t, s, o)
	var out pages
	answers := []Answer{}
	for i := range 6 {
		a := process(task, named(int64(i), fmt.Sprint(i), "n"), &out)
		if answers = append(answers, a); a == Full {
			finish(t, task, &out)
		}
	}
	if want := []Answer{Taken, Taken, Taken, Full, HoldInput, HoldInput}; !slices.Equal(answers, want) {
		t.Errorf("answers %v, want %v", answers, want)
	}
	if l := task.Ledger(); l.In != 4 || l.Pending != 4 {
		t.Errorf("ledger %+v", l)
	}
	o.answer = nil
	if got := take(t, task, back(out[0], 1), named(4, "4", "n")); brief(got) != "scored:0 scored:4" {
		t.Errorf("wrote %s", brief(got))
	}
	balanced(t, task)
}

// Finish is asked for before too many wait.
func TestProcess_AsksForFinishWhenTheBatchIsFull(t *testing.T) {
	t.Parallel()
	o := &oracle{}
	task := asking(t, retrySettings(), o)
	s := task.settings
	s.MaxRecordBytes = 2 << 20
	task.settings = s
	want := []int{16, 32, 64, 128, 256, maxBatch, maxBatch, 3} // as fast as nothing
	n := int64(0)
	for _, size := range want {
		records := make([]*Record, size)
		for i := range records {
			records[i] = named(n, fmt.Sprint(n), "n")
			n++
		}
		take(t, task, records...)
	}
	large := named(9000, "large", "n")
	large.Value = append(large.Value, bytes.Repeat([]byte(" "), 1<<20)...)
	for i := range 5 {
		in := *large
		in.Offset = int64(9000 + i)
		in.Value = bytes.Replace(large.Value, []byte("large"), fmt.Appendf(nil, "larg%d", i), 1)
		take(t, task, &in)
	}
	if got := o.batches[:len(want)]; !slices.Equal(got, want) {
		t.Errorf("batches of %v, want %v", got, want)
	}
}

// However slow enrichers are, a batch is over in about a second; when they are fast
// again, batches grow.
func TestFinish_SlowEnrichersMakeSmallBatches(t *testing.T) {
	t.Parallel()
	now, each := wall(), 100*time.Millisecond
	o := &oracle{}
	o.ended = func() { now = now.Add(time.Duration(o.batches[len(o.batches)-1]) * each) }
	task := asking(t, retrySettings(), o)
	task.clock.now = func() time.Time { return now }
	offset := int64(0)
	run := func(n int) {
		records := make([]*Record, n)
		for i := range records {
			records[i] = named(offset, fmt.Sprint(offset), "n")
			offset++
		}
		take(t, task, records...)
	}
	run(100)
	for _, size := range o.batches[1:] {
		if took := time.Duration(size) * each; took > longBatch {
			t.Errorf("a batch of %d takes %v, want at most %v after the first; all: %v", size, took, longBatch, o.batches)
		}
	}
	each = 2 * time.Second
	o.batches = nil
	run(30)
	if last := o.batches[len(o.batches)-1]; last != 1 {
		t.Errorf("batches of %v while a signal takes %v, want 1 at last", o.batches, each)
	}
	each = 100 * time.Microsecond
	o.batches = nil
	run(3000)
	if !slices.Contains(o.batches, maxBatch) {
		t.Errorf("batches of %v, want %d when the enricher is fast again", o.batches, maxBatch)
	}
}

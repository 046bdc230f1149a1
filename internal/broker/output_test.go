package broker

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

func newTestOutput(t *testing.T) *output {
	t.Helper()
	m, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	return newOutput(m)
}

// keysOf reads the records of sealed batches.
func keysOf(t *testing.T, batches []outBatch, to pipeline.Destination) []string {
	t.Helper()
	var keys []string
	cursor := batch.NewCursor(batch.Limits{Inflate: 1 << 20, Part: 1 << 20})
	for _, o := range batches {
		if o.to != to {
			continue
		}
		for set := o.bytes; ; {
			b, rest, err := batch.Next(set)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := cursor.Reset(b, nil); err != nil {
				t.Fatal(err)
			}
			for rec := (batch.Record{}); cursor.Next(&rec); {
				keys = append(keys, string(rec.Key))
			}
			if err := cursor.Err(); err != nil {
				t.Fatal(err)
			}
			set = rest
		}
	}
	return keys
}

func TestOutput_KeepsTheOrderOfEachDestinationOverBatches(t *testing.T) {
	t.Parallel()
	o := newTestOutput(t)
	o.limit[pipeline.Results] = 300
	want := make(map[pipeline.Destination][]string)
	for i := range 100 {
		to := pipeline.Destination(i % (int(pipeline.State) + 1))
		key := fmt.Sprintf("key-%03d", i)
		want[to] = append(want[to], key)
		o.origin = place{0, int64(i)}
		o.Append(to, []byte(key), []byte("some value"), nil)
	}
	taken := o.take()
	for to := range pipeline.Destinations {
		if got := keysOf(t, taken, to); !slices.Equal(got, want[to]) {
			t.Errorf("destination %d has %v, want %v", to, got, want[to])
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(taken), func(b outBatch) bool { return b.to != pipeline.Results })); n < 3 {
		t.Errorf("results are in %d batches, want several of 300 bytes", n)
	}
	if o.size() != 0 || len(o.take()) != 0 {
		t.Error("something is left after everything was taken")
	}
}

func TestOutput_NoBatchOfSeveralIsOverItsLimit(t *testing.T) {
	t.Parallel()
	o := newTestOutput(t)
	o.limit[pipeline.DeadLetters] = 500
	for i := range 200 {
		o.origin = place{0, int64(i)}
		o.Append(pipeline.DeadLetters, nil, make([]byte, i*7%900), nil)
	}
	for _, b := range o.take() {
		if count := batch.Count(b.bytes); count > 1 && (b.size > 500 || len(b.bytes) > 500) {
			t.Errorf("a batch of %d records has %d bytes, over the limit of 500", count, len(b.bytes))
		}
	}
}

func TestOutput_ABatchKnowsItsFirstRecord(t *testing.T) {
	t.Parallel()
	o := newTestOutput(t)
	o.limit[pipeline.Results] = 1 // each record alone
	for i := range 5 {
		o.origin = place{0, int64(10 + i)}
		o.Append(pipeline.Results, nil, []byte("v"), nil)
	}
	for i, b := range o.take() {
		if b.origin != (place{0, int64(10 + i)}) || batch.Count(b.bytes) != 1 {
			t.Errorf("batch %d: %d records, the first of input offset %d; want one, of %d", i, batch.Count(b.bytes), b.origin.offset, 10+i)
		}
	}
}

func TestOutput_DropForgetsWhatIsOpenAndSealed(t *testing.T) {
	t.Parallel()
	o := newTestOutput(t)
	o.limit[pipeline.Results] = 1
	for range 3 {
		o.Append(pipeline.Results, nil, []byte("v"), nil)
	}
	if o.size() == 0 {
		t.Fatal("nothing was written")
	}
	o.drop()
	if o.size() != 0 || len(o.take()) != 0 {
		t.Errorf("%d bytes are left", o.size())
	}
}

func TestWorker_LearnsFromARefusal(t *testing.T) {
	t.Parallel()
	w := &worker{out: newTestOutput(t), refused: make(map[place]pipeline.Destination)}
	w.learnRefusal(nil)
	w.learnRefusal(&refusal{to: pipeline.Results, origin: place{0, 7}, size: 1000})
	if got := w.out.limit[pipeline.Results]; got != 500 {
		t.Errorf("after a batch of 1000 bytes was refused the limit is %d, want 500", got)
	}
	if len(w.refused) != 0 {
		t.Error("a batch of several counts as a refused record")
	}
	w.learnRefusal(&refusal{to: pipeline.DeadLetters, origin: place{0, 7}, size: 1000, alone: true})
	if to, ok := w.refused[place{0, 7}]; !ok || to != pipeline.DeadLetters {
		t.Error("a record that was refused alone is not remembered")
	}
	if got := w.out.limit[pipeline.DeadLetters]; got != batchBytes {
		t.Errorf("a single record that is too large changed the limit to %d", got)
	}
}

// takingPath is a record path that takes everything and writes nothing.
type takingPath struct{ Task }

func (takingPath) Process(*pipeline.Record, pipeline.Sink) pipeline.Answer { return pipeline.Taken }

// Records that write nothing, repeats, are kept to be taken back, too, and bound a batch.
func TestWorker_CountsWhatItKeepsToTakeRecordsBack(t *testing.T) {
	t.Parallel()
	w := &worker{task: &task{}, path: takingPath{}, out: newTestOutput(t), now: time.Now}
	var r reply
	for i := range int64(10) {
		w.processRecord(&pipeline.Record{Offset: i}, &r, time.Time{})
	}
	if got := w.out.size(); got != 10*undoBytes {
		t.Errorf("%d bytes for ten records, want %d", got, 10*undoBytes)
	}
	w.out.take()
	if got := w.out.size(); got != 0 {
		t.Errorf("%d bytes are left in the next batch", got)
	}
}

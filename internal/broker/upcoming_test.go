package broker

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// readingPath notes which records it is shown, and which it is given.
type readingPath struct {
	Task

	prefetched, processed []int64
	// most is how many records were prefetched beyond the one processed.
	most int
	// mixed are records that have parts of others.
	mixed []string
}

func (p *readingPath) Prefetch(in *pipeline.Record) { p.prefetched = append(p.prefetched, in.Offset) }

func (p *readingPath) Process(in *pipeline.Record, _ pipeline.Sink) pipeline.Answer {
	p.processed = append(p.processed, in.Offset)
	p.most = max(p.most, len(p.prefetched)-len(p.processed))
	number := fmt.Sprint(in.Offset)
	if string(in.Key) != number || string(in.Value) != number || len(in.Headers) != 1 || string(in.Headers[0].Value) != number || in.TimestampMs != 100+in.Offset {
		p.mixed = append(p.mixed, fmt.Sprintf("%+v", *in))
	}
	return pipeline.Taken
}

// five is a batch of five records whose key, value and header are their number; damage may
// change the last one, which begins with its length.
func five(damage func(last []byte)) []byte {
	var b batch.Builder
	for i := range 5 {
		number := fmt.Append(nil, i)
		b.Append(100+int64(i), number, number, []pipeline.Header{{Key: "h", Value: number}})
	}
	sealed := b.Seal(nil)
	const header = 61
	if damage != nil {
		damage(sealed[len(sealed)-(len(sealed)-header)/5:])
	}
	batch.Stamp(sealed, -1, -1, -1, false)
	return sealed
}

func newReading(t *testing.T) (*worker, *readingPath) {
	t.Helper()
	path := new(readingPath)
	return &worker{
		task: &task{}, path: path, out: newTestOutput(t), now: time.Now, limit: 1 << 20,
		cursor: batch.NewCursor(batch.Limits{Inflate: 1 << 20, Part: 1 << 20}),
	}, path
}

func TestWorker_ProcessesWhatIsReadBeforeADamagedRecord(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(last []byte){
		"length":  func(last []byte) { last[0] = 0 },
		"headers": func(last []byte) { last[len(last)-4]++ }, // the length of the header's key is negative
	} {
		w, path := newReading(t)
		var r reply
		w.process(&chunk{rest: five(damage)}, &r, time.Time{})
		if want := []int64{0, 1, 2, 3}; !errors.Is(r.err, batch.ErrMalformed) || !slices.Equal(path.processed, want) || r.next != 4 || r.records != 4 {
			t.Errorf("%s: processed %d, next %d, records %d, error %v; want %d and ErrMalformed", name, path.processed, r.next, r.records, r.err, want)
		}
	}
}

func TestWorker_PrefetchesARecordBeforeItsTurn(t *testing.T) {
	t.Parallel()
	w, path := newReading(t)
	var r reply
	w.process(&chunk{rest: five(nil), next: 1}, &r, time.Time{})
	want := []int64{1, 2, 3, 4}
	if r.err != nil || !slices.Equal(path.processed, want) || !slices.Equal(path.prefetched, want) || path.most != pipeline.Lookahead {
		t.Errorf("processed %d, prefetched %d, at most %d ahead, error %v; want %d, %d ahead",
			path.processed, path.prefetched, path.most, r.err, want, pipeline.Lookahead)
	}
	if len(path.mixed) > 0 {
		t.Errorf("records with parts of others: %v", path.mixed)
	}
}

// Where the output is full the rest of the batch is read again.
func TestWorker_WhatWasReadAheadIsReadAgain(t *testing.T) {
	t.Parallel()
	w, path := newReading(t)
	w.limit = undoBytes // full with each record
	c := &chunk{rest: five(nil)}
	for range 5 {
		var r reply
		w.process(c, &r, time.Time{})
		if r.err != nil || r.records != 1 {
			t.Fatalf("%d records, error %v; want 1", r.records, r.err)
		}
		w.out.take()
	}
	if want := []int64{0, 1, 2, 3, 4}; !slices.Equal(path.processed, want) || len(path.mixed) > 0 {
		t.Errorf("processed %d, want %d; with parts of others: %v", path.processed, want, path.mixed)
	}
}

func TestWorker_LetsGoOfWhatItHasRead(t *testing.T) {
	t.Parallel()
	w, path := newReading(t)
	var r reply
	w.process(&chunk{rest: five(nil)}, &r, time.Time{})
	if len(path.processed) != 5 {
		t.Fatalf("processed %d", path.processed)
	}
	for i := range w.upcoming.records {
		if in := &w.upcoming.records[i]; in.Value != nil || in.Key != nil || in.Headers != nil {
			t.Errorf("place %d still has a record: %+v", i, *in)
		}
		for _, h := range w.upcoming.parsed[i][:cap(w.upcoming.parsed[i])] {
			if h.Value != nil {
				t.Errorf("place %d still has a header: %s", i, h.Value)
			}
		}
	}
}

package broker

import (
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// batchBytes is where a batch is closed and the next one begun. The broker's
// default limit (message.max.bytes) is 1,048,588 bytes; a batch is counted
// before compression, so it stays below whatever compression does.
const batchBytes = 900 << 10

// output collects what a task writes into record batches, one sequence of
// batches a destination. It belongs to the task's worker.
type output struct {
	limit    [pipeline.Destinations]int
	building [pipeline.Destinations]building
	sealed   []outBatch
	// waiting is how many bytes wait to be written, or are kept beside.
	waiting int
	memory  *memory
	// origin is where the record that is being processed lies, and
	// nowMs the wall clock: outputs carry the time they were written at, also
	// in a topic that does not use LogAppendTime.
	origin place
	nowMs  int64
	// refused is the worker's.
	refused map[place]pipeline.Destination
}

// place is where a record lies that a task has read: its tier, 0 for the input, and
// its offset.
type place struct {
	tier   int
	offset int64
}

type building struct {
	builder *batch.Builder
	origin  place
}

// outBatch is one complete batch for one destination.
type outBatch struct {
	to    pipeline.Destination
	bytes []byte
	// origin is the place of the record that wrote its first record.
	origin place
	// size is what limits are counted by: without compression.
	size int
}

var _ pipeline.Sink = (*output)(nil)

func newOutput(m *memory) *output {
	o := &output{memory: m}
	for i := range o.limit {
		o.limit[i] = batchBytes
	}
	return o
}

// From implements pipeline.Sink.
func (o *output) From(tier int, offset int64) (refused pipeline.Destination, ok bool) {
	o.origin = place{tier, offset}
	refused, ok = o.refused[o.origin]
	return refused, ok
}

// Append implements pipeline.Sink.
func (o *output) Append(to pipeline.Destination, key, value []byte, headers []pipeline.Header) {
	b := &o.building[to]
	if b.builder != nil && b.builder.Size()+batch.RecordBound(key, value, headers) > o.limit[to] {
		o.seal(to)
	}
	if b.builder == nil {
		b.builder = o.memory.builder()
		o.waiting += b.builder.Size()
		b.origin = o.origin
	}
	before := b.builder.Size()
	b.builder.Append(o.nowMs, key, value, headers)
	o.waiting += b.builder.Size() - before
}

// seal closes the batch that is being built for a destination.
func (o *output) seal(to pipeline.Destination) {
	b := &o.building[to]
	if b.builder == nil {
		return
	}
	size := b.builder.Size()
	bytes := o.memory.seal(b.builder)
	o.sealed = append(o.sealed, outBatch{to: to, bytes: bytes, origin: b.origin, size: size})
	o.waiting += len(bytes) - size
	*b = building{}
}

// undoBytes is about what a task keeps of a record until its batch has committed, so
// that it can be taken back. That is in flight as well, and with compressed results the
// larger part.
const undoBytes = 160

// keeps counts that for one record.
func (o *output) keeps() { o.waiting += undoBytes }

// size is how many bytes wait to be written, or are kept beside.
func (o *output) size() int { return o.waiting }

// take closes everything and hands it over, in the order in which it was
// written for each destination.
func (o *output) take() []outBatch {
	for to := range pipeline.Destinations {
		o.seal(to)
	}
	taken := o.sealed
	o.sealed, o.waiting = nil, 0
	return taken
}

// drop forgets everything that was written. The memory is left to the garbage
// collector, because a request that timed out may still hold some of it.
func (o *output) drop() {
	o.building = [pipeline.Destinations]building{}
	o.sealed, o.waiting = nil, 0
}

// recycle gives the memory of batches back. Only for batches that no request
// can hold any more: after an answer, never after a time-out.
func (o *output) recycle(batches []outBatch) {
	for _, b := range batches {
		o.memory.recycle(b.bytes)
	}
}

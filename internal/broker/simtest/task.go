package simtest

import (
	"crypto/rand"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// task is the service's record path, which tells of its steps.
type task struct {
	*pipeline.Task

	process *process
	// readings counts those of the clock within a record.
	readings int
	out      sink
}

var _ broker.Task = (*task)(nil)

const maxRecordBytes = 4096

// pathSettings are those of every record path here.
func pathSettings() pipeline.Settings {
	return pipeline.Settings{
		Group: group, ScorerVersion: "simulation", DefaultSource: "unknown", MaxRecordBytes: maxRecordBytes, License: true,
		State: state.Settings{DedupeWindow: 24 * time.Hour, DedupeMaxIDs: 1 << 20, MemorySize: 100}, // profile v2 keeps no window
	}
}

func (p *process) newTask(int32) broker.Task {
	t := &task{process: p}
	t.out.task = t
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	inner, err := pipeline.New(pathSettings(), pipeline.Deps{Profile: scoring.V2(), Metrics: p.metrics, HashKey: key, Now: t.now})
	if err != nil {
		p.world.failf("record path: %v", err)
		return nil
	}
	t.Task = inner
	return t
}

// Restore implements broker.Task.
func (t *task) Restore(key, value []byte) error {
	t.process.inTask(Restoring)
	return t.Task.Restore(key, value)
}

// Process implements broker.Task.
func (t *task) Process(in *pipeline.Record, out pipeline.Sink) pipeline.Answer {
	p := t.process
	if f := p.stopAtWork.Swap(nil); f != nil {
		p.stop()
		p.world.succeed(f.Lasting)
		wait(stopHeard, p.link.dead)
	}
	p.inTask(Fetched)
	t.readings, t.out.Sink = 0, out
	return t.Task.Process(in, &t.out)
}

// stopHeard is enough for the engine's loop to hear that it is to stop.
const stopHeard = time.Millisecond

// decodedReading: the record path reads the clock when it begins with a record
// whose times it takes, and again when it has decoded it.
const decodedReading = 2

func (t *task) now() time.Time {
	if t.readings++; t.readings == decodedReading {
		t.process.inTask(Decoded)
	}
	return time.Now()
}

// Seal implements broker.Task.
func (t *task) Seal(nowMs int64, out pipeline.Sink) {
	t.process.inTask(Sealed)
	t.readings = decodedReading // its readings are no record's
	t.Task.Seal(nowMs, out)
}

// Commit implements broker.Task.
func (t *task) Commit() {
	t.process.inTask(Merged)
	t.readings = decodedReading
	t.Task.Commit()
}

// sink sees what comes of a record.
type sink struct {
	pipeline.Sink

	task *task
}

// Append implements pipeline.Sink.
func (s *sink) Append(to pipeline.Destination, key, value []byte, headers []pipeline.Header) {
	if to == pipeline.Results {
		s.task.process.inTask(Scored)
	}
	s.Sink.Append(to, key, value, headers)
}

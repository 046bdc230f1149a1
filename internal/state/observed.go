package state

import (
	"encoding/binary"
	"math"

	"pulse-scorer/internal/series"
)

// seriesStep is what a series.Series was given: an observation, or the score of a
// forecast of it.
type seriesStep struct {
	scored bool
	// value is an observation's, or the score.
	value float64
	// beside is the observation's time in microseconds, or the bits of what had been
	// predicted: there is a step for each record of two batches.
	beside int64
}

func observation(value float64, atMicros int64) seriesStep {
	return seriesStep{value: value, beside: atMicros}
}

func scoreOf(score, predicted float64) seriesStep {
	return seriesStep{scored: true, value: score, beside: int64(math.Float64bits(predicted))}
}

// atMicros is the time of an observation, 0 of a score.
func (s *seriesStep) atMicros() int64 {
	if s.scored {
		return 0
	}
	return s.beside
}

func (s *seriesStep) predicted() float64 { return math.Float64frombits(uint64(s.beside)) }

func seriesStepping() stepping[*series.Series, seriesStep] {
	return stepping[*series.Series, seriesStep]{
		whole: kindSeries, steps: kindSteps, newBySteps: true,
		apply: func(s *series.Series, step seriesStep) {
			if step.scored {
				s.Scored(step.value, step.predicted())
			} else {
				s.Observe(step.value, step.atMicros())
			}
		},
		append: appendSeriesStep, read: readSeriesStep,
	}
}

// The tags of steps in the changelog. Times are differences to the step before it
// in the same record; a score has time 0.
const (
	tagObserved byte = 1 // time, value
	tagScored   byte = 2 // score, prediction
)

func appendSeriesStep(dst []byte, before, step *seriesStep) []byte {
	if step.scored {
		dst = append(dst, tagScored)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(step.value))
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(step.predicted()))
	}
	dst = append(dst, tagObserved)
	dst = binary.AppendVarint(dst, step.atMicros()-before.atMicros()) // wraps round, and back
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(step.value))
}

func readSeriesStep(r *reader, before *seriesStep) seriesStep {
	switch r.byte() {
	case tagObserved:
		at := before.atMicros() + r.varint()
		return observation(r.float64(), at)
	case tagScored:
		score := r.float64()
		return scoreOf(score, r.float64())
	}
	r.fail("unknown step")
	return seriesStep{}
}

// Advance gives a series its next observation, and returns the series as it is
// then with what the observation shows. The series is only read, and valid until
// the next call on the Task.
func (t *Task) Advance(source, name string, value float64, atMicros int64) (*series.Series, series.Reading) {
	s := t.series.take(t.batch, source, name, observation(value, atMicros))
	reading := s.Observe(value, atMicros)
	return s, reading
}

// Weigh is what Advance would return, and changes nothing: for an observation that
// the series has already. The series is valid until the next call on the Task.
func (t *Task) Weigh(source, name string, value float64, atMicros int64) (*series.Series, series.Reading) {
	if s := t.series.view(source, name); s != nil {
		t.weighed.CopyFrom(s)
	} else {
		t.weighed.CopyFrom(new(series.Series))
	}
	reading := t.weighed.Observe(value, atMicros)
	return &t.weighed, reading
}

// Series returns a series, or nil when nothing of it was ever observed. It is only
// read, and valid until the next call on the Task.
func (t *Task) Series(source, name string) *series.Series { return t.series.view(source, name) }

// Scored tells the stream of a forecast the score it got, and what had been
// predicted.
func (t *Task) Scored(source, name string, score, predicted float64) {
	s := t.series.take(t.batch, source, name, scoreOf(score, predicted))
	s.Scored(score, predicted)
}

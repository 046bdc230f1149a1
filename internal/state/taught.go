package state

import (
	"encoding/binary"
	"math"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/series"
)

// lesson is what the model of a task was taught with: a forecast's features, what
// was predicted of it, and its score.
type lesson struct {
	features   series.Features
	prediction learn.Prediction
	score      float64
}

func modelStepping() stepping[*learn.Model, lesson] {
	return stepping[*learn.Model, lesson]{
		whole: kindModel, steps: kindLessons,
		apply: func(m *learn.Model, l lesson) {
			_ = m.Learn(&l.features, l.prediction, l.score) // a fault is the same each time
		},
		append: appendLesson, read: readLesson,
	}
}

func appendLesson(dst []byte, _, l *lesson) []byte {
	counted := byte(0)
	if l.prediction.Counted {
		counted = 1
	}
	dst = append(dst, counted)
	for _, x := range []float64{l.prediction.Score, l.prediction.Last, l.prediction.Mean, l.score} {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return appendFloats(dst, l.features[:])
}

func readLesson(r *reader, _ *lesson) (l lesson) {
	l.prediction.Counted = r.byte() == 1
	for _, x := range []*float64{&l.prediction.Score, &l.prediction.Last, &l.prediction.Mean, &l.score} {
		*x = r.float64()
	}
	for i := range l.features {
		l.features[i] = r.float64()
	}
	return l
}

// Model is what the task has learned of forecasts. It is only read, and valid
// until the next Teach or a rollback.
func (t *Task) Model() *learn.Model {
	if m := t.model.view("", ""); m != nil {
		return m
	}
	return &t.untaught
}

// Lessons is how many there were since the state began.
func (t *Task) Lessons() uint64 {
	if r := t.model.find("", ""); r != nil {
		return r.total
	}
	return 0
}

// Teach lets the model learn from a forecast. An error is the model's: what it
// says has become of the model counts, and is the same after a restore.
func (t *Task) Teach(f *series.Features, p learn.Prediction, score float64) error {
	return t.model.take(t.batch, "", "", lesson{features: *f, prediction: p, score: score}).Learn(f, p, score)
}

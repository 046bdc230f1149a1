package state

import (
	"bytes"
	"encoding"
	"errors"
	"testing"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/series"
)

// advance does to both what the record path does with an observation of a profile
// without a window, and what a forecast's score does to its stream.
func (w *world) advance(k seriesKey, v float64) {
	at := w.rng.Int64N(1 << 40)
	want := new(series.Series)
	if before, ok := w.open.series[k]; ok {
		want.CopyFrom(before)
	}
	if got, reading := w.task.Weigh(k.source, k.name, v, at); true {
		other := new(series.Series)
		other.CopyFrom(want)
		if wantReading := other.Observe(v, at); reading != wantReading || !sameSeries(w.t, got, other) {
			w.t.Fatalf("Weigh(%v) = %+v, want %+v", k, reading, wantReading)
		}
	}
	got, reading := w.task.Advance(k.source, k.name, v, at)
	if wantReading := want.Observe(v, at); reading != wantReading || !sameSeries(w.t, got, want) {
		w.t.Fatalf("Advance(%v) = %+v, want %+v", k, reading, wantReading)
	}
	if w.rng.IntN(3) == 0 {
		score, predicted := w.rng.Float64(), w.rng.Float64()
		w.task.Scored(k.source, k.name, score, predicted)
		want.Scored(score, predicted)
		w.teach(want, w.open.sources[k.source])
	}
	w.open.series[k] = want
	source, known := w.task.Source(k.source)
	wantSource, wantKnown := w.open.sources[k.source]
	if source != wantSource || known != wantKnown {
		w.t.Fatalf("source %s is %+v, %v; want %+v, %v", k.source, source, known, wantSource, wantKnown)
	}
	source.Count(w.rng.IntN(2) == 0)
	source.Note(want)
	w.task.SetSource(k.source, source)
	w.open.sources[k.source] = source
}

func (w *world) teach(of *series.Series, source series.Source) {
	var f series.Features
	of.Features(&source, &f)
	want := new(learn.Model)
	want.CopyFrom(w.open.model)
	prediction := w.task.Model().Predict(&f, of.Trust())
	if wantPrediction := want.Predict(&f, of.Trust()); prediction != wantPrediction {
		w.t.Fatalf("predicted %+v, want %+v", prediction, wantPrediction)
	}
	score := w.rng.Float64() * 1.1 // sometimes none that can be learned
	err := w.task.Teach(&f, prediction, score)
	if wantErr := want.Learn(&f, prediction, score); !errors.Is(err, wantErr) {
		w.t.Fatalf("Teach = %v, want %v", err, wantErr)
	}
	w.open.model = want
}

func bytesOf(t *testing.T, m encoding.BinaryAppender) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameSeries(t *testing.T, a, b *series.Series) bool {
	t.Helper()
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(bytesOf(t, a), bytesOf(t, b))
}

func (w *world) compareSeries(when string, task *Task, want naive) {
	w.t.Helper()
	for i := range w.series {
		k := worldSeries(i)
		if !sameSeries(w.t, task.Series(k.source, k.name), want.series[k]) {
			w.t.Fatalf("%s: series %v differs", when, k)
		}
	}
	if got := task.series.index.n; got != len(want.series) {
		w.t.Fatalf("%s: %d series, want %d", when, got, len(want.series))
	}
	for name, s := range want.sources {
		if got, _ := task.Source(name); got != s {
			w.t.Fatalf("%s: source %s is %+v, want %+v", when, name, got, s)
		}
	}
	if got := len(task.sources.byName); got != len(want.sources) {
		w.t.Fatalf("%s: %d sources, want %d", when, got, len(want.sources))
	}
	if !bytes.Equal(bytesOf(w.t, task.Model()), bytesOf(w.t, want.model)) {
		w.t.Fatalf("%s: the model differs", when)
	}
	if task.series.log.n == 0 && task.series.copies.n > 0 {
		w.t.Fatalf("%s: %d copies are kept for nothing", when, task.series.copies.n)
	}
}

package series_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"pulse-scorer/internal/series"
)

// stepper gives a series and its source random things to do.
type stepper struct {
	*rand.Rand

	at int64
}

func newStepper(seed uint64) *stepper { return &stepper{Rand: rand.New(rand.NewPCG(seed, 7))} }

// value is mostly ordinary, at times as extreme as a float gets.
func (r *stepper) value() float64 {
	if r.IntN(20) == 0 {
		return extremes[r.IntN(len(extremes))]
	}
	return 100 + r.NormFloat64()
}

var extremes = []float64{
	0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64,
	1e308, -1e308, 1e-308, 1e154, -1e154, 1, -1,
}

func (r *stepper) step(s *series.Series, src *series.Source) (series.Reading, series.Features) {
	r.at += int64(r.ExpFloat64() * 60e6)
	if r.IntN(10) == 0 {
		r.at -= 300e6
	}
	reading := s.Observe(r.value(), r.at)
	src.Count(r.IntN(5) > 0)
	src.Note(s)
	var f series.Features
	s.Features(src, &f)
	if r.IntN(3) == 0 {
		s.Scored(r.Float64(), r.Float64())
	}
	return reading, f
}

func bytesOf(tb testing.TB, s *series.Series, src *series.Source) []byte {
	tb.Helper()
	dst, err := s.AppendBinary(nil)
	if err != nil {
		tb.Fatal(err)
	}
	if dst, err = src.AppendBinary(dst); err != nil {
		tb.Fatal(err)
	}
	return dst
}

// A series that is restored, and one that is copied, go on as the one they came
// from, to the bit, wherever that was.
func TestSeries_RestoredAtAnyPointGoesOnTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		s, src, r := new(series.Series), new(series.Source), newStepper(seed)
		for range seed * 13 {
			r.step(s, src)
		}
		text, err := s.AppendBinary([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		about, _ := src.AppendBinary(nil)
		restored, restoredSource, copied := new(series.Series), new(series.Source), new(series.Series)
		if err := restored.UnmarshalBinary(text[len("before"):]); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := restoredSource.UnmarshalBinary(about); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		copied.Observe(5, 5) // what was there before goes
		copied.CopyFrom(s)
		copiedSource := *src
		var asItWas, asItIs series.Features
		s.Features(src, &asItWas)
		restored.Features(restoredSource, &asItIs)
		if asItIs != asItWas || restored.Trust() != s.Trust() {
			t.Errorf("seed %d: restored with other features or trust", seed)
		}
		now := r.at
		var want, got, third []byte
		for i, run := range []struct {
			s    *series.Series
			src  *series.Source
			into *[]byte
		}{{s, src, &want}, {restored, restoredSource, &got}, {copied, &copiedSource, &third}} {
			r := newStepper(seed + 1000)
			r.at = now
			for range 50 {
				reading, f := r.step(run.s, run.src)
				for _, x := range append(f[:], reading.Anomaly, reading.Continuity) {
					*run.into = binary.LittleEndian.AppendUint64(*run.into, math.Float64bits(x))
				}
			}
			*run.into = append(*run.into, bytesOf(t, run.s, run.src)...)
			if i > 0 && !bytes.Equal(*run.into, want) {
				t.Errorf("seed %d: run %d went another way", seed, i)
			}
		}
	}
}

func TestSeries_ObserveAllocatesNothing(t *testing.T) {
	s, src, r := new(series.Series), new(series.Source), newStepper(1)
	for range 1000 {
		r.step(s, src)
	}
	var f series.Features
	n := testing.AllocsPerRun(1000, func() {
		s.Observe(r.NormFloat64(), r.at)
		src.Count(true)
		src.Note(s)
		s.Features(src, &f)
		s.Scored(0.5, 0.4)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// sane holds that everything a series says is in its bounds.
func sane(tb testing.TB, s *series.Series, src *series.Source, reading series.Reading) {
	tb.Helper()
	if !(reading.Anomaly >= 0 && reading.Anomaly <= 1) || !(reading.Continuity > 0 && reading.Continuity <= 1) ||
		!(reading.UsualGap >= 0 && reading.UsualGap <= math.MaxFloat64) {
		tb.Fatalf("reading %+v", reading)
	}
	if r := src.Reliability(); !(r >= 0 && r <= 1) {
		tb.Fatalf("reliability %v", r)
	}
	var f series.Features
	s.Features(src, &f)
	for i, x := range f {
		if !(math.Abs(x) <= series.FeatureMax) {
			tb.Fatalf("feature %s is %v", series.FeatureNames()[i], x)
		}
	}
	if tr := s.Trust(); !(tr.Error >= 0 && tr.Error <= 1) || !(tr.Mean >= 0 && tr.Mean <= 1) {
		tb.Fatalf("trust %+v", tr)
	}
}

// FuzzSeries holds, for all finite values at all times and all scores,
//   - that what a series and its source say is in its bounds;
//   - that their bytes restore to the same bytes.
func FuzzSeries(f *testing.F) {
	var all []byte
	for i, x := range extremes {
		all = binary.LittleEndian.AppendUint64(all, math.Float64bits(x))
		all = binary.LittleEndian.AppendUint64(all, uint64(i*i)*1e9)
	}
	f.Add(all)
	f.Add(bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0x80}, 40))
	f.Add(bytes.Repeat([]byte{1, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0}, 40))
	f.Fuzz(func(t *testing.T, steps []byte) {
		s, src := new(series.Series), new(series.Source)
		for ; len(steps) >= 16; steps = steps[16:] {
			value := math.Float64frombits(binary.LittleEndian.Uint64(steps))
			if math.IsNaN(value) || math.IsInf(value, 0) {
				continue
			}
			at := int64(binary.LittleEndian.Uint64(steps[8:]))
			reading := s.Observe(value, at)
			src.Count(at%3 == 0)
			src.Note(s)
			s.Scored(value, float64(at)/math.MaxInt64) // most are no scores, and not taken
			sane(t, s, src, reading)
		}
		text := bytesOf(t, s, src)
		again := new(series.Series)
		own, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalBinary(own); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytesOf(t, again, src), text) {
			t.Error("restored to something else")
		}
	})
}

// FuzzSeries_Garbage holds that whatever bytes are taken for a series or a source
// are its own form, and behave.
func FuzzSeries_Garbage(f *testing.F) {
	s, src, r := new(series.Series), new(series.Source), newStepper(3)
	for range 3 {
		own, err := s.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		about, _ := src.AppendBinary(nil)
		f.Add(own)
		f.Add(about)
		for range 30 {
			r.step(s, src)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, src := new(series.Series), new(series.Source)
		r := newStepper(4)
		if s.UnmarshalBinary(data) == nil {
			if again, _ := s.AppendBinary(nil); !bytes.Equal(again, data) {
				t.Error("a series was taken for what it is not")
			}
			sane(t, s, src, series.Reading{Continuity: 1})
			for range 20 {
				reading, _ := r.step(s, src)
				sane(t, s, src, reading)
			}
		}
		if src.UnmarshalBinary(data) == nil {
			if again, _ := src.AppendBinary(nil); !bytes.Equal(again, data) {
				t.Error("a source was taken for what it is not")
			}
			sane(t, s, src, series.Reading{Continuity: 1})
		}
	})
}

// Every byte counts: with any one missing, or the version changed, it is no series.
func TestSeries_RefusesWhatItDidNotWrite(t *testing.T) {
	t.Parallel()
	s, src, r := new(series.Series), new(series.Source), newStepper(5)
	for range 100 {
		r.step(s, src)
	}
	own, _ := s.AppendBinary(nil)
	about, _ := src.AppendBinary(nil)
	for n := range own {
		if new(series.Series).UnmarshalBinary(own[:n]) == nil {
			t.Fatalf("%d of %d bytes are a series", n, len(own))
		}
	}
	for n := range about {
		if new(series.Source).UnmarshalBinary(about[:n]) == nil {
			t.Fatalf("%d of %d bytes are a source", n, len(about))
		}
	}
	before := bytesOf(t, s, src)
	for _, broken := range [][]byte{append(own, 0), append([]byte{9}, own[1:]...), append(about, 0), append([]byte{9}, about[1:]...)} {
		if s.UnmarshalBinary(broken) == nil || src.UnmarshalBinary(broken) == nil {
			t.Fatal("taken")
		}
	}
	if !bytes.Equal(bytesOf(t, s, src), before) {
		t.Error("a refusal changed it")
	}
}

func BenchmarkSeries_Observe(b *testing.B) {
	s, src := new(series.Series), new(series.Source)
	values := make([]float64, 1024)
	r := newStepper(1)
	for i := range values {
		values[i] = 100 + r.NormFloat64()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.Observe(values[i&1023], int64(i)*60e6)
		src.Count(true)
		src.Note(s)
		i++
	}
	text, _ := s.AppendBinary(nil)
	b.ReportMetric(float64(s.Size()), "B/series")
	b.ReportMetric(float64(len(text)), "B/encoded")
}

func BenchmarkSeries_Features(b *testing.B) {
	s, src, r := new(series.Series), new(series.Source), newStepper(1)
	for range 100 {
		r.step(s, src)
	}
	var f series.Features
	b.ReportAllocs()
	for b.Loop() {
		s.Features(src, &f)
		s.Scored(0.5, 0.4)
	}
}

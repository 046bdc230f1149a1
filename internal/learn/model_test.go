package learn_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/series"
	"pulse-scorer/schemas"
)

// lessonsOf makes n lessons of a world in which the score is the last one and a
// tenth of one feature, with some noise.
func lessonsOf(n int, seed uint64) []lesson {
	r := rand.New(rand.NewPCG(seed, 1))
	lessons := make([]lesson, n)
	for i := range lessons {
		l := &lessons[i]
		for j := range l.features {
			l.features[j] = r.Float64()*2 - 1
		}
		l.history = series.Trust{Known: true, Last: 0.3 + 0.4*r.Float64(), Mean: 0.5, Error: 0.1}
		l.score = l.history.Last + 0.1*l.features[series.FeatureDirection] + 0.002*r.NormFloat64()
	}
	return lessons
}

func taught(tb testing.TB, lessons []lesson) *learn.Model {
	tb.Helper()
	m := new(learn.Model)
	for i := range lessons {
		if err := step(m, &lessons[i]); err != nil {
			tb.Fatal(err)
		}
	}
	return m
}

func step(m *learn.Model, l *lesson) error {
	return m.Learn(&l.features, m.Predict(&l.features, l.history), l.score)
}

func bytesOf(tb testing.TB, m *learn.Model) []byte {
	tb.Helper()
	text, err := m.AppendBinary(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestModel_LearnsWhatThereIsToLearn(t *testing.T) {
	t.Parallel()
	m := taught(t, lessonsOf(500, 1))
	before := m.Accuracy()
	for _, l := range lessonsOf(500, 2) {
		if err := step(m, &l); err != nil {
			t.Fatal(err)
		}
	}
	after := m.Accuracy()
	late := (after.Model - before.Model) / 500
	if _, last, _ := after.MAE(); late > 0.004 || last < 0.04 {
		t.Errorf("mean absolute error %v once taught, the last score %v; the noise is 0.0016", late, last)
	}
}

func TestModel_KnowsNothingAtFirst(t *testing.T) {
	t.Parallel()
	var m learn.Model
	var f series.Features
	if p := m.Predict(&f, series.Trust{}); p.Score != 0.5 || p.Counted {
		t.Errorf("no scores at all: %+v", p)
	}
	if err := m.Learn(&f, m.Predict(&f, series.Trust{}), 0.9); err != nil {
		t.Fatal(err)
	}
	if p := m.Predict(&f, series.Trust{}); p.Score != 0.9 || p.Counted {
		t.Errorf("another stream's first: %+v", p)
	}
	p := m.Predict(&f, series.Trust{Known: true, Last: 0.7, Mean: 0.6})
	if p != (learn.Prediction{Score: 0.7, Last: 0.7, Mean: 0.6, Counted: true}) {
		t.Errorf("the stream's last: %+v", p)
	}
	if a := m.Accuracy(); a != (learn.Accuracy{}) {
		t.Errorf("accuracy %+v", a)
	}
}

// Predicting changes nothing, so that what was predicted is prequential however
// often one asks.
func TestModel_PredictOnlyReads(t *testing.T) {
	t.Parallel()
	lessons := lessonsOf(100, 3)
	m := taught(t, lessons)
	before := bytesOf(t, m)
	for _, l := range lessons {
		m.Predict(&l.features, l.history)
	}
	if !bytes.Equal(bytesOf(t, m), before) {
		t.Error("it has changed")
	}
}

func TestModel_FaultsAreTypedAndHarmless(t *testing.T) {
	t.Parallel()
	lessons := lessonsOf(200, 4)
	m := taught(t, lessons)
	l := &lessons[0]
	p := m.Predict(&l.features, l.history)
	for _, c := range []struct {
		name  string
		spoil func(f *series.Features, p *learn.Prediction, score *float64)
		want  learn.Fault
	}{
		{"score that is none", func(_ *series.Features, _ *learn.Prediction, score *float64) { *score = math.NaN() }, learn.FaultTarget},
		{"score too high", func(_ *series.Features, _ *learn.Prediction, score *float64) { *score = 1.0000001 }, learn.FaultTarget},
		{"prediction that is none", func(_ *series.Features, p *learn.Prediction, _ *float64) { p.Score = math.NaN() }, learn.FaultTarget},
		{"naive prediction that is none", func(_ *series.Features, p *learn.Prediction, _ *float64) { p.Last = math.Inf(1) }, learn.FaultTarget},
		{"feature that is none", func(f *series.Features, _ *learn.Prediction, _ *float64) { f[3] = math.NaN() }, learn.FaultFeature},
		{"feature out of bounds", func(f *series.Features, _ *learn.Prediction, _ *float64) { f[0] = 1e308 }, learn.FaultFeature},
	} {
		f, q, score := l.features, p, l.score
		c.spoil(&f, &q, &score)
		err := m.Learn(&f, q, score)
		if fault, ok := errors.AsType[learn.Fault](err); !ok || fault != c.want || !strings.HasPrefix(err.Error(), "learn: ") {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if got := m.Predict(&f, l.history).Score; !(got >= 0 && got <= 1) {
			t.Errorf("%s: predicts %v then", c.name, got)
		}
	}
	if got := m.Predict(&l.features, l.history); got != p {
		t.Errorf("predicts %+v after the faults, %+v before", got, p)
	}
	if len(learn.Faults()) != 3 {
		t.Errorf("faults: %v", learn.Faults())
	}
}

// A covariance that is none, as rounding could make one, is noticed with the next
// lesson: all weights begin anew, and what was counted stays.
func TestModel_BeginsAnewWhenItHasDiverged(t *testing.T) {
	t.Parallel()
	lessons := lessonsOf(300, 10)
	text := bytesOf(t, taught(t, lessons))
	// The covariance is a triangle at the end; its last row but one entry is not on
	// the diagonal.
	binary.LittleEndian.PutUint64(text[len(text)-16:], math.Float64bits(1e5))
	m := new(learn.Model)
	if err := m.UnmarshalBinary(text); err != nil {
		t.Fatal(err)
	}
	before := m.Accuracy().Forecasts
	if err := step(m, &lessons[0]); !errors.Is(err, learn.FaultDiverged) {
		t.Fatalf("got %v", err)
	}
	if p := m.Predict(&lessons[0].features, lessons[0].history); p.Score != p.Last || m.Accuracy().Forecasts != before+1 {
		t.Errorf("predicts %+v then, after %d forecasts", p, m.Accuracy().Forecasts)
	}
	for i := range lessons {
		if err := step(m, &lessons[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// A model that is restored or copied goes on as the one it came from, to the bit.
func TestModel_RestoredGoesOnTheSame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 33, 1000} {
		m := taught(t, lessonsOf(n, 5))
		restored, copied := taught(t, lessonsOf(3, 6)), taught(t, lessonsOf(3, 6))
		if err := restored.UnmarshalBinary(bytesOf(t, m)); err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		copied.CopyFrom(m)
		for i, l := range lessonsOf(200, 7) {
			p := m.Predict(&l.features, l.history)
			for _, other := range []*learn.Model{restored, copied} {
				if q := other.Predict(&l.features, l.history); q != p {
					t.Fatalf("after %d and %d more: %v, not %v", n, i, q, p)
				}
				if err := step(other, &l); err != nil {
					t.Fatal(err)
				}
			}
			if err := step(m, &l); err != nil {
				t.Fatal(err)
			}
		}
		if want := bytesOf(t, m); !bytes.Equal(bytesOf(t, restored), want) || !bytes.Equal(bytesOf(t, copied), want) {
			t.Errorf("after %d: not the same", n)
		}
	}
}

func TestModel_RefusesWhatItDidNotWrite(t *testing.T) {
	t.Parallel()
	m := taught(t, lessonsOf(50, 8))
	before := bytesOf(t, m)
	for n := range before {
		if m.UnmarshalBinary(before[:n]) == nil {
			t.Fatalf("%d of %d bytes are a model", n, len(before))
		}
	}
	for i, change := range [][2]int{{0, 9}, {1, 200}, {2, 0}, {2, 2}} {
		broken := bytes.Clone(before)
		broken[change[0]] = byte(change[1])
		if m.UnmarshalBinary(broken) == nil {
			t.Errorf("change %d was taken", i)
		}
	}
	for at := 3; at+8 <= len(before); at += 8 {
		for _, bits := range []uint64{math.Float64bits(math.NaN()), math.Float64bits(math.Inf(-1))} {
			broken := bytes.Clone(before)
			binary.LittleEndian.PutUint64(broken[at:], bits)
			if m.UnmarshalBinary(broken) == nil {
				t.Errorf("%x at %d was taken", bits, at)
			}
		}
	}
	if !bytes.Equal(bytesOf(t, m), before) {
		t.Error("a refusal changed it")
	}
}

// For a million lessons of which most say nothing new (all the same, all zero, at
// their bounds), the numbers stay where they can be used: forgetting without
// regularisation ends in infinities here.
func TestModel_StaysBoundedWhenNothingIsToLearn(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 9))
	var same, bound series.Features
	for i := range bound {
		same[i], bound[i] = 0.3, series.FeatureMax
	}
	for name, next := range map[string]func(*lesson){
		"all zero":      func(*lesson) {},
		"the same":      func(l *lesson) { l.features = same },
		"at the bounds": func(l *lesson) { l.features = bound },
		"one at a time": func(l *lesson) { l.features[r.IntN(series.FeatureCount)] = series.FeatureMax },
		"signs at random": func(l *lesson) {
			for i := range l.features {
				l.features[i] = math.Copysign(series.FeatureMax, r.Float64()-0.5)
			}
		},
	} {
		m := new(learn.Model)
		for range 20_000 {
			l := lesson{history: series.Trust{Known: true, Last: float64(r.IntN(2)), Mean: r.Float64()}, score: float64(r.IntN(2))}
			next(&l)
			if err := step(m, &l); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if p := m.Predict(&l.features, l.history); !(p.Score >= 0 && p.Score <= 1) {
				t.Fatalf("%s: predicts %v", name, p)
			}
		}
		if err := new(learn.Model).UnmarshalBinary(bytesOf(t, m)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzModel holds, whatever features, scores and histories come, numbers or none,
//   - that predictions are in [0,1];
//   - that errors are Faults;
//   - that the model's bytes restore to the same bytes.
func FuzzModel(f *testing.F) {
	for seed := range uint64(3) {
		var text []byte
		for _, l := range lessonsOf(4, seed) {
			for _, x := range append(l.features[:], l.history.Last, l.history.Mean, l.score) {
				text = binary.LittleEndian.AppendUint64(text, math.Float64bits(x))
			}
		}
		f.Add(text)
	}
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f}, 80))
	f.Add(bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x7f}, 80))
	f.Add(bytes.Repeat([]byte{1, 0, 0, 0, 0, 0, 0, 0}, 80))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := new(learn.Model)
		next := func() (x float64) {
			if len(text) >= 8 {
				x, text = math.Float64frombits(binary.LittleEndian.Uint64(text)), text[8:]
			}
			return x
		}
		for len(text) >= 8 {
			var l lesson
			for i := range l.features {
				l.features[i] = next()
			}
			l.history = series.Trust{Known: len(text)%3 > 0, Last: share(next()), Mean: share(next())}
			l.score = next()
			if err := step(m, &l); err != nil && !errors.As(err, new(learn.Fault)) {
				t.Fatal(err)
			}
			if p := m.Predict(&l.features, l.history); !(p.Score >= 0 && p.Score <= 1) {
				t.Fatalf("predicts %+v", p)
			}
		}
		own, again := bytesOf(t, m), new(learn.Model)
		if err := again.UnmarshalBinary(own); err != nil || !bytes.Equal(bytesOf(t, again), own) {
			t.Errorf("restored to something else: %v", err)
		}
	})
}

// share is x made a share, as a series' history has them.
func share(x float64) float64 {
	if !(x >= 0) {
		return 0
	}
	return min(x, 1)
}

// FuzzModel_Garbage holds that whatever is taken for a model is in its own form,
// and predicts and learns.
func FuzzModel_Garbage(f *testing.F) {
	f.Add(bytesOf(f, new(learn.Model)))
	f.Add(bytesOf(f, taught(f, lessonsOf(1, 1))))
	f.Add(bytesOf(f, taught(f, lessonsOf(100, 1))))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(learn.Model)
		if m.UnmarshalBinary(data) != nil {
			return
		}
		if !bytes.Equal(bytesOf(t, m), data) {
			t.Error("taken for what it is not")
		}
		for _, l := range lessonsOf(20, 2) {
			if p := m.Predict(&l.features, l.history); !(p.Score >= 0 && p.Score <= 1) {
				t.Fatalf("predicts %+v", p)
			}
			if err := step(m, &l); err != nil && !errors.As(err, new(learn.Fault)) {
				t.Fatal(err)
			}
		}
	})
}

func TestSnapshot_MatchesItsSchema(t *testing.T) {
	t.Parallel()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schemas.Model()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("model.json", document); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("model.json")
	for n, m := range map[int]*learn.Model{0: {}, 300: taught(t, lessonsOf(300, 1))} {
		snapshot := m.Snapshot(3)
		text, err := snapshot.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); err != nil {
			t.Errorf("%d lessons: %v: %s", n, err, text)
		}
		broken := strings.Replace(string(text), `"weights"`, `"weight"`, 1)
		if instance, _ = jsonschema.UnmarshalJSON(strings.NewReader(broken)); schema.Validate(instance) == nil {
			t.Error("the schema takes anything")
		}
	}
}

// Who has a snapshot can predict what the model predicts, by what the schema says.
func TestSnapshot_PredictsAsTheModel(t *testing.T) {
	t.Parallel()
	m := taught(t, lessonsOf(300, 1))
	s := m.Snapshot(0)
	text, err := s.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got learn.Snapshot
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, l := range lessonsOf(100, 2) {
		sum := l.history.Last + got.Constant
		for i, w := range got.Weights {
			sum += w * l.features[i]
		}
		want := m.Predict(&l.features, l.history).Score
		if math.Abs(max(0, min(sum, 1))-want) > 1e-12 {
			t.Fatalf("by hand %v, the model %v", sum, want)
		}
	}
}

func BenchmarkModel_PredictAndLearn(b *testing.B) {
	lessons := lessonsOf(1024, 1)
	m := new(learn.Model)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := step(m, &lessons[i&1023]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(m.Size()), "B/model")
	b.ReportMetric(float64(len(bytesOf(b, m))), "B/encoded")
}

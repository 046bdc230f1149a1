package anomaly

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// What a score means: of the values of series without anomalies about 1 and 0.1 % have at least 0.99 and 0.999, and not more
// than some 10 % have 0.9. Held over ten kinds of series, on seeds that the calibration has not seen.
func TestScore_IsCalibratedWithoutAnomalies(t *testing.T) {
	t.Parallel()
	levels := []float64{0.9, 0.99, 0.999, DefaultThreshold}
	for _, age := range []struct {
		name              string
		from, to, repeats int
	}{{"young", warmUp, 600, 20}, {"grown", 600, 6000, 5}, {"old", 6000, 30_000, 1}} {
		counts, total := make([]int, len(levels)), 0
		for seed := range age.repeats {
			for _, s := range ordinary(age.to, 1000+uint64(seed)) {
				for _, score := range s.scores()[age.from:] {
					total++
					for k, level := range levels {
						if score >= level {
							counts[k]++
						}
					}
				}
			}
		}
		line := fmt.Sprintf("%s (%d values):", age.name, total)
		for k, level := range levels {
			rate := float64(counts[k]) / float64(total)
			line += fmt.Sprintf("  >= %v: %.5f", level, rate)
			least, most := 0.4*(1-level), 1.6*(1-level)
			if level < 0.99 {
				least = 0
			}
			if rate < least || rate > most {
				t.Errorf("%s series: %.5f of the scores are at least %v, want %.5f to %.5f", age.name, rate, level, least, most)
			}
		}
		t.Log(line)
	}
}

// One value far out, in any kind of series and at any age, is an anomaly, and what follows it is not one again.
func TestNext_FlagsAnOutlierOnce(t *testing.T) {
	t.Parallel()
	for _, s := range ordinary(3000, 7) {
		if s.name == "heavy tail" {
			continue // what is far out there happens by itself
		}
		low, high := slices.Min(s.values), slices.Max(s.values)
		for _, at := range []int{150, 1000, 2900} {
			for _, outlier := range []float64{high + 3*(high-low), low - 3*(high-low)} {
				var d Detector
				for i, v := range s.values[:at] {
					d.Next(s.times[i], v)
				}
				d.episode = episode{} // none is under way
				if score := d.Next(s.times[at], outlier); score < DefaultThreshold {
					t.Errorf("%s: %v after %d values scores %v, want at least %v", s.name, outlier, at, score, DefaultThreshold)
				}
				if score := d.Next(s.times[at+1], outlier); score > 0.99 {
					t.Errorf("%s: the outlier's repetition scores %v, want at most 0.99", s.name, score)
				}
			}
		}
	}
}

// An outlier must not spoil what is usual at its hour, or the same hour of the next days is an alarm.
func TestNext_OutlierHasNoEcho(t *testing.T) {
	t.Parallel()
	const at = 12*288 + 100
	echoes, clean := 0, 0
	for seed := range uint64(4) {
		for _, s := range ordinary(at+5*288, seed) {
			for i, score := range s.scores() {
				if i > at+100 && score >= DefaultThreshold {
					clean++
				}
			}
			s.values[at] += 300 * (slices.Max(s.values) - slices.Min(s.values))
			for i, score := range s.scores() {
				if i > at+100 && score >= DefaultThreshold {
					echoes++
				}
			}
		}
	}
	if echoes > clean+clean/4 {
		t.Errorf("%d alarms on the days after an outlier, %d without it", echoes, clean)
	}
}

// What lasts is a new habit, also where nothing ever changed before.
func TestNext_LearnsANewLevel(t *testing.T) {
	t.Parallel()
	for _, noise := range []float64{0, 1} {
		r := rand.New(rand.NewPCG(1, 4))
		var d Detector
		for i := range 24 * 288 {
			v := noise * r.NormFloat64()
			if i >= 10*288 {
				v += 50
			}
			d.Next(int64(i)*step, v)
		}
		for h, usual := range d.season.hours {
			if usual = math.Ldexp(usual, int(d.unit)); math.Abs(usual-50) > 2 {
				t.Errorf("noise %v: hour %d has %v usually after two weeks at 50", noise, h, usual)
			}
		}
	}
}

// Outside of all that was seen: the farther out, the higher the score.
func TestNext_GrowsWithTheDistance(t *testing.T) {
	t.Parallel()
	for _, s := range ordinary(2000, 8) {
		var d Detector
		for i, v := range s.values {
			d.Next(s.times[i], v)
		}
		d.episode = episode{}
		high := slices.Max(s.values)
		last := 0.0
		for k := range 120 {
			var copied Detector
			copied.CopyFrom(&d)
			score := copied.Next(2000*step, high+math.Ldexp(high-slices.Min(s.values), k))
			if score < last {
				t.Errorf("%s: step %d scores %v, the one before %v", s.name, k, score, last)
			}
			last = score
		}
	}
}

func TestNext_SeesKnownKindsOfAnomalies(t *testing.T) {
	t.Parallel()
	const day, begin, n = 288, 12 * 288, 14 * 288
	for _, c := range []struct {
		name   string
		within int // values after the begin
		next   func(r *rand.Rand, i int) float64
	}{
		{"level shift", 30, func(r *rand.Rand, i int) float64 {
			if i >= begin {
				return 60 + r.NormFloat64()
			}
			return 50 + r.NormFloat64()
		}},
		{"missing peak of a day", day, func(r *rand.Rand, i int) float64 {
			if i >= begin && i < begin+day {
				return 20 + r.NormFloat64()
			}
			return 20 + 40*max(0, wave(i, day)) + r.NormFloat64()
		}},
		{"more variance", 60, func(r *rand.Rand, i int) float64 {
			if i >= begin {
				return 10 * r.NormFloat64()
			}
			return r.NormFloat64()
		}},
		{"burst of counts", 30, func(r *rand.Rand, i int) float64 {
			if i >= begin {
				return float64(poisson(r, 15))
			}
			return float64(poisson(r, 0.5))
		}},
		{"first change of a constant", 0, func(_ *rand.Rand, i int) float64 {
			if i >= begin {
				return 43
			}
			return 42
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5, 6))
			var d Detector
			seen := -1
			for i := range n {
				score := d.Next(int64(i)*step, c.next(r, i))
				if i >= begin && seen < 0 && score >= DefaultThreshold {
					seen = i - begin
				}
			}
			if seen < 0 || seen > c.within {
				t.Errorf("seen after %d values, want within %d", seen, c.within)
			}
		})
	}
}

func TestNext_IsQuietOnRegularSeries(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(i int) float64{
		"constant":        func(int) float64 { return 0.1 },
		"zero":            func(int) float64 { return 0 },
		"huge constant":   func(int) float64 { return -math.MaxFloat64 },
		"smallest number": func(int) float64 { return math.SmallestNonzeroFloat64 },
		"two values":      func(i int) float64 { return float64(i % 2) },
		"square of a day": func(i int) float64 { return float64(i / 144 % 2) },
	} {
		var d Detector
		for i := range 5000 {
			if score := d.Next(int64(i)*step, next(i)); score >= DefaultThreshold && i > 3*288 {
				t.Errorf("%s: value %d scores %v", name, i, score)
			}
		}
	}
}

func TestNext_WarmsUp(t *testing.T) {
	t.Parallel()
	for _, s := range ordinary(2*warmUp, 3) {
		s.values[60] = 1e9
		for i, score := range s.scores()[:warmUp] {
			if score != 0 {
				t.Errorf("%s: value %d scores %v during warm-up", s.name, i, score)
			}
		}
	}
}

func TestNext_LearnsNothingFromUndefinedValues(t *testing.T) {
	t.Parallel()
	s := ordinary(300, 1)[0]
	var d Detector
	for i, v := range s.values {
		d.Next(s.times[i], v)
	}
	before := encode(t, &d)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if score := d.Next(300*step, v); score != 0 {
			t.Errorf("%v scores %v, want 0", v, score)
		}
	}
	if !bytes.Equal(encode(t, &d), before) {
		t.Error("an undefined value changed the detector")
	}
}

// Units do not matter: to the bit for powers of two, and for any factor or shift but for rounding.
func TestNext_IsIndependentOfTheUnit(t *testing.T) {
	t.Parallel()
	for _, s := range ordinary(3000, 2) {
		want := s.scores()
		for _, exponent := range []int{-900, -40, 1, 33, 900} {
			scaled := s.mapped(func(v float64) float64 { return math.Ldexp(v, exponent) })
			if !slices.Equal(scaled.scores(), want) {
				t.Errorf("%s: scores change when values are multiplied by 2^%d", s.name, exponent)
			}
		}
		for name, f := range map[string]func(float64) float64{
			"factor 1e-7": func(v float64) float64 { return v * 1e-7 },
			"factor -3":   func(v float64) float64 { return v * -3 },
			"shift":       func(v float64) float64 { return v + 1000 },
		} {
			other := s.mapped(f)
			differ := 0
			for i, score := range other.scores() {
				if (score >= DefaultThreshold) != (want[i] >= DefaultThreshold) {
					differ++
				}
			}
			if differ > 2 {
				t.Errorf("%s: %d of %d values are judged otherwise after %s", s.name, differ, len(want), name)
			}
		}
	}
}

func (s *series) mapped(f func(float64) float64) *series {
	m := &series{name: s.name, times: s.times}
	for _, v := range s.values {
		m.values = append(m.values, f(v))
	}
	return m
}

// wildValue is a number of any size and sign, often a special one.
func wildValue(r *rand.Rand) float64 {
	special := []float64{0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -1e-310, 1e300, 1e-300, 1, math.Inf(1), math.NaN()}
	switch r.IntN(4) {
	case 0:
		return special[r.IntN(len(special))]
	case 1:
		return math.Float64frombits(r.Uint64())
	default:
		return r.NormFloat64()
	}
}

// wildTime is after last by a little, a lot, not at all, or anywhere.
func wildTime(r *rand.Rand, last int64) int64 {
	switch r.IntN(8) {
	case 0:
		return int64(r.Uint64())
	case 1:
		return last
	case 2:
		return last - int64(r.Uint64N(1<<40))
	default:
		return last + int64(r.Uint64N(1<<32))
	}
}

// The same values give the same scores, bit by bit, wherever the detector was stored and restored or
// copied in between, on values and times of any kind; scores stay within 0 and 1.
func TestDetector_RestoredOrCopiedGoesOnAlike(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var original, restored, copied Detector
		at := int64(0)
		for i := range 3000 {
			v := r.NormFloat64() + float64(i/500)
			if seed >= 10 {
				v = wildValue(r)
			}
			at = wildTime(r, at)
			if r.IntN(50) == 0 {
				state := encode(t, &original)
				restored = Detector{}
				if err := restored.UnmarshalBinary(state); err != nil {
					t.Fatalf("seed %d, value %d: %v", seed, i, err)
				}
				if !reflect.DeepEqual(&restored, &original) {
					t.Fatalf("seed %d, value %d: restored is %+v, want %+v", seed, i, restored, original)
				}
				copied.CopyFrom(&original)
			}
			if i == 0 {
				restored.CopyFrom(&original)
			}
			want := original.Next(at, v)
			if !(want >= 0 && want <= 1) {
				t.Fatalf("seed %d: value %d (%v) scores %v", seed, i, v, want)
			}
			if a, b := restored.Next(at, v), copied.Next(at, v); a != want || b != want {
				t.Fatalf("seed %d: value %d scores %v, restored %v, copied %v", seed, i, want, a, b)
			}
		}
	}
}

func TestCopyFrom_IsDeep(t *testing.T) {
	t.Parallel()
	s := ordinary(2000, 4)[0]
	var d, copied, young Detector
	for i, v := range s.values {
		d.Next(s.times[i], v)
	}
	state := encode(t, &d)
	copied.CopyFrom(&d)
	d.CopyFrom(&d)
	for i, v := range s.values {
		copied.Next(s.times[i], v*5)
	}
	if !bytes.Equal(encode(t, &d), state) {
		t.Error("what the copy learned, or a copy onto itself, changed the original")
	}
	copied.CopyFrom(&young)
	if !bytes.Equal(encode(t, &copied), encode(t, &young)) || copied.Size() != young.Size() {
		t.Error("a copy of a new detector is not new")
	}
}

func TestUnmarshalBinary_RefusesWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	s := ordinary(3000, 4)[0]
	var d Detector
	for i, v := range s.values {
		d.Next(s.times[i], v)
	}
	state := encode(t, &d)
	var kept Detector
	kept.CopyFrom(&d)
	refuse := func(what string, bad []byte) {
		t.Helper()
		if err := kept.UnmarshalBinary(bad); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	for n := range state {
		refuse(fmt.Sprintf("a state cut to %d bytes", n), state[:n])
	}
	refuse("a byte too much", append(slices.Clone(state), 0))
	other := slices.Clone(state)
	other[0]++
	refuse("another version", other)
	other = slices.Clone(state)
	other[1] |= 0x80
	refuse("an unknown flag", other)
	if !bytes.Equal(encode(t, &kept), state) {
		t.Error("a refused state changed the detector")
	}
}

// A state with a changed byte is refused, or it is that of a detector that works.
func TestUnmarshalBinary_SurvivesChangedBytes(t *testing.T) {
	t.Parallel()
	s := ordinary(3000, 4)[9]
	var d Detector
	for i, v := range s.values {
		d.Next(s.times[i], v)
	}
	state := encode(t, &d)
	r := rand.New(rand.NewPCG(9, 9))
	refused := 0
	for i := range 3 * len(state) {
		bad := slices.Clone(state)
		bad[i%len(bad)] ^= byte(1 + r.IntN(255))
		var changed Detector
		if err := changed.UnmarshalBinary(bad); err != nil {
			refused++
			continue
		}
		for k := range 60 {
			v := math.Ldexp(float64(k%13-6), k*37%2000-1000)
			if score := changed.Next(int64(3000+k)*step, v); !(score >= 0 && score <= 1) {
				t.Fatalf("byte %d changed: %v scores %v", i%len(bad), v, score)
			}
		}
	}
	if refused == 0 || refused == 3*len(state) {
		t.Errorf("%d of %d changed states refused", refused, 3*len(state))
	}
}

func encode(t testing.TB, d *Detector) []byte {
	t.Helper()
	state, err := d.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

package scoring

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pulse-scorer/internal/pulse"
)

func TestRecency_FallsInAStraightLineOverSevenDays(t *testing.T) {
	t.Parallel()
	const second, week = int64(1e6), int64(7 * 24 * 3600 * 1e6)
	for name, tt := range map[string]struct {
		now, at int64
		want    float64
	}{
		"fresh":                  {0, 0, 1},
		"half":                   {week / 2, 0, 0.5},
		"exactly a week":         {week, 0, 0},
		"older":                  {week + second, 0, 0},
		"a second ahead":         {0, second, 1},
		"ahead by all the range": {math.MinInt64, math.MaxInt64, 1},
		"old by all the range":   {math.MaxInt64, math.MinInt64, 0},
		"ahead, wraps to zero":   {math.MinInt64, 0, 1},
		"old, wraps":             {math.MaxInt64, -1, 0},
	} {
		if got := Parity().Recency.score(tt.now, tt.at); got != tt.want {
			t.Errorf("%s: recency(now %d, at %d) = %v, want %v", name, tt.now, tt.at, got, tt.want)
		}
	}
}

func TestAnomaly_NeedsElevenValuesAndSaysSo(t *testing.T) {
	t.Parallel()
	p := Parity()
	for n := 1; n <= 12; n++ {
		window := make([]float64, n)
		window[n-1] = 100
		got := p.Ingest(&pulse.Signal{Name: "x", Value: 100}, 0, Seen{Window: window}).AnomalyFlag
		if want := n >= 11; got != want {
			t.Errorf("outlier as value %d of equal ones: flag %v, want %v", n, got, want)
		}
	}
}

func TestIngest_LooksAtTheLastWindowSizeValuesOnly(t *testing.T) {
	t.Parallel()
	p := Parity()
	long := make([]float64, 200)
	for i := range long {
		long[i] = float64(i%7) - 3
	}
	long[10] = 1e9 // would widen the deviation
	long[199] = 40
	sig := &pulse.Signal{Name: "x", Value: 40}
	if got, want := p.Ingest(sig, 0, Seen{Window: long}), p.Ingest(sig, 0, Seen{Window: long[150:]}); got != want || !got.AnomalyFlag {
		t.Errorf("long window: %+v, its last 50: %+v, want the same, flagged", got, want)
	}
}

func TestTag_FoldsASCIIOnly(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "neutral", "hop": "neutral", "hope": "hope", "HOPE": "hope", "sHoPee": "hope",
		"average": "rage", "despair and hope": "hope", "rage of despair": "despair",
		"FATIGUE": "fatigue", "fat\u0130gue": "neutral", "DESPA\u0130R": "neutral", "fati\u0307gue": "neutral",
		"\uff28\uff2f\uff30\uff25": "neutral", "ra\u212age": "neutral", "\u212arage": "rage",
		"h\x00pe": "neutral", "@ope": "neutral", "[age": "neutral",
	} {
		if got := Parity().SignalTags.of(name); got != want {
			t.Errorf("tag of %q = %q, want %q", name, got, want)
		}
	}
}

func TestRoundTo_AgreesWithDecimalText(t *testing.T) {
	t.Parallel()
	byText := func(x float64, n int) float64 {
		r, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', n, 64), 64)
		return r
	}
	rng := rand.New(rand.NewPCG(1, 2))
	xs := []float64{0, math.Copysign(0, -1), 0.0005, 0.0015, 0.0625, 2.5, 1e15 + 0.5, 1e300, -0.0004, 5e-324, math.MaxFloat64}
	for range 200_000 {
		x := float64(rng.IntN(2_000_001)-1_000_000) / 2000 // at ties and beside them
		xs = append(xs, x, math.Nextafter(x, 9e9), rng.Float64(), rng.NormFloat64()*math.Pow(10, float64(rng.IntN(24)-6)))
	}
	for _, x := range xs {
		for n := range 5 {
			got, want := roundTo(x, n), byText(x, n)
			if math.Float64bits(got) != math.Float64bits(want) {
				t.Fatalf("roundTo(%v, %d) = %v, want %v", x, n, got, want)
			}
		}
	}
}

func TestPairwiseSum_MatchesAnExactSum(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 400 {
		xs := make([]float64, n)
		sum, squares := 0.0, 0.0
		for i := range xs {
			xs[i] = float64(rng.IntN(1000)) // integers: every order gives the same sum
			sum += xs[i]
			squares += (xs[i] - 3) * (xs[i] - 3)
		}
		if got := pairwiseSum(xs); got != sum {
			t.Errorf("sum of %d: %v, want %v", n, got, sum)
		}
		if got := pairwiseSquares(xs, 3); got != squares {
			t.Errorf("squares of %d: %v, want %v", n, got, squares)
		}
	}
}

// ingestSane holds the invariants of Ingest for finite input: it does not
// panic, changes nothing, gives the same twice, and every number is in range.
func ingestSane(t *testing.T, sig *pulse.Signal, now int64, window []float64) {
	t.Helper()
	p := Parity()
	before := slices.Clone(window)
	got := p.Ingest(sig, now, Seen{Window: window})
	if again := p.Ingest(sig, now, Seen{Window: window}); got != again {
		t.Errorf("%+v: %+v, then %+v", sig, got, again)
	}
	if !slices.Equal(before, window) {
		t.Errorf("%+v: window was changed", sig)
	}
	for name, x := range map[string]float64{"raw recency": got.RawRecency, "recency": got.RecencyScore, "sti": got.STI} {
		if !(x >= 0 && x <= 1) {
			t.Errorf("%+v now %d window %v: %s is %v, want it in [0,1]", sig, now, window, name, x)
		}
	}
	if got.AnomalyScore.Valid || got.STI < 0.4 || got.STI > 0.9 || got.SignalTag == "" {
		t.Errorf("%+v: %+v", sig, got)
	}
	streamSane(t, sig, now, Seen{Anomaly: got.RawRecency, Continuity: got.STI, Reliability: got.RecencyScore})
}

// streamSane is ingestSane for the profile that is given a detector's score.
func streamSane(t *testing.T, sig *pulse.Signal, now int64, seen Seen) {
	t.Helper()
	p := V2()
	got := p.Score(sig, now, seen, Context{})
	q := got.Ingest.Quality
	for name, x := range map[string]float64{
		"recency": got.Ingest.RecencyScore, "sti": got.Ingest.STI, "anomaly": got.Ingest.AnomalyScore.Number, "quality": got.QualityScore.Number,
		"freshness": q.Freshness, "normality": q.Normality, "continuity": q.Continuity, "reliability": q.Reliability,
	} {
		if !(x >= 0 && x <= 1) {
			t.Errorf("%+v now %d %+v: %s is %v, want it in [0,1]", sig, now, seen, name, x)
		}
	}
	if bad := p.Admit(sig, now); bad != nil && (bad.Class != pulse.FutureTimestamp || got.Ingest.RawRecency != 1) {
		t.Errorf("%+v now %d: %v", sig, now, bad)
	}
}

func TestIngest_StaysFiniteAtTheEndsOfTheRange(t *testing.T) {
	t.Parallel()
	ends := []float64{0, 5e-324, -5e-324, 1e154, -1e155, 1e308, -1e308, math.MaxFloat64, -math.MaxFloat64}
	for _, fill := range ends {
		for _, last := range ends {
			for _, n := range []int{1, 9, 10, 11, 50} {
				window := make([]float64, n)
				for i := range window {
					window[i] = fill
				}
				window[n-1] = last
				for _, at := range []int64{0, math.MinInt64, math.MaxInt64} {
					sig := &pulse.Signal{Name: "x", Value: last, Timestamp: pulse.Timestamp{Micros: at}}
					ingestSane(t, sig, -at, window)
				}
			}
		}
	}
}

// FuzzIngest: the invariants of ingestSane, for windows of at most 60 finite
// values made of the fuzzer's bytes.
func FuzzIngest(f *testing.F) {
	f.Add("hope index", int64(0), int64(5), 1.5, uint64(3), uint8(20))
	f.Add("fat\u0130gue", int64(math.MaxInt64), int64(math.MinInt64), 1e308, uint64(9), uint8(50))
	f.Fuzz(func(t *testing.T, name string, now, at int64, x float64, seed uint64, n uint8) {
		if !isFinite(x) {
			t.Skip("values are finite")
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		window := make([]float64, 0, 61)
		for range n % 60 {
			if v := math.Float64frombits(rng.Uint64()); isFinite(v) {
				window = append(window, v)
			}
		}
		sig := &pulse.Signal{Name: name, Value: x, Timestamp: pulse.Timestamp{Micros: at}}
		ingestSane(t, sig, now, append(window, x))
	})
}

func benchmarkSignal() (*pulse.Signal, []float64) {
	window := make([]float64, 50)
	for i := range window {
		window[i] = 100 + float64(i*i%17)/3
	}
	return &pulse.Signal{Name: "market.index.level", Value: window[49], Timestamp: pulse.Timestamp{Micros: 1_748_779_200_000_000}}, window
}

func TestIngest_AllocatesNothing(t *testing.T) {
	p := Parity()
	sig, window := benchmarkSignal()
	now := sig.Timestamp.Micros
	allocs := testing.AllocsPerRun(100, func() {
		now += 1_234_567_890
		p.Ingest(sig, now, Seen{Window: window})
	})
	if allocs != 0 {
		t.Errorf("Ingest allocates %v times, want 0", allocs)
	}
}

func BenchmarkIngest(b *testing.B) {
	p := Parity()
	sig, window := benchmarkSignal()
	now := sig.Timestamp.Micros + 86_400_123_456
	b.ReportAllocs()
	for b.Loop() {
		p.Ingest(sig, now, Seen{Window: window})
	}
}

func BenchmarkScore_RawV2(b *testing.B) {
	p := V2()
	sig, _ := benchmarkSignal()
	now := sig.Timestamp.Micros + 86_400_123_456
	seen := Seen{Anomaly: 0.1234567, Continuity: 0.987654, Reliability: 1, UsualGap: 60}
	b.ReportAllocs()
	for b.Loop() {
		p.Score(sig, now, seen, Context{})
	}
}

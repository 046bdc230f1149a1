package scoring

import (
	"math"
	"math/rand/v2"
	"testing"

	"pulse-scorer/internal/pulse"
)

// scoredRaw is what v2 makes of a raw signal of an age.
func scoredRaw(ageSeconds float64, seen Seen) pulse.Score {
	sig := &pulse.Signal{Name: "x", Value: 1}
	return V2().Score(sig, int64(ageSeconds*1e6), seen, Context{})
}

func TestQuality_IsTheGeometricMeanOfItsParts(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * 3600
	for _, tt := range []struct {
		age  float64
		seen Seen
		want pulse.Quality
		q    float64
	}{
		{0, Seen{Continuity: 1, Reliability: 1}, pulse.Quality{Freshness: 1, Normality: 1, Continuity: 1, Reliability: 1}, 1},
		{week / 2, Seen{Anomaly: 0.5, Continuity: 0.5, Reliability: 0.5}, pulse.Quality{Freshness: 0.5, Normality: 0.5, Continuity: 0.5, Reliability: 0.5}, 0.5},
		{0, Seen{Anomaly: 0.9, Continuity: 1, Reliability: 1}, pulse.Quality{Freshness: 1, Normality: 0.1, Continuity: 1, Reliability: 1}, 0.562},
		{0, Seen{Anomaly: 1, Continuity: 1, Reliability: 1}, pulse.Quality{Freshness: 1, Normality: 0, Continuity: 1, Reliability: 1}, 0},
		{2 * week, Seen{Continuity: 1, Reliability: 1}, pulse.Quality{Normality: 1, Continuity: 1, Reliability: 1}, 0},
		{-60, Seen{Continuity: 0.25, Reliability: 0.984}, pulse.Quality{Freshness: 1, Normality: 1, Continuity: 0.25, Reliability: 0.984}, 0.704},
		{0, Seen{Anomaly: -1, Continuity: 7, Reliability: math.Inf(1)}, pulse.Quality{Freshness: 1, Normality: 1, Continuity: 1, Reliability: 1}, 1},
	} {
		got := scoredRaw(tt.age, tt.seen)
		if got.Ingest.Quality != tt.want || got.QualityScore != pulse.Some(tt.q) || got.Trust != pulse.Some(tt.q) || got.Alignment.Valid {
			t.Errorf("%v %+v: quality %+v, score %v, trust %v, alignment %v; want %+v, %v", tt.age, tt.seen,
				got.Ingest.Quality, got.QualityScore, got.Trust, got.Alignment, tt.want, tt.q)
		}
	}
}

// Of two signals that differ in one part, the one with the better part never has
// the worse quality; and quality is between the worst part and the best.
func TestQuality_IsMonotoneInEachPart(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		parts := [4]float64{r.Float64(), r.Float64(), r.Float64(), r.Float64()}
		score := func(parts [4]float64) float64 {
			return scoredRaw((1-parts[0])*7*24*3600, Seen{Anomaly: 1 - parts[1], Continuity: parts[2], Reliability: parts[3]}).QualityScore.Number
		}
		before, better := score(parts), parts
		i := r.IntN(4)
		better[i] += (1 - better[i]) * r.Float64()
		if after := score(better); after < before {
			t.Fatalf("%v has %v, %v has %v", parts, before, better, after)
		}
		worst, best := min(parts[0], parts[1], parts[2], parts[3]), max(parts[0], parts[1], parts[2], parts[3])
		if before < worst-0.001 || before > best+0.001 {
			t.Fatalf("%v has %v", parts, before)
		}
		better[i] = 0
		if none := score(better); none != 0 {
			t.Fatalf("%v has %v", better, none)
		}
	}
}

// Freshness has the longer of a week and two usual gaps of the series; recency has a week.
func TestFreshness_GoesByTheSeries(t *testing.T) {
	t.Parallel()
	const day = 24 * 3600.0
	for _, tt := range []struct{ age, gap, freshness, recency float64 }{
		{3.5 * day, 0, 0.5, 0.5},          // not known yet
		{3.5 * day, 1, 0.5, 0.5},          // every second
		{3.5 * day, 30 * day, 0.942, 0.5}, // monthly
		{30 * day, 30 * day, 0.5, 0},
		{60 * day, 30 * day, 0, 0},
		{-1, 30 * day, 1, 1},
		{30 * day, math.MaxFloat64, 1, 0},
	} {
		got := scoredRaw(tt.age, Seen{Continuity: 1, Reliability: 1, UsualGap: tt.gap}).Ingest
		if got.Quality.Freshness != tt.freshness || got.RecencyScore != tt.recency {
			t.Errorf("%v old, a gap of %v: freshness %v, recency %v; want %v, %v", tt.age, tt.gap,
				got.Quality.Freshness, got.RecencyScore, tt.freshness, tt.recency)
		}
	}
}

func TestQuality_IsNotOfParityNorOfForecasts(t *testing.T) {
	t.Parallel()
	sig := &pulse.Signal{Name: "x", Value: 1}
	seen := Seen{Window: []float64{1}, Anomaly: 0.5, Continuity: 0.5, Reliability: 0.5}
	got := Parity().Score(sig, 0, seen, Context{})
	if got.QualityScore.Valid || got.Ingest.Quality != (pulse.Quality{}) || got.Ingest.AnomalyScore.Valid || got.Trust != pulse.Some(0) {
		t.Errorf("parity: %+v", got)
	}
	sig.Kind, sig.Record = pulse.Forecasted, value(t, `{"forecast":{}}`)
	got = V2().Score(sig, 0, seen, Context{})
	if got.QualityScore.Valid || got.Trust != pulse.Some(got.Enrichment.Confidence) || !got.Ingest.AnomalyScore.Valid {
		t.Errorf("forecast: %+v", got)
	}
}

// The flag follows the score as it stands in the result.
func TestV2_FlagsFromTheThreshold(t *testing.T) {
	t.Parallel()
	p := V2()
	at := p.Anomaly.Threshold
	for score, want := range map[float64]bool{0: false, at - 1e-6: false, at - 1e-7: true, at: true, 1: true} {
		got := p.Ingest(&pulse.Signal{Name: "x"}, 0, Seen{Anomaly: score})
		if got.AnomalyFlag != want || (got.AnomalyScore.Number >= at) != want {
			t.Errorf("score %v: flag %v at %v", score, got.AnomalyFlag, got.AnomalyScore.Number)
		}
		if sti := map[bool]float64{true: 0.7, false: 0.9}[want]; got.STI != sti {
			t.Errorf("score %v: sti %v, want %v", score, got.STI, sti)
		}
	}
}

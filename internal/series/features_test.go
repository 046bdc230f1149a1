package series

import (
	"math"
	"testing"
)

// walked is a series that observed values, a minute apart.
func walked(values ...float64) *Series {
	s := new(Series)
	for i, v := range values {
		s.Observe(v, int64(i)*minute)
	}
	return s
}

func featuresOf(s *Series) (f Features) {
	s.Features(new(Source), &f)
	return f
}

func TestFeatures_HaveANameEach(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i, name := range FeatureNames() {
		if name == "" || seen[name] {
			t.Errorf("feature %d is called %q", i, name)
		}
		seen[name] = true
	}
}

// The order is part of the changelog and of every model: a change of it is another
// FeatureVersion.
func TestFeatures_OrderOfVersionOne(t *testing.T) {
	t.Parallel()
	names := FeatureNames()
	for i, want := range map[int]string{
		FeatureLast: "last", FeatureDelta: "delta", FeatureMean3: "mean_3", FeatureLag1: "lag_1", FeatureLag3: "lag_3", FeatureLag7: "lag_7",
		FeatureZ: "z", FeatureAnomaly: "anomaly", FeatureCadence: "cadence", FeatureGap: "gap",
		FeatureCategory: "category", FeatureCategoryMean3: "category_mean_3", FeatureBalance3: "balance_3", FeatureTurn: "turn",
		FeaturePath12Delta: "path_12_delta", FeatureTrustLast: "trust_last", FeatureTrustUnderBest3: "trust_under_best_3", FeatureYouthSquare: "youth_square",
	} {
		if names[i] != want {
			t.Errorf("feature %d is %s, want %s", i, names[i], want)
		}
	}
	if FeatureVersion != 1 || FeatureCount != 31 {
		t.Errorf("version %d of %d features", FeatureVersion, FeatureCount)
	}
}

// Values are measured in mean absolute deviations: after 1 to 8, mean 4.5.
func TestFeatures_MeasureInTheSeriesOwnDeviations(t *testing.T) {
	t.Parallel()
	s := walked(1, 2, 3, 4, 5, 6, 7, 8)
	f, slow := featuresOf(s), s.level.slow
	if math.Abs(slow.mean-4.5) > 1e-12 {
		t.Fatalf("mean %v", slow.mean)
	}
	unit := 2 * slow.half
	for name, c := range map[string]struct {
		feature int
		want    float64
	}{
		"last": {FeatureLast, 3.5 / unit}, "delta": {FeatureDelta, 1 / unit}, "mean3": {FeatureMean3, 2.5 / unit},
		"lag1": {FeatureLag1, 2.5 / unit}, "lag3": {FeatureLag3, 0.5 / unit}, "lag7": {FeatureLag7, -3.5 / unit},
		"balance3": {FeatureBalance3, 1}, "balance12": {FeatureBalance12, 7.0 / 12}, "balance12 delta": {FeatureBalance12Delta, 1.0 / 12},
		"direction": {FeatureDirection, 1}, "turn": {FeatureTurn, 1}, "path": {FeaturePath12, 1}, "path delta": {FeaturePath12Delta, 0},
		"gap": {FeatureGap, 0}, "youth": {FeatureYouth, 1}, "cadence": {FeatureCadence, days(60)},
	} {
		if math.Abs(f[c.feature]-c.want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, f[c.feature], c.want)
		}
	}
	// Shifted and scaled alike, they are the same.
	g := featuresOf(walked(1000, 1200, 1400, 1600, 1800, 2000, 2200, 2400))
	for i := range f {
		if math.Abs(f[i]-g[i]) > 1e-9 && i != FeatureAnomaly {
			t.Errorf("%s is %v, and %v on another scale", FeatureNames()[i], f[i], g[i])
		}
	}
}

func TestFeatures_OfTrustHistory(t *testing.T) {
	t.Parallel()
	s := walked(1)
	if tr := s.Trust(); tr.Known || tr.Error != PriorError {
		t.Errorf("new: %+v", tr)
	}
	for _, score := range []float64{0.5, 0.9, 0.6} {
		s.Scored(score, 0.5)
	}
	s.Scored(math.NaN(), 0.5) // is none
	s.Scored(0.5, 1.1)
	f := featuresOf(s)
	if tr := s.Trust(); !tr.Known || tr.Last != 0.6 || math.Abs(tr.Mean-2.0/3) > 1e-15 || !(tr.Error > 0.09 && tr.Error < 0.12) {
		t.Errorf("trust %+v", tr)
	}
	for feature, want := range map[int]float64{
		FeatureTrustLast: 0.2, FeatureTrustSquare: 0.04, FeatureTrustDelta: -3, FeatureTrustOverMean: -2.0 / 3,
		FeatureTrustOverMedian3: 0, FeatureTrustUnderBest3: -3, FeatureYouth: 0.25, FeatureYouthSquare: 0.0625,
	} {
		if math.Abs(f[feature]-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", FeatureNames()[feature], f[feature], want)
		}
	}
}

func TestFeatures_OfTheCategoryAreItsSourceLastSeries(t *testing.T) {
	t.Parallel()
	up, down := walked(1, 2, 3), walked(3, 2, 1)
	var src Source
	u := featuresOf(up)[FeatureLast]
	var f Features
	for i, want := range []float64{u / 3, 2 * u / 3, u, u / 3} {
		s := []*Series{up, up, up, down}[i]
		src.Note(s)
		up.Features(&src, &f)
		if f[FeatureCategory] != featuresOf(s)[FeatureLast] || math.Abs(f[FeatureCategoryMean3]-want) > 1e-12 || u <= 0 {
			t.Errorf("step %d: category %v, mean %v, want %v; up stands at %v", i, f[FeatureCategory], f[FeatureCategoryMean3], want, u)
		}
	}
}

// The approximation of the logarithm is exact at powers of two and within 9 % of
// one in between.
func TestDays_IsAboutTheBinaryLogarithm(t *testing.T) {
	t.Parallel()
	for seconds := 400.0; seconds < 2e7; seconds *= 1.013 {
		if got, want := days(seconds), math.Log2(seconds/86400); math.Abs(got-want) > 0.09 {
			t.Fatalf("%v s: got %v, want %v", seconds, got, want)
		}
	}
	for seconds, want := range map[float64]float64{0: 0, 86400: 0, 2 * 86400: 1, 21600: -2, 1e-6: -8, 1e300: 8} {
		if got := days(seconds); got != want {
			t.Errorf("%v s: got %v, want %v", seconds, got, want)
		}
	}
}

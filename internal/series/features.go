package series

import "math"

// FeatureVersion numbers names and order of the features. A model that learned
// from others is of no use.
const FeatureVersion = 1

// The features, in their order. All are within ±8, and 0 where they are not known.
const (
	// FeatureLast and the next five are values, in deviations from the series' long run: the last, its step from
	// the one before, the mean of the last three, and those 1, 3 and 7
	// observations ago.
	FeatureLast = iota
	FeatureDelta
	FeatureMean3
	FeatureLag1
	FeatureLag3
	FeatureLag7
	// FeatureZ is the last value in deviations from the short run before it,
	// FeatureAnomaly the detector's score of it.
	FeatureZ
	FeatureAnomaly
	// FeatureCadence is the usual gap, as a binary logarithm of days; FeatureGap
	// how many usual gaps the last one was, less 1.
	FeatureCadence
	FeatureGap
	// FeatureCategory is where the series of the source that was observed last
	// stands, FeatureCategoryMean3 the rolling mean of that.
	FeatureCategory
	FeatureCategoryMean3
	// FeatureBalance3 and the next are how much more often the series has risen than fallen over 3 and
	// 12 steps; then what the last step changed of it, with and without sign.
	FeatureBalance3
	FeatureBalance12
	FeatureBalance12Delta
	FeatureBalance12Move
	// FeatureDirection is that of the last step, FeatureTurn its product with the
	// one before.
	FeatureDirection
	FeatureTurn
	// FeatureMixture12 is 1 when there were as many rises as falls, FeaturePath12 when
	// the way was straight; each with what the last step changed of it.
	FeatureMixture12
	FeatureMixture12Delta
	FeaturePath12
	FeaturePath12Delta
	// FeatureTrustLast is the stream's last trust score, centred; then its square, and
	// the same less the one before, less the mean, the recent mean, the median and the highest of
	// the last three.
	FeatureTrustLast
	FeatureTrustSquare
	FeatureTrustDelta
	FeatureTrustOverMean
	FeatureTrustOverRecent
	FeatureTrustOverMedian3
	FeatureTrustUnderBest3
	// FeatureYouth is 1/(1+n) for n scores of the stream, and its square: at first
	// a stream has no history to be judged by.
	FeatureYouth
	FeatureYouthSquare
	FeatureCount
)

// FeatureNames returns the names in order.
func FeatureNames() [FeatureCount]string {
	return [FeatureCount]string{
		"last", "delta", "mean_3", "lag_1", "lag_3", "lag_7", "z", "anomaly", "cadence", "gap", "category", "category_mean_3",
		"balance_3", "balance_12", "balance_12_delta", "balance_12_move", "direction", "turn",
		"mixture_12", "mixture_12_delta", "path_12", "path_12_delta",
		"trust_last", "trust_square", "trust_delta", "trust_over_mean", "trust_over_recent", "trust_over_median_3", "trust_under_best_3",
		"youth", "youth_square",
	}
}

// FeatureMax bounds the size of every feature.
const FeatureMax = maxDeviations

// Features are the numbers a model learns from.
type Features [FeatureCount]float64

// Features sets f to what is known of the series and its source after its last
// observation and before the forecast that came with it is scored: no field of
// the forecast is among them.
func (s *Series) Features(src *Source, f *Features) {
	l, slow := &s.level, &s.level.slow
	*f = Features{
		FeatureLast:          slow.measure(l.lag(0)),
		FeatureDelta:         slow.span(float64(l.lag(0)/2) - float64(l.lag(1)/2)),
		FeatureMean3:         slow.measure(l.mean3()),
		FeatureLag1:          slow.measure(l.lag(1)),
		FeatureLag3:          slow.measure(l.lag(3)),
		FeatureLag7:          slow.measure(l.lag(7)),
		FeatureZ:             l.z,
		FeatureAnomaly:       s.anomaly,
		FeatureCadence:       days(s.cadence.usual),
		FeatureGap:           s.cadence.late(),
		FeatureCategory:      src.level,
		FeatureCategoryMean3: src.mean3(),
	}
	l.features(f)
	s.trust.features(f)
}

// features of the direction of the series.
func (l *level) features(f *Features) {
	now, before := l.balance(12, 0), l.balance(12, 1)
	f[FeatureBalance3] = l.balance(3, 0)
	f[FeatureBalance12] = now
	f[FeatureBalance12Delta] = now - before
	f[FeatureBalance12Move] = math.Abs(now - before)
	last := direction(l.lag(0), l.lag(1))
	f[FeatureDirection] = float64(last)
	f[FeatureTurn] = float64(last * direction(l.lag(1), l.lag(2)))
	f[FeatureMixture12] = mixture(now)
	f[FeatureMixture12Delta] = mixture(now) - mixture(before)
	f[FeaturePath12] = l.path(12, 0)
	f[FeaturePath12Delta] = f[FeaturePath12] - l.path(12, 1)
}

// mixture is 1 for a balance of 0, and 0 at its ends.
func mixture(balance float64) float64 { return 1 - float64(balance*balance) }

// features of the scores; a stream without any has only its youth.
func (t *trust) features(f *Features) {
	youth := 1 / (1 + float64(t.count))
	f[FeatureYouth], f[FeatureYouthSquare] = youth, float64(youth*youth)
	if t.count == 0 {
		return
	}
	// A tenth is a large step of a score, so that is the unit of steps.
	const unit = 10
	centred := float64(2*t.last) - 1
	highest := max(t.last, t.previous, t.third)
	median := max(min(t.last, t.previous), min(max(t.last, t.previous), t.third))
	f[FeatureTrustLast] = centred
	f[FeatureTrustSquare] = float64(centred * centred)
	f[FeatureTrustDelta] = bounded((t.last - t.previous) * unit)
	f[FeatureTrustOverMean] = bounded((t.last - t.mean) * unit)
	f[FeatureTrustOverRecent] = bounded((t.last - t.recent) * unit)
	f[FeatureTrustOverMedian3] = bounded((t.last - median) * unit)
	f[FeatureTrustUnderBest3] = bounded((t.last - highest) * unit)
}

func bounded(x float64) float64 { return max(-maxDeviations, min(x, maxDeviations)) }

// days is about the binary logarithm of seconds, as days: the exponent, and the
// mantissa for what lies between. It is exact on every architecture, which
// math.Log is not, and within ±8; 0 for none.
func days(seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	mantissa, exponent := math.Frexp(seconds / 86400)
	return bounded(float64(exponent) + float64(2*mantissa) - 2)
}

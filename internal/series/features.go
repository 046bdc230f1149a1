package series

import "math"

// FeatureVersion numbers names and order of the features. A model that learned
// from others is of no use.
const FeatureVersion = 1

// The features, in their order. All are bounded, and 0 where they are not known.
const (
	FeatureLast = iota
	FeatureDelta
	FeatureMean3
	FeatureLag1
	FeatureLag3
	FeatureLag7
	FeatureZ
	FeatureTrend
	FeatureAnomaly
	FeatureCadence
	FeatureGap
	FeatureCategory
	FeatureCategoryMean
	FeatureReliability
	FeatureTrustLast
	FeatureTrustPrevious
	FeatureTrustRecent
	FeatureTrustMean
	FeatureTrustKnown
	FeatureCount
)

// FeatureNames returns the names in order.
func FeatureNames() [FeatureCount]string {
	return [FeatureCount]string{
		"last", "delta", "mean_3", "lag_1", "lag_3", "lag_7", "z", "trend", "anomaly",
		"cadence", "gap", "category", "category_mean_3", "reliability",
		"trust_last", "trust_previous", "trust_recent", "trust_mean", "trust_known",
	}
}

// Features are the numbers a model learns from.
type Features [FeatureCount]float64

// Features sets f to what is known of the series and its source after its last
// observation and before the forecast that came with it is scored.
func (s *Series) Features(src *Source, f *Features) {
	l, slow := &s.level, &s.level.slow
	last := l.lag(0)
	*f = Features{
		FeatureLast:         slow.measure(last),
		FeatureDelta:        slow.span(last/2 - l.lag(1)/2),
		FeatureMean3:        slow.measure(l.mean3()),
		FeatureLag1:         slow.measure(l.lag(1)),
		FeatureLag3:         slow.measure(l.lag(3)),
		FeatureLag7:         slow.measure(l.lag(7)),
		FeatureZ:            l.z,
		FeatureTrend:        slow.measure(l.fast.mean),
		FeatureAnomaly:      s.anomaly,
		FeatureCadence:      days(s.cadence.usual),
		FeatureGap:          s.cadence.late(),
		FeatureCategory:     src.level,
		FeatureCategoryMean: src.drift,
		FeatureReliability:  src.Reliability(),
	}
	if t := &s.trust; t.count > 0 {
		f[FeatureTrustLast], f[FeatureTrustPrevious] = t.last, t.previous
		f[FeatureTrustRecent], f[FeatureTrustMean] = t.recent, t.mean
		f[FeatureTrustKnown] = 1
	}
}

// days is about the binary logarithm of seconds, as days: the exponent, and the
// mantissa for what lies between. Exact on every architecture, which math.Log is
// not. 0 for none.
func days(seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	mantissa, exponent := math.Frexp(seconds / 86400)
	return float64(exponent) + float64(2*mantissa) - 2
}

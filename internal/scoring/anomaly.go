package scoring

import "math"

// AnomalyRules are the limits of the window detector.
type AnomalyRules struct {
	// MinSamples is the number of values, the judged one included, below
	// which nothing is flagged.
	MinSamples int
	// StdFloor is added to the standard deviation, so that equal values do
	// not divide by zero. It is absolute: a series whose values are no larger
	// than it is never flagged.
	StdFloor float64
	// ZLimit is the distance from the mean, in standard deviations, above
	// which a value is flagged; at the limit it is not.
	ZLimit float64
	// Threshold is the anomaly score from which a value is flagged, for a profile
	// without a window. The score is compared as it stands in the result, rounded
	// to ScoreDecimals: who flags by it elsewhere finds the same.
	Threshold     float64
	ScoreDecimals int
}

// flag says whether value, the last of window, is an outlier. Where mean or
// deviation overflow (values near 1e154 and above), z is 0 or not a number and
// nothing is flagged, as in the old system.
func (r AnomalyRules) flag(value float64, window []float64) bool {
	z, ok := r.z(value, window)
	return ok && math.Abs(z) > r.ZLimit
}

// z is how many standard deviations value is from the mean of window, to which
// it belongs (iris_trust.py:60-79). ok is false when the window is too short.
func (r AnomalyRules) z(value float64, window []float64) (z float64, ok bool) {
	if len(window) == 0 || len(window) < r.MinSamples {
		return 0, false
	}
	n := float64(len(window))
	mean := pairwiseSum(window) / n
	variance := pairwiseSquares(window, mean) / n
	return (value - mean) / (math.Sqrt(variance) + r.StdFloor), true
}

package anomaly

// DefaultThreshold is the score from which a value is an anomaly. On series without
// any, about six values in ten thousand reach it.
const DefaultThreshold = 0.9994

// calibration says how rare a surprise of so many bits is: decades is minus the decimal logarithm of
// the share of values that have as much. Measured once, over ten kinds of made-up
// series without anomalies (noise of several shapes, daily and weekly rhythm, walks,
// trends, counts), at all ages; the kinds differ little, since each
// statistic is measured by its own past. Held by TestScore_IsCalibratedWithoutAnomalies.
var calibration = [...]struct{ bits, decades float64 }{{0, 0}, {2, 1}, {6, 2}, {10.5, 3}, {20, 4}, {30, 5}}

// likelihood is the score of a surprise: the share of values that have less.
// Beyond the calibration the last line goes on.
func likelihood(bits float64) float64 {
	if bits <= 0 {
		return 0 // most values
	}
	i := 1
	for i < len(calibration)-1 && bits > calibration[i].bits {
		i++
	}
	from, to := calibration[i-1], calibration[i]
	decades := from.decades + float64((bits-from.bits)*(to.decades-from.decades)/(to.bits-from.bits))
	return 1 - exp2(float64(-decades*decade))
}

// decade is the binary logarithm of 10.
const decade = 3.321928094887362

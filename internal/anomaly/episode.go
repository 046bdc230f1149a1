package anomaly

const (
	// restShare of the values so far is how long an episode lasts, and
	// longestRest the most: values that follow an alarm mostly belong to what caused it.
	restShare   = 0.06
	longestRest = 600
	// further is how many more bits than the alarm a value needs to be one of its own.
	further = 4
	// heldScore is the most that a value within an episode gets otherwise.
	heldScore = 0.99
)

// episode is the time after an alarm. One cause makes many unlikely values; in statistics of extremes they are one
// cluster, of which the first counts (Coles, An Introduction to Statistical Modeling of Extreme Values,
// 2001, section 5.3.2: runs declustering).
type episode struct {
	// peak is the surprise of the alarm, in bits.
	peak float64
	// rest is how many values the episode still lasts.
	rest uint16
}

// score of a value with that surprise, the count-th of its series.
func (e *episode) score(bits float64, count uint64) float64 {
	if e.rest > 0 {
		e.rest--
		if bits < e.peak+further {
			return min(heldScore, likelihood(bits))
		}
	}
	score := likelihood(bits)
	if score >= DefaultThreshold {
		e.peak = bits
		e.rest = uint16(min(longestRest, float64(restShare*float64(count))))
	}
	return score
}

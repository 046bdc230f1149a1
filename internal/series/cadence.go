package series

// Constants of the cadence estimate.
const (
	// longShare is the share of gaps that are no longer than a series' long gap:
	// the weekend of a series of working days is a fifth of its gaps and usual.
	longShare = 0.9
	// firstStep is how far the first gaps move an estimate, as a share of it, and
	// lastStep how far later ones do: the median doubles within 23 gaps.
	firstStep, lastStep = 0.5, 1.0 / 16
	// far is how many times an estimate a gap is that is not of this pace; two in a row
	// make a new one.
	far = 4
	// knownGaps is from when a cadence is one.
	knownGaps = 3
	// jitter is the part of a usual gap by which one may be late.
	jitter = 0.5

	microsPerSecond = 1e6
)

// cadence is how often a series is usually observed, by the timestamps of its
// observations. The zero value has seen nothing.
//
// Median and 90 % quantile of the gaps are followed with a step up or down for
// each gap, as the frugal estimators do (Ma, Muthukrishnan and Sandler, Frugal
// Streaming for Estimating Quantiles, 2013), in proportion to the estimate and
// without chance: up by step times the quantile's share when the gap is longer,
// down by step times the rest when it is shorter, and never beyond the gap
// itself. So one gap moves an estimate by a bounded share however long it is,
// and equal gaps are met exactly. Both begin with the median of the first three: a first
// timestamp that is far off, of a clock that was not set, say, is in one of them. Of two
// gaps in a row that are far longer each later one doubles an estimate: with the step
// alone a series whose first values came at once would have no continuity for a year.
type cadence struct {
	// newest is the latest timestamp so far; only a later one makes a gap.
	newest int64
	// usual and long are the median and the 90 % quantile of the gaps, in seconds.
	usual, long float64
	// gap is the last observation's, in seconds; 0 when it was not the newest.
	gap float64
	// gaps and observed count, up to a bound.
	gaps, observed uint32
}

// observe takes the timestamp of the next observation, and returns the part of
// the observations due since the newest one that has come, in (0,1].
func (c *cadence) observe(timestampMicros int64) (continuity float64) {
	before := c.gap
	c.gap = 0
	if c.observed == 0 {
		c.newest, c.observed = timestampMicros, 1
		return 1
	}
	if timestampMicros <= c.newest {
		return 1 // late or at the same instant: nothing was missed by it
	}
	// Unsigned, so that the widest difference there is does not wrap round.
	c.gap = float64(uint64(timestampMicros)-uint64(c.newest)) / microsPerSecond //nolint:gosec // G115: that is meant
	c.newest = timestampMicros
	continuity = c.continuity()
	c.learn(before)
	return continuity
}

// usualGap is the longest gap, in seconds, that is still usual; 0 before a cadence is one.
func (c *cadence) usualGap() float64 {
	if c.gaps < knownGaps {
		return 0
	}
	return max(c.usual, c.long)
}

// continuity is 1 while the gap is at most half a usual one late, and 1/n when n
// were due by the same measure.
func (c *cadence) continuity() float64 {
	usual := c.usualGap()
	if usual == 0 {
		return 1
	}
	return 1 / max(1, c.gap/usual-jitter)
}

// learn takes the last gap; before is the one before it, 0 if there is none.
func (c *cadence) learn(before float64) {
	switch c.gaps {
	case 0:
		c.usual, c.long = c.gap, c.gap
	case 1:
		c.usual, c.long = min(c.usual, c.gap), max(c.usual, c.gap)
	case 2:
		c.usual = max(c.usual, min(c.gap, c.long)) // the median of the three
		c.long = c.usual
	default:
		step := max(lastStep, firstStep/float64(c.gaps))
		c.usual = c.follow(c.usual, before, 0.5, step)
		c.long = c.follow(c.long, before, longShare, step)
	}
	if c.gaps < maxCount {
		c.gaps++
	}
}

// follow moves the estimate of a quantile towards the last gap, at most to it.
func (c *cadence) follow(estimate, before, share, step float64) float64 {
	if min(before, c.gap) > far*estimate {
		return 2 * estimate
	}
	if c.gap > estimate {
		return min(c.gap, estimate+float64(estimate*float64(step*share)))
	}
	return max(c.gap, estimate-float64(estimate*float64(step*(1-share))))
}

// late is how many times the usual gap the last one was, less 1, at most
// maxDeviations; 0 when there is nothing to compare.
func (c *cadence) late() float64 {
	if c.usual == 0 || c.gap == 0 {
		return 0
	}
	return min(c.gap/c.usual-1, maxDeviations)
}

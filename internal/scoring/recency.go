package scoring

import (
	"math"
	"time"

	"pulse-scorer/internal/pulse"
)

// RecencyRules say how fast an observation goes stale.
type RecencyRules struct {
	// MaxAgeSeconds is the age at which nothing of the freshness is left.
	MaxAgeSeconds float64
	// MaxAheadMicros is how far ahead of its record's time an observation may be;
	// 0 is any distance.
	MaxAheadMicros int64
	// FreshGaps is how many usual gaps of its series an observation has something left
	// of its freshness, if that is longer than MaxAgeSeconds.
	FreshGaps float64
}

// score is 1 at the observation's own time and later, and falls in a straight
// line to 0 at MaxAgeSeconds. A time in the future, however far, is fresh
// (iris_trust.py:27-40).
func (r RecencyRules) score(nowMicros, timestampMicros int64) float64 {
	return r.freshness(nowMicros, timestampMicros, 0)
}

// freshness is the score by the series' own measure: a figure of last month is not
// stale where there is one a month, and comes weeks after its date
// (TestFreshness_GoesByTheSeries). usualGap is in seconds, 0 when not known.
func (r RecencyRules) freshness(nowMicros, timestampMicros int64, usualGap float64) float64 {
	age := float64(microsBetween(timestampMicros, nowMicros)) / 1e6
	return max(0, min(1, 1-age/max(r.MaxAgeSeconds, float64(r.FreshGaps*usualGap))))
}

// microsBetween is to - from, held at the ends of the range instead of
// wrapping round: a wrapped age would make the stalest value the freshest.
func microsBetween(from, to int64) int64 {
	const lowest, highest = -1 << 63, 1<<63 - 1
	d := to - from
	switch {
	case to >= 0 && from < 0 && d < 0:
		return highest
	case to < 0 && from >= 0 && d >= 0:
		return lowest
	default:
		return d
	}
}

// tooFarAhead is the fault of an observation from the future.
func (r RecencyRules) tooFarAhead(nowMicros, timestampMicros int64) *pulse.Bad {
	ahead := microsBetween(nowMicros, timestampMicros)
	if r.MaxAheadMicros == 0 || ahead <= r.MaxAheadMicros {
		return nil
	}
	return &pulse.Bad{
		Class: pulse.FutureTimestamp, Field: "timestamp",
		Message: "is " + text(ahead) + " ahead of the record's time, more than " + text(r.MaxAheadMicros) + " (PULSE_MAX_CLOCK_SKEW)",
	}
}

// text is a duration in microseconds as Go writes durations, to the second.
func text(micros int64) string {
	const longest = math.MaxInt64 / int64(time.Microsecond)
	return (time.Duration(min(micros, longest)) * time.Microsecond).Round(time.Second).String()
}

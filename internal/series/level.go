package series

import "math"

// Constants of the level.
const (
	// lags is how many values are kept: the present one, and as many before it as
	// the features look back.
	lags = 16
	// maxDeviations bounds every number that is measured in deviations.
	maxDeviations = 8
	// maxCount is where counters stand still.
	maxCount = 1 << 30
)

// location is an exponentially weighted mean of values with their mean absolute
// deviation from it. It takes every finite value: nothing is squared, means are
// convex combinations, and deviations are kept as halves, so nothing overflows.
type location struct{ mean, half float64 }

// observe takes a value with weight rate in (0,1].
func (l *location) observe(x, rate float64) {
	half := math.Abs(float64(x/2) - float64(l.mean/2))
	l.half = finite(float64(l.half*(1-rate)) + float64(half*rate))
	l.mean = finite(float64(l.mean*(1-rate)) + float64(x*rate))
}

// finite keeps a convex combination of the largest numbers from being rounded
// beyond them.
func finite(x float64) float64 { return max(-math.MaxFloat64, min(x, math.MaxFloat64)) }

// measure is how many deviations x is from the mean, within ±maxDeviations; 0
// where there is no deviation to measure in.
func (l *location) measure(x float64) float64 { return l.span(float64(x/2) - float64(l.mean/2)) }

// span is a difference, given as its half, in deviations.
func (l *location) span(half float64) float64 {
	if l.half == 0 {
		return 0
	}
	return max(-maxDeviations, min(half/l.half, maxDeviations))
}

// level is where a series stands: its last values, and what is usual for it in
// the long and in the short run. The zero value has seen nothing.
type level struct {
	// last are the latest values, last[at] the present one.
	last [lags]float64
	at   uint32
	// count counts values, up to maxCount.
	count      uint32
	slow, fast location
	// z is the present value's distance from the short run before it.
	z float64
}

// Weights of a new value in the long and the short run. While there are fewer
// values, each has the same weight.
const slowRate, fastRate = 1.0 / 64, 1.0 / 8

func (l *level) observe(x float64) {
	if l.count == 0 {
		for i := range l.last {
			l.last[i] = x
		}
		l.slow.mean, l.fast.mean = x, x
		l.count = 1
		return
	}
	l.z = l.fast.measure(x)
	l.at = (l.at + 1) % lags
	l.last[l.at] = x
	slow, fast := slowRate, fastRate
	if l.count < 1/slowRate {
		slow = 1 / float64(l.count+1)
		fast = max(fast, slow)
	}
	l.slow.observe(x, slow)
	l.fast.observe(x, fast)
	if l.count < maxCount {
		l.count++
	}
}

// lag is the value that many observations ago, 0 the present one; of a series
// that is younger, its first.
func (l *level) lag(n uint32) float64 { return l.last[(l.at-n)%lags] }

// mean3 is the mean of the last three values.
func (l *level) mean3() float64 { return l.lag(0)/3 + l.lag(1)/3 + l.lag(2)/3 }

// balance is how much more often than not the series has risen over n steps up to
// that many observations ago, in [-1,1].
func (l *level) balance(n, ago uint32) float64 {
	rises := 0
	for i := ago; i < ago+n; i++ {
		rises += direction(l.lag(i), l.lag(i+1))
	}
	return float64(rises) / float64(n)
}

// direction is 1 up, -1 down and 0 for no step.
func direction(to, from float64) int {
	switch {
	case to > from:
		return 1
	case to < from:
		return -1
	default:
		return 0
	}
}

// path is how straight the way over n steps was: its length as the crow flies by
// that on foot, in [0,1]; 0 where nothing moved.
func (l *level) path(n, ago uint32) float64 {
	// By a 32nd, so that the sum of 15 steps stays in range.
	const part = 1.0 / 32
	foot := 0.0
	for i := ago; i < ago+n; i++ {
		foot += math.Abs(float64(l.lag(i)*part) - float64(l.lag(i+1)*part))
	}
	if foot == 0 {
		return 0
	}
	return min(math.Abs(float64(l.lag(ago)*part)-float64(l.lag(ago+n)*part))/foot, 1)
}

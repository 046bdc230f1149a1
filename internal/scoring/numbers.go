package scoring

import (
	"math"
	"strconv"
)

// The arithmetic of the old system is that of CPython and numpy on IEEE-754
// doubles. Every product that is added to something stands in float64(...):
// the language lets a compiler fuse x*y+z into one rounding (arm64 does), and
// an explicit conversion forbids it (Go specification, "Floating-point
// operators").

// roundTo rounds the exact binary value of x to n decimals, ties to even: what
// Python's round(x, n) gives. Held by TestRoundTo_AgreesWithDecimalText.
func roundTo(x float64, n int) float64 {
	if r, ok := roundFast(x, n); ok {
		return r
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], x, 'f', n, 64)
	r, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return x // x is near the largest double, where it is an integer
	}
	return r
}

// fastLimit bounds x*10^n in roundFast: below it the product is off by less
// than 1e-7, far from the margin that decides.
const fastLimit = 1e9

// roundFast rounds without text where that is certain to agree with it: away
// from ties, the nearest integer k of x*10^n is known, and k/10^n is one
// correctly rounded division, the same double the decimal text parses to.
func roundFast(x float64, n int) (float64, bool) {
	if n < 0 || n >= len(roundUnits) {
		return 0, false
	}
	unit := roundUnits[n]
	scaled := float64(x * unit)
	k := math.RoundToEven(scaled)
	if !(math.Abs(scaled) < fastLimit && math.Abs(scaled-k) < 0.5-1e-6) {
		return 0, false
	}
	return k / unit, true // k keeps the sign of a zero
}

var roundUnits = [...]float64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}

// compensated is Neumaier's sum, which CPython's sum uses for floats since
// 3.12. The zero value is an empty sum.
type compensated struct{ sum, correction float64 }

func (c *compensated) add(x float64) {
	t := c.sum + x
	if math.Abs(c.sum) >= math.Abs(x) {
		c.correction += (c.sum - t) + x
	} else {
		c.correction += (x - t) + c.sum
	}
	c.sum = t
}

// total is the sum. An infinite sum has a correction that is not a number,
// which CPython leaves out as well.
func (c *compensated) total() float64 {
	if c.correction != 0 && isFinite(c.correction) {
		return c.sum + c.correction
	}
	return c.sum
}

// pairwiseLimit is numpy's block size: longer sums are cut in two.
const pairwiseLimit = 128

// pairwiseSum adds xs in the order numpy does (numpy 1.9 and newer,
// pairwise_sum in loops_utils.h.src): eight sums side by side, joined in
// pairs, so that results agree to the bit.
func pairwiseSum(xs []float64) float64 {
	if len(xs) > pairwiseLimit {
		half := pairwiseHalf(len(xs))
		return pairwiseSum(xs[:half]) + pairwiseSum(xs[half:])
	}
	sum := 0.0
	if len(xs) >= 8 {
		a, b, c, d, e, f, g, h := xs[0], xs[1], xs[2], xs[3], xs[4], xs[5], xs[6], xs[7]
		for xs = xs[8:]; len(xs) >= 8; xs = xs[8:] {
			a, b, c, d = a+xs[0], b+xs[1], c+xs[2], d+xs[3]
			e, f, g, h = e+xs[4], f+xs[5], g+xs[6], h+xs[7]
		}
		sum = ((a + b) + (c + d)) + ((e + f) + (g + h))
	}
	for _, x := range xs {
		sum += x
	}
	return sum
}

// pairwiseSquares is pairwiseSum of the squared distances from mean, without a
// place to keep them.
func pairwiseSquares(xs []float64, mean float64) float64 {
	if len(xs) > pairwiseLimit {
		half := pairwiseHalf(len(xs))
		return pairwiseSquares(xs[:half], mean) + pairwiseSquares(xs[half:], mean)
	}
	sum := 0.0
	if len(xs) >= 8 {
		a, b, c, d := square(xs[0]-mean), square(xs[1]-mean), square(xs[2]-mean), square(xs[3]-mean)
		e, f, g, h := square(xs[4]-mean), square(xs[5]-mean), square(xs[6]-mean), square(xs[7]-mean)
		for xs = xs[8:]; len(xs) >= 8; xs = xs[8:] {
			a, b = a+square(xs[0]-mean), b+square(xs[1]-mean)
			c, d = c+square(xs[2]-mean), d+square(xs[3]-mean)
			e, f = e+square(xs[4]-mean), f+square(xs[5]-mean)
			g, h = g+square(xs[6]-mean), h+square(xs[7]-mean)
		}
		sum = ((a + b) + (c + d)) + ((e + f) + (g + h))
	}
	for _, x := range xs {
		sum += square(x - mean)
	}
	return sum
}

// pairwiseHalf is where numpy cuts n values: in the middle, at a multiple of 8.
func pairwiseHalf(n int) int { return n/2 - n/2%8 }

func square(x float64) float64 { return float64(x * x) }

// unit clamps x to [0,1].
func unit(x float64) float64 { return max(0, min(x, 1)) }

func isFinite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

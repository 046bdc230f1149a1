package scoring

import (
	"math"

	"pulse-scorer/internal/pulse"
)

// quality is the geometric mean of the parts, in [0,1], unrounded.
//
// The mean is geometric because the parts do not make up for each other: a value
// that nobody should use, because it is a week old or surely wrong, stays so
// however reliable its source; with an arithmetic mean it would still have three
// quarters. All parts weigh the same, since nothing is known by which one should
// weigh more. Two square roots are exact to the last bit on every architecture; a
// power with other weights would not be.
//
// It rises with each part, or stays (TestQuality_IsMonotoneInEachPart).
func quality(q pulse.Quality) float64 {
	// A square root for two parts each: the product of four could be too small.
	return math.Sqrt(math.Sqrt(float64(q.Freshness*q.Normality)) * math.Sqrt(float64(q.Continuity*q.Reliability)))
}

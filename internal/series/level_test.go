package series

import (
	"math"
	"testing"
)

// A convex combination of the largest numbers can be rounded beyond them.
func TestLocation_StaysFiniteAtTheEndsOfTheRange(t *testing.T) {
	t.Parallel()
	for n := 2.0; n < 200; n++ {
		for _, turn := range []float64{1, -1} {
			var l location
			x := math.MaxFloat64
			for range 50 {
				l.observe(x, 1/n)
				if math.IsInf(l.mean, 0) || math.IsInf(l.half, 0) || math.IsNaN(l.mean) || math.IsNaN(l.half) || math.IsNaN(l.measure(x)) {
					t.Fatalf("rate 1/%v: %+v", n, l)
				}
				x *= turn
			}
		}
	}
}

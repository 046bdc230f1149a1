package anomaly

import "math"

// log2 is the binary logarithm of x > 0, good to about 1e-10. The standard
// library's is assembly on some architectures and may be compiled to fused
// multiply-adds on others, so its last bits differ from machine to machine;
// the bits here do not (TestNumbers_HaveFixedBits). It goes by the series
// ln(m) = 2 artanh((m-1)/(m+1)).
func log2(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	s := (m - 1) / (m + 1)
	q := float64(s * s)
	sum := 1.0 / 13
	for _, c := range [...]float64{1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1} {
		sum = c + float64(q*sum)
	}
	return float64(e) + float64(float64(2*math.Log2E)*float64(s*sum))
}

// exp2 is 2 to the power of x, good to about 1e-10; its bits are fixed for the
// same reason. It goes by the Taylor series around the nearest integer.
func exp2(x float64) float64 {
	x = max(-1100, min(1100, x))
	whole := math.Floor(x + 0.5)
	y := float64((x - whole) * math.Ln2)
	sum := 1.0
	for n := 9.0; n >= 1; n-- {
		sum = 1 + float64(float64(y*sum)/n)
	}
	return math.Ldexp(sum, int(whole))
}

// toward moves old by the share rate towards x.
func toward(old, x, rate float64) float64 { return old + float64(rate*(x-old)) }

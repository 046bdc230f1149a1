package anomaly

import "math"

// log2 is the binary logarithm of x > 0, good to about 1e-10. The standard
// library's is assembly on some architectures and may be compiled to fused
// multiply-adds on others, so its last bits differ from machine to machine;
// the bits here do not (TestNumbers_HaveFixedBits). It goes by the series
// ln(m) = 2 artanh((m-1)/(m+1)).
func log2(x float64) float64 {
	m, e := frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	s := (m - 1) / (m + 1)
	q := float64(s * s)
	sum := 1.0/11 + float64(q*(1.0/13))
	sum = 1.0/9 + float64(q*sum)
	sum = 1.0/7 + float64(q*sum)
	sum = 1.0/5 + float64(q*sum)
	sum = 1.0/3 + float64(q*sum)
	sum = 1 + float64(q*sum)
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
	return ldexp(sum, int(whole))
}

// The parts of a float64: a sign, an exponent and fraction bits, and what an exponent
// stands for (IEEE 754).
const (
	fractionBits = 52
	exponentMask = 0x7ff
	exponentBias = 1023
)

// frexp is math.Frexp, and quicker for what it mostly gets, numbers with a leading bit
// (TestNumbers_PartsAreTheLibrarys).
func frexp(x float64) (fraction float64, exponent int) {
	bits := math.Float64bits(x)
	e := int(bits >> fractionBits & exponentMask)
	if e == 0 || e == exponentMask {
		return math.Frexp(x)
	}
	const half = exponentBias - 1
	return math.Float64frombits(bits&^(exponentMask<<fractionBits) | half<<fractionBits), e - half
}

// ldexp is math.Ldexp, and quicker where nothing is lost (the same test): a product with
// a power of two is exact when it has a leading bit.
func ldexp(x float64, exponent int) float64 {
	e := int(math.Float64bits(x) >> fractionBits & exponentMask)
	power := exponent + exponentBias
	if sum := e + exponent; e == 0 || e == exponentMask || sum <= 0 || sum >= exponentMask || power <= 0 || power >= exponentMask {
		return math.Ldexp(x, exponent)
	}
	return x * math.Float64frombits(uint64(power)<<fractionBits) // within 1 and 2046
}

// toward moves old by the share rate towards x.
func toward(old, x, rate float64) float64 { return old + float64(rate*(x-old)) }

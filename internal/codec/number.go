package codec

import (
	"math"
	"math/bits"
	"strconv"
)

// maxMantissaDigits is how many decimal digits always fit 64 bits.
const maxMantissaDigits = 19

// number is a JSON number as a decimal: mant·10^exp, negative when neg. It has
// the first 19 significant digits; cut says that others than zero followed.
type number struct {
	mant     uint64
	exp      int
	neg, cut bool
}

// number passes over a number and reads it on the way.
func (s *scanner) number(i int) (n number, end int) {
	b, start := s.buf, i
	if b[i] == '-' {
		n.neg = true
		i++
	}
	first := i
	n.mant, i = digitsFrom(b, i, 0)
	digits := i - first
	if digits == 0 {
		return n, s.fail(i, "a digit is expected")
	}
	if digits > 1 && b[first] == '0' {
		return n, s.fail(first, "a number must not begin with a zero")
	}
	if i < len(b) && b[i] == '.' {
		i++
		first = i
		n.mant, i = digitsFrom(b, i, n.mant)
		if i == first {
			return n, s.fail(i, "a digit is expected after the point")
		}
		n.exp = first - i
		digits += i - first
	}
	power := 0
	if i < len(b) && b[i]|0x20 == 'e' {
		if power, i = s.exponent(i + 1); i < 0 {
			return n, -1
		}
	}
	if digits > maxMantissaDigits {
		n = longNumber(b[start:i])
	}
	n.exp += power
	return n, i
}

// digitsFrom appends the digits from b[i] on to mant, which wraps around when
// they are too many.
func digitsFrom(b []byte, i int, mant uint64) (sum uint64, end int) {
	for i < len(b) && isDigit(b[i]) {
		mant = mant*10 + uint64(b[i]-'0')
		i++
	}
	return mant, i
}

// exponent reads the digits of an exponent, from its sign on. Exponents that
// no number of digits could make up for are cut down.
func (s *scanner) exponent(i int) (power, end int) {
	b := s.buf
	neg := false
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		neg = b[i] == '-'
		i++
	}
	first := i
	for i < len(b) && isDigit(b[i]) {
		if power < 1<<40 {
			power = power*10 + int(b[i]-'0')
		}
		i++
	}
	if i == first {
		return 0, s.fail(i, "a digit is expected in the exponent")
	}
	if neg {
		power = -power
	}
	return power, i
}

// longNumber reads a number of more than 19 digits, without its exponent.
func longNumber(text []byte) (n number) {
	digits, point := 0, false
	for _, c := range text {
		switch {
		case c == '-':
			n.neg = true
			continue
		case c == '.':
			point = true
			continue
		case !isDigit(c): // the exponent
			return n
		}
		if digits < maxMantissaDigits {
			n.mant = n.mant*10 + uint64(c-'0')
			if n.mant != 0 {
				digits++
			}
			if point {
				n.exp--
			}
			continue
		}
		n.cut = n.cut || c != '0'
		if !point {
			n.exp++
		}
	}
	return n
}

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// float returns the float64 nearest to the number that text spells, or an
// infinity when it lies outside float64's range. Where mantissa and power are
// both exact one division or product rounds correctly; where both fit 64 bits,
// division in integers does; strconv does the rest.
func (n number) float(text []byte) float64 {
	if n.mant < 1<<53 && !n.cut && n.exp >= -22 && n.exp <= 22 {
		f := float64(n.mant)
		if n.exp < 0 {
			f /= exactPowers[-n.exp]
		} else {
			f *= exactPowers[n.exp]
		}
		if n.neg {
			f = -f
		}
		return f
	}
	if n.exp < 0 && -n.exp < len(wholePowers) && !n.cut {
		f := quotient(n.mant, wholePowers[-n.exp])
		if n.neg {
			f = -f
		}
		return f
	}
	// The only error a valid number can give is the range's, and the
	// result is an infinity then.
	f, _ := strconv.ParseFloat(alias(text), 64)
	return f
}

// quotient is the float64 nearest to a/b, to even where two are. Neither is 0, and
// both have 64 bits, so that the result is far from the ends of float64's range
// (TestNumber_FloatAgreesWithStrconv).
func quotient(a, b uint64) float64 {
	const fraction, bias = 52, 1023
	shiftA, shiftB := bits.LeadingZeros64(a), bits.LeadingZeros64(b)
	a, b = a<<shiftA, b<<shiftB
	// a/b is between a half and two now, so q = ⌊2⁶³·a/b⌋ has 63 or 64 bits.
	q, rest := bits.Div64(a>>1, a<<63, b)
	lost := bits.LeadingZeros64(q)
	q <<= lost
	const cut = 64 - fraction - 1
	whole, below := q>>cut, q&(1<<cut-1)
	if half := uint64(1) << (cut - 1); below > half || below == half && (rest != 0 || whole&1 == 1) {
		whole++
	}
	power := cut - 63 - lost + shiftB - shiftA
	return float64(whole) * math.Float64frombits(uint64(bias+power)<<fraction)
}

// wholePowers are the powers of ten below 2^64.
var wholePowers = [...]uint64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// split returns the whole part of |n|·10^power, whether its fraction is a half
// or more, and whether there is a fraction. Numbers beyond 64 bits are given as
// the largest one.
//
// half is right for whole parts below 10^18 although digits may have been cut:
// then at least one digit of the fraction is in the mantissa, and the first
// one alone decides.
func (n number) split(power int) (whole uint64, half, fraction bool) {
	if n.mant == 0 {
		return 0, false, false
	}
	switch p := n.exp + power; {
	case p >= len(wholePowers):
		return math.MaxUint64, false, false
	case p >= 0:
		high, low := bits.Mul64(n.mant, wholePowers[p])
		if high != 0 {
			return math.MaxUint64, false, false
		}
		return low, false, n.cut
	case -p >= len(wholePowers): // below 10^19 / 10^20
		return 0, false, true
	default:
		unit := wholePowers[-p]
		rest := n.mant % unit
		return n.mant / unit, rest >= unit-rest, rest != 0 || n.cut
	}
}

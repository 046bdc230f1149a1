package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// appendShortest appends the shortest decimal that reads back as f, the nearest to
// f where there are more, as strconv.AppendFloat does with the form 'f'
// (TestAppendNumber_IsStrconvsText). ok is false for what it cannot do: numbers
// below 1e-6, those from 2^52 on, and powers of two.
func appendShortest(dst []byte, f float64) (text []byte, ok bool) {
	const fraction, bias = 52, 1023
	a := math.Abs(f)
	mant := math.Float64bits(a) & (1<<fraction - 1)
	if !(a >= 1e-6 && a < 1<<fraction) || mant == 0 {
		return dst, false
	}
	if f < 0 {
		dst = append(dst, '-')
	}
	n, decimals := shortest(mant|1<<fraction, bias+fraction-int(math.Float64bits(a)>>fraction))
	return appendDecimal(dst, n, decimals), true
}

// shortest returns the n/10^decimals that is, but for zeros at its end, the shortest
// decimal between the middles from the float mant/2^below to its neighbours. mant has
// 53 bits and is no power of two, as those are nearer to one neighbour. below is 1 to 72.
//
// On the scale chosen the middles lie 1 to 10 apart (R. Giulietti's Schubfach): so
// there is an integer between them and at most one multiple of ten, which then is
// the shortest. 10^decimals is a shift of 5^decimals, which has 64 bits, so nothing is
// lost. A middle is an odd number shifted by at least one: never an integer.
func shortest(mant uint64, below int) (n uint64, decimals int) {
	decimals = below*78913>>18 + 1 // log10(2) of below, rounded up
	five, shift := powersOfFive[decimals], below-decimals+1
	high, low := bits.Mul64(2*mant, five)
	above, carry := bits.Add64(low, five, 0)
	under, borrow := bits.Sub64(low, five, 0)
	last := shiftRight(high+carry, above, shift)
	if n = last - last%10; n > shiftRight(high-borrow, under, shift) {
		return n, decimals
	}
	n = shiftRight(high, low, shift)
	rest, half := low&(1<<shift-1), uint64(1)<<(shift-1)
	if rest > half || rest == half && n&1 == 1 {
		n++
	}
	return n, decimals
}

// shiftRight is what 64 bits hold of a shift by 1 to 63.
func shiftRight(high, low uint64, by int) uint64 { return high<<(64-by) | low>>by }

// powersOfFive are those that float64s from 1e-6 on need.
var powersOfFive = [...]uint64{
	1, 5, 25, 125, 625, 3125, 15_625, 78_125, 390_625, 1_953_125, 9_765_625, 48_828_125, 244_140_625,
	1_220_703_125, 6_103_515_625, 30_517_578_125, 152_587_890_625, 762_939_453_125, 3_814_697_265_625,
	19_073_486_328_125, 95_367_431_640_625, 476_837_158_203_125, 2_384_185_791_015_625,
}

// appendDecimal appends n/10^decimals, without zeros at the end of its fraction.
// n is below 10^17, decimals 1 to 22.
func appendDecimal(dst []byte, n uint64, decimals int) []byte {
	const unit, length = 100_000_000, 24
	var text [length]byte
	binary.LittleEndian.PutUint64(text[0:], zeros|n/(unit*unit)<<56)
	binary.LittleEndian.PutUint64(text[8:], zeros|eightDigits(n/unit%unit))
	binary.LittleEndian.PutUint64(text[16:], zeros|eightDigits(n%unit))
	first, point, end := 7, length-decimals, length
	if first < point-1 && text[first] == '0' {
		first++
	}
	for end > point && text[end-1] == '0' {
		end--
	}
	dst = append(dst, text[min(first, point-1):point]...)
	if end == point {
		return dst
	}
	return append(append(dst, '.'), text[point:end]...)
}

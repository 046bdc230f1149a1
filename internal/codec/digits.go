package codec

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// appendInt appends an integer as strconv.AppendInt does
// (TestAppendInt_IsStrconvsText).
func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return strconv.AppendInt(dst, n, 10)
	}
	return appendWhole(dst, uint64(n))
}

// appendWhole is appendInt without a sign.
func appendWhole(dst []byte, n uint64) []byte {
	const unit = 100_000_000
	if n >= unit {
		dst = appendWhole(dst, n/unit)
		return binary.LittleEndian.AppendUint64(dst, zeros|eightDigits(n%unit))
	}
	digits := eightDigits(n)
	leading := min(bits.TrailingZeros64(digits)/8, 7)
	dst = binary.LittleEndian.AppendUint64(dst, (zeros|digits)>>(8*leading))
	return dst[:len(dst)-leading]
}

// zeros is eight digits '0'.
const zeros = 0x3030303030303030

// eightDigits returns the digits of n, which is below 10^8, one a byte and the first
// one lowest. It halves groups of digits, all of them at once; the products stand in
// for divisions and are exact for numbers as small (TestDigits_AreThoseOfTheNumber).
func eightDigits(n uint64) uint64 {
	x := n/10_000 | n%10_000<<32
	hundreds := x * 10_486 >> 20 & 0x0000007f_0000007f
	x = hundreds | (x-100*hundreds)<<16
	tens := x * 103 >> 10 & 0x000f_000f_000f_000f
	return tens | (x-10*tens)<<8
}

// threeDigits is eightDigits for three; n is below 1000.
func threeDigits(n uint32) uint32 {
	hundreds := n * 41 >> 12
	n -= 100 * hundreds
	tens := n * 103 >> 10
	return hundreds | tens<<8 | (n-10*tens)<<16
}

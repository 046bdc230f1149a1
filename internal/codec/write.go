package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"pulse-scorer/internal/pulse"
)

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	b, plain := bytesOf(s), 0
	for i := skipPlain(b, 0); i < len(b); i = skipPlain(b, i) {
		if c := b[i]; c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRune(b[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, b[plain:i]...)
		dst = appendEscape(dst, b[i])
		i++
		plain = i
	}
	dst = append(dst, b[plain:]...)
	return append(dst, '"')
}

// appendEscape appends what stands in a JSON string for a byte that must not.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		if c >= utf8.RuneSelf {
			return append(dst, "\ufffd"...)
		}
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}

// appendNumber appends the shortest decimal that reads back as f: without an
// exponent from 1e-6 to 1e21, like encoding/json. What is not finite has no
// form in JSON and becomes null.
//
// Numbers of at most six decimals, which scores and most values are, have a way of
// their own. Such a decimal n/10^6 with n below 10^15 is the shortest for its
// float64: no two decimals of 15 digits share one.
func appendNumber(dst []byte, f float64) []byte {
	const unit, limit = 1_000_000, 1e15
	scaled := math.RoundToEven(f * unit) // one instruction; at a tie no decimal of the unit is equal to f
	if !(math.Abs(scaled) < limit) || scaled/unit != f {
		return appendLong(dst, f)
	}
	if math.Signbit(f) { // so has -0
		dst = append(dst, '-')
	}
	n := uint64(math.Abs(scaled))
	if whole := n / unit; whole < 10 { // as scores are
		dst = append(dst, byte('0'+whole))
	} else {
		dst = appendWhole(dst, whole)
	}
	if n %= unit; n == 0 {
		return dst
	}
	// More digits than there are get appended, in one store, and the zeros at the
	// end taken off.
	dst = append(dst, '.')
	if n%1000 == 0 { // as scores are
		digits := threeDigits(uint32(n / 1000))
		dst = binary.LittleEndian.AppendUint32(dst, zeros&math.MaxUint32|digits)
		return dst[:len(dst)-bits.LeadingZeros32(digits)/8]
	}
	digits := eightDigits(n * 100)
	dst = binary.LittleEndian.AppendUint64(dst, zeros|digits)
	return dst[:len(dst)-bits.LeadingZeros64(digits)/8]
}

// appendLong is appendNumber for numbers of more digits.
func appendLong(dst []byte, f float64) []byte {
	if text, ok := appendShortest(dst, f); ok {
		return text
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

func appendOptional(dst []byte, o pulse.Optional) []byte {
	if !o.Valid {
		return append(dst, "null"...)
	}
	return appendNumber(dst, o.Number)
}

// appendValue appends a value of any kind.
func appendValue(dst []byte, v *pulse.Value) []byte {
	switch v.Kind {
	case pulse.Null:
		return append(dst, "null"...)
	case pulse.Bool:
		return strconv.AppendBool(dst, v.Bool)
	case pulse.Number:
		if v.String != "" {
			return append(dst, v.String...)
		}
		return appendNumber(dst, v.Number)
	case pulse.String:
		return appendString(dst, v.String)
	case pulse.List:
		dst = append(dst, '[')
		for i := range v.List {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, &v.List[i])
		}
		return append(dst, ']')
	case pulse.Object:
		dst = append(dst, '{')
		for i := range v.Members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, v.Members[i].Name), ':')
			dst = appendValue(dst, &v.Members[i].Value)
		}
		return append(dst, '}')
	}
	return dst
}

package codec

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// alias returns b as a string without copying. It and bytesOf are the package's
// only uses of unsafe. It is sound as long as nobody writes to b while the string is in
// use: b is either part of a record, which no one may write while its signal
// is alive (pulse.Signal), or arena memory, which is written once, before.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // G103: audited above
}

// bytesOf returns the bytes of a string, to be read only.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // G103: audited above; nobody writes to it
}

const arenaChunk = 16 << 10

// arena gives out memory for strings that a record does not hold as they are.
// It never takes memory back: the collector frees a chunk when no string in it
// is left, so a string stays valid however long it is kept. In return a kept
// string keeps its chunk, which is why signals' strings are cloned by keepers.
type arena struct {
	free []byte
}

// take returns an empty slice with room for n bytes.
func (a *arena) take(n int) []byte {
	if n > arenaChunk/8 {
		return make([]byte, 0, n)
	}
	if n > len(a.free) {
		a.free = make([]byte, arenaChunk)
	}
	room := a.free[:0:n]
	a.free = a.free[n:]
	return room
}

// escapeLen returns the length of the escape sequence b begins with, a
// surrogate pair counted as one, or 0 when it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	r := hex4(b)
	switch {
	case r < 0:
		return 0
	case !utf16.IsSurrogate(r):
		return 6
	case utf16.DecodeRune(r, hex4(b[6:])) == utf8.RuneError:
		return 0
	default:
		return 12
	}
}

// hex4 returns the code unit of the escape that b begins with, \u and four hex
// digits, or -1.
func hex4(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnescaped appends what raw, the inside of a valid string, stands for.
// That is never longer than raw.
func appendUnescaped(dst, raw []byte) []byte {
	for len(raw) > 0 {
		if raw[0] != '\\' {
			dst = append(dst, raw[0])
			raw = raw[1:]
			continue
		}
		n := escapeLen(raw)
		switch raw[1] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(raw)
			if n == 12 {
				r = utf16.DecodeRune(r, hex4(raw[6:]))
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, raw[1])
		}
		raw = raw[n:]
	}
	return dst
}

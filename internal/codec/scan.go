package codec

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth bounds nesting. The deepest member that is read lies four levels
// down; the bound keeps recursion over hostile input shallow.
const maxDepth = 128

const tooDeep = "nested deeper than 128 levels"

// scanner validates JSON as RFC 8259 defines it. Its methods take the index of
// a token's first byte and return the index after the token, or -1 after
// noting where and why the first error is.
type scanner struct {
	buf []byte
	at  int
	why string
}

func (s *scanner) fail(at int, why string) int {
	s.at, s.why = at, why
	return -1
}

// space returns the index of the first byte at or after i that is no white
// space.
func (s *scanner) space(i int) int {
	for i < len(s.buf) {
		switch s.buf[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value passes over one value of any kind. depth is the number of containers
// it lies in.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.buf) {
		return s.fail(i, "ends where a value is expected")
	}
	switch c := s.buf[i]; c {
	case '{':
		return s.members(i, depth+1, nil)
	case '[':
		return s.elements(i, depth+1)
	case '"':
		end, _ := s.text(i)
		return end
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if c != '-' && !isDigit(c) {
			return s.fail(i, "a value is expected")
		}
		_, end := s.number(i)
		return end
	}
}

// members passes over an object. show, unless it is nil, is given each member:
// its name, with quotes and as it is spelt, and where its value lies.
func (s *scanner) members(i, depth int, show func(name []byte, start, end int)) int {
	if depth > maxDepth {
		return s.fail(i, tooDeep)
	}
	i, empty := s.empty(i, '}')
	for !empty {
		end, _, start := s.name(i)
		if start < 0 {
			return -1
		}
		name := s.buf[i:end]
		if i = s.value(start, depth); i < 0 {
			return -1
		}
		if show != nil {
			show(name, start, i)
		}
		i = s.space(i)
		if i >= len(s.buf) || s.buf[i] != ',' {
			return s.closed(i, '}')
		}
		i = s.space(i + 1)
	}
	return i
}

// elements passes over a list.
func (s *scanner) elements(i, depth int) int {
	if depth > maxDepth {
		return s.fail(i, tooDeep)
	}
	i, empty := s.empty(i, ']')
	for !empty {
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		i = s.space(i)
		if i >= len(s.buf) || s.buf[i] != ',' {
			return s.closed(i, ']')
		}
		i = s.space(i + 1)
	}
	return i
}

// empty passes over the container that begins at i if nothing is in it; else it
// stops at its first part.
func (s *scanner) empty(i int, closing byte) (next int, empty bool) {
	i = s.space(i + 1)
	if i < len(s.buf) && s.buf[i] == closing {
		return i + 1, true
	}
	return i, false
}

// closed passes over a container's end, where no comma leads on.
func (s *scanner) closed(i int, closing byte) int {
	if i < len(s.buf) && s.buf[i] == closing {
		return i + 1
	}
	ends, other := "ends inside an object", "a comma or a closing brace is expected"
	if closing == ']' {
		ends, other = "ends inside a list", "a comma or a closing bracket is expected"
	}
	if i >= len(s.buf) {
		return s.fail(i, ends)
	}
	return s.fail(i, other)
}

// name passes over a member's name and colon, up to its value. end is the
// index after the name, next that of the value, or -1.
func (s *scanner) name(i int) (end int, escaped bool, next int) {
	if i >= len(s.buf) || s.buf[i] != '"' {
		return 0, false, s.fail(i, "a member name in double quotes is expected")
	}
	end, escaped = s.text(i)
	if end < 0 {
		return 0, false, -1
	}
	colon := end
	if colon < len(s.buf) && s.buf[colon] != ':' {
		colon = s.space(colon)
	}
	if colon >= len(s.buf) || s.buf[colon] != ':' {
		return 0, false, s.fail(colon, "a colon is expected after a member name")
	}
	return end, escaped, s.space(colon + 1)
}

func (s *scanner) literal(i int, word string) int {
	if len(s.buf)-i < len(word) || string(s.buf[i:i+len(word)]) != word {
		return s.fail(i, "a value is expected")
	}
	return i + len(word)
}

// text passes over a string, quotes included. escaped says whether its content
// differs from its bytes.
func (s *scanner) text(i int) (end int, escaped bool) {
	b := s.buf
	i++
	for {
		i = skipPlain(b, i)
		if i >= len(b) {
			return s.fail(i, "ends inside a string"), false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			n := escapeLen(b[i:])
			if n == 0 {
				return s.fail(i, "not an escape, or half of a surrogate pair"), false
			}
			i += n
		case c < ' ':
			return s.fail(i, "a control character in a string must be escaped"), false
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n <= 1 {
				return s.fail(i, "not UTF-8"), false
			}
			i += n
		}
	}
}

// skipPlain returns the index of the first byte at or after i that is a quote,
// a backslash, a control character or not ASCII.
//
// It looks at eight bytes at a time. Each of the masks marks the lowest byte
// it is after exactly; only bytes above a marked one can be marked wrongly, by
// the borrow, and those are not looked at.
func skipPlain(b []byte, i int) int {
	for len(b)-i >= 8 {
		if mark := notPlain(binary.LittleEndian.Uint64(b[i:])); mark != 0 {
			return i + bits.TrailingZeros64(mark)/8
		}
		i += 8
	}
	if rest := len(b) - i; rest > 0 && len(b) >= 8 {
		// The last eight bytes without those that were looked at. The zeros that
		// come in their place are control characters: they mark the end.
		w := binary.LittleEndian.Uint64(b[len(b)-8:]) >> (64 - 8*rest)
		return i + bits.TrailingZeros64(notPlain(w))/8
	}
	for i < len(b) {
		if c := b[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			return i
		}
		i++
	}
	return i
}

func notPlain(w uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w | w) & tops
}

func isDigit(c byte) bool { return c-'0' < 10 }

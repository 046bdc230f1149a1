package batch

import (
	"fmt"

	"pulse-scorer/internal/codec"
)

// Bounds of the memory a HeaderParser keeps: keys are repeated from record to
// record, but nothing obliges a sender to that.
const (
	maxKnownKeys     = 256
	maxKnownKeyBytes = 64
)

// HeaderParser parses headers and remembers their keys, so that a key costs
// an allocation only when it is new. The zero HeaderParser is ready for use.
// It is not for concurrent use.
type HeaderParser struct{ known map[string]string }

// Parse appends the headers of raw (Record.Headers) to dst. Values alias
// raw, keys do not. A nil raw has none. On an error dst comes back as it was.
func (p *HeaderParser) Parse(dst []codec.Header, raw []byte) ([]codec.Header, error) {
	if len(raw) == 0 {
		return dst, nil
	}
	count, at := varint(raw, 0)
	if at < 0 || count < 0 {
		return dst, fmt.Errorf("%w: number of record headers", ErrMalformed)
	}
	out := dst
	for i := range count {
		var key, value []byte
		if key, at = span(raw, at); at < 0 || key == nil {
			return dst, fmt.Errorf("%w: key of record header %d", ErrMalformed, i)
		}
		if value, at = span(raw, at); at < 0 {
			return dst, fmt.Errorf("%w: value of record header %d", ErrMalformed, i)
		}
		out = append(out, codec.Header{Key: p.key(key), Value: value})
	}
	if at != len(raw) {
		return dst, fmt.Errorf("%w: %d bytes after the record headers", ErrMalformed, len(raw)-at)
	}
	return out, nil
}

func (p *HeaderParser) key(b []byte) string {
	if k, ok := p.known[string(b)]; ok {
		return k
	}
	k := string(b)
	if len(p.known) < maxKnownKeys && len(k) <= maxKnownKeyBytes {
		if p.known == nil {
			p.known = make(map[string]string)
		}
		p.known[k] = k
	}
	return k
}

package batch

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// streamChunk is how much of a stream is looked at in one go.
const streamChunk = 32 << 10

// stream reads records from decompressed bytes that are never all in memory.
type stream struct {
	in     *bufio.Reader
	prefix bytes.Reader // what was inflated before the limit was met
	part   int
	left   int64 // bytes of the present record that are not yet read
	err    error

	body, key, value, headers []byte
	hash                      hash.Hash
}

func (s *stream) reset(prefix []byte, rest io.Reader, part int) {
	s.prefix.Reset(prefix)
	s.part, s.left, s.err = part, 0, nil
	all := io.MultiReader(&s.prefix, rest)
	if s.in == nil {
		s.in = bufio.NewReaderSize(all, streamChunk)
		s.hash = sha256.New()
		return
	}
	s.in.Reset(all)
}

// ended says whether the stream has come to a proper end.
func (s *stream) ended() bool {
	_, err := s.in.ReadByte()
	s.err = err
	return errors.Is(err, io.EOF)
}

// nextStreamed reads a record in one go where that is within the limit, part
// by part otherwise.
func (c *Cursor) nextStreamed(r *Record) fault {
	s := &c.stream
	s.left = maxVarint
	length, ok := s.varint()
	if !ok || length <= 0 {
		return faultLength
	}
	s.left = length
	if length > int64(s.part) {
		return c.nextLarge(r)
	}
	if s.body, ok = s.take(s.body, length); !ok {
		return faultLength
	}
	return c.parse(s.body[:length:length], r)
}

func (c *Cursor) nextLarge(r *Record) fault {
	s := &c.stream
	c.withheld = Withheld{}
	if _, ok := s.byte(); !ok { // attributes
		return faultLength
	}
	sinceBase, ok := s.varint()
	if !ok {
		return faultTimestamp
	}
	delta, ok := s.varint()
	if !ok || delta < 0 || delta > c.batch.LastOffset-c.batch.BaseOffset {
		return faultOffset
	}
	r.Offset, r.TimestampMs = c.batch.BaseOffset+delta, c.timestamp(sinceBase)
	if r.Key, ok = s.span(&s.key, &c.withheld.Key); !ok {
		return faultKey
	}
	if r.Value, ok = s.span(&s.value, &c.withheld.Value); !ok {
		return faultValue
	}
	if s.left == 0 {
		return faultHeaders
	}
	if r.Headers, ok = s.bytes(&s.headers, &c.withheld.Headers, s.left); !ok {
		return faultHeaders
	}
	if len(r.Headers) == 1 && r.Headers[0] == 0 {
		r.Headers = nil
	}
	r.Withheld = nil
	if c.withheld != (Withheld{}) {
		r.Withheld = &c.withheld
	}
	return sound
}

func (s *stream) byte() (byte, bool) {
	if s.left <= 0 {
		return 0, false
	}
	b, err := s.in.ReadByte()
	if err != nil {
		s.err = err
		return 0, false
	}
	s.left--
	return b, true
}

func (s *stream) varint() (int64, bool) {
	var buf [maxVarint]byte
	for i := range buf {
		b, ok := s.byte()
		if !ok {
			return 0, false
		}
		buf[i] = b
		if b < 0x80 {
			v, at := varint(buf[:i+1], 0)
			return v, at > 0
		}
	}
	return 0, false
}

// span reads a length and that many bytes, or their digest.
func (s *stream) span(into *[]byte, d *Digest) ([]byte, bool) {
	n, ok := s.varint()
	if !ok || n < -1 {
		return nil, false
	}
	if n < 0 {
		return nil, true
	}
	return s.bytes(into, d, n)
}

// bytes reads n bytes into a buffer that is kept, or into d when they exceed
// the limit.
func (s *stream) bytes(into *[]byte, d *Digest, n int64) ([]byte, bool) {
	if n > int64(s.part) {
		return nil, s.digest(d, n)
	}
	var ok bool
	*into, ok = s.take(*into, n)
	return *into, ok
}

// take reads n bytes, at most the limit, over buf. The result is not nil.
func (s *stream) take(buf []byte, n int64) ([]byte, bool) {
	if n > s.left {
		return buf, false
	}
	if buf == nil || int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(s.in, buf); err != nil {
		s.err = err
		return buf, false
	}
	s.left -= n
	return buf, true
}

func (s *stream) digest(d *Digest, n int64) bool {
	if n > s.left {
		return false
	}
	s.hash.Reset()
	for rest := n; rest > 0; {
		// A short peek before the end of the stream comes with an error.
		p, err := s.in.Peek(int(min(rest, streamChunk)))
		if err != nil {
			s.err = err
			return false
		}
		s.hash.Write(p)
		if _, err := s.in.Discard(len(p)); err != nil {
			s.err = err
			return false
		}
		rest -= int64(len(p))
	}
	s.left -= n
	d.Size = n
	s.hash.Sum(d.SHA256[:0])
	return true
}

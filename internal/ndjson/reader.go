package ndjson

import (
	"bufio"
	"errors"
	"io"
)

// Line is one line of the input.
type Line struct {
	// Number counts from 1.
	Number int64
	// Bytes are without the line feed and valid until the next call; nil
	// when the line is TooLong.
	Bytes []byte
	// Size is the length without the line feed, also of a line that is
	// TooLong.
	Size int64
	// TooLong is set when the line is longer than the limit.
	TooLong bool
}

// Reader gives the lines of a stream. It is for one goroutine.
type Reader struct {
	in    *bufio.Reader
	limit int
	last  int64
	buf   []byte
}

// NewReader reads lines of at most limit bytes from in.
func NewReader(in io.Reader, limit int) *Reader {
	const chunk = 64 << 10
	return &Reader{in: bufio.NewReaderSize(in, chunk), limit: limit}
}

// Next returns the next line, or io.EOF after the last.
//
// When in fails, what was read of the line is dropped and the error returned:
// a cut-off line must not be taken for a whole one.
func (r *Reader) Next() (Line, error) {
	r.buf = r.buf[:0]
	size := int64(0)
	for {
		part, err := r.in.ReadSlice('\n')
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		size += int64(len(part))
		if size <= int64(r.limit) {
			r.buf = append(r.buf, part...)
		}
		switch {
		case ended, errors.Is(err, io.EOF) && size > 0:
			return r.line(size), nil
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return Line{}, err //nolint:wrapcheck // io.EOF has to stay what it is; a Source names itself
		}
	}
}

func (r *Reader) line(size int64) Line {
	r.last++
	if size > int64(r.limit) {
		return Line{Number: r.last, Size: size, TooLong: true}
	}
	return Line{Number: r.last, Size: size, Bytes: r.buf}
}

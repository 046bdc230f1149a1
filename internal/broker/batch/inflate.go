package batch

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const (
	// maxZstdWindow is what zstd's own library accepts unless told
	// otherwise, so what every other consumer reads.
	maxZstdWindow = 128 << 20
	// A decoder keeps a window's memory. Levels up to 18 stay within this
	// (the usual level 3 has 2 MiB); for more a decoder is made and dropped.
	keptZstdWindow = 8 << 20
)

// inflater keeps one decompressor of each kind, made when first needed.
type inflater struct {
	in     bytes.Reader
	gzip   *gzip.Reader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
	xerial xerialReader
}

// inflate decompresses src to the end of dst. If that exceeds limit bytes, the
// rest is still to be read, from rest, which is nil otherwise.
func (f *inflater) inflate(dst []byte, kind Compression, src []byte, limit int) (out []byte, rest io.Reader, err error) {
	if kind == Snappy && !isXerial(src) {
		return inflateSnappyBlock(dst, src, limit)
	}
	f.in.Reset(src)
	from, err := f.open(kind, src)
	if err != nil {
		return dst, nil, err
	}
	dst = slices.Grow(dst, min(limit, 4*len(src)))
	for len(dst) < limit {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(limit-len(dst), max(len(dst), 4<<10)))
		}
		n, err := from.Read(dst[len(dst):min(cap(dst), limit)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, nil, nil
		}
		if err != nil {
			return dst, nil, fmt.Errorf("after %d bytes: %w", len(dst), err)
		}
	}
	return dst, from, nil
}

func (f *inflater) open(kind Compression, src []byte) (io.Reader, error) {
	switch kind {
	case None:
		return &f.in, nil
	case Gzip:
		if f.gzip == nil {
			f.gzip = new(gzip.Reader)
		}
		if err := f.gzip.Reset(&f.in); err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		return f.gzip, nil
	case Snappy:
		f.xerial.reset(src)
		return &f.xerial, nil
	case LZ4:
		if f.lz4 == nil {
			f.lz4 = lz4.NewReader(nil)
		}
		f.lz4.Reset(&f.in)
		return f.lz4, nil
	case Zstd:
		return f.openZstd(src)
	default:
		return nil, fmt.Errorf("no decompressor for %v", kind)
	}
}

func (f *inflater) openZstd(src []byte) (io.Reader, error) {
	var header zstd.Header
	if err := header.Decode(src); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	window := header.WindowSize
	if header.SingleSegment { // the frame is its own window
		window = header.FrameContentSize
	}
	if window > keptZstdWindow {
		return newZstdDecoder(&f.in, maxZstdWindow)
	}
	if f.zstd == nil {
		d, err := newZstdDecoder(nil, keptZstdWindow)
		if err != nil {
			return nil, err
		}
		f.zstd = d
	}
	if err := f.zstd.Reset(&f.in); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return f.zstd, nil
}

// newZstdDecoder makes a decoder that starts no goroutines, so that it may be
// dropped without being closed.
func newZstdDecoder(in io.Reader, window uint64) (*zstd.Decoder, error) {
	d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return d, nil
}

package batch

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Java's consumer sets aside a whole block for reading; 64 KiB is its
// producer's default too.
const lz4Block = lz4.Block64Kb

// minCompressed is the least that is compressed. A record or two gain little, and at
// low load, when each is a batch of its own, they wait for it here, at the broker,
// which reads what it is given, and at every reader.
const minCompressed = 1 << 10

// A window as large as a usual batch; more would only cost memory.
const zstdWindow = 1 << 20

// Compressor compresses the records of batches, one at a time. It is not for
// concurrent use; a nil one leaves batches as they are. Its memory is shared by
// all builders that are sealed with it.
type Compressor struct {
	kind Compression
	out  sink
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

// NewCompressor prepares None, LZ4 or Zstd.
func NewCompressor(kind Compression) (*Compressor, error) {
	c := &Compressor{kind: kind}
	switch kind {
	case None:
	case LZ4:
		c.lz4 = lz4.NewWriter(&c.out)
		// The batch has a checksum of its own.
		if err := c.lz4.Apply(lz4.BlockSizeOption(lz4Block), lz4.ChecksumOption(false)); err != nil {
			return nil, fmt.Errorf("prepare lz4: %w", err)
		}
	case Zstd:
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("prepare zstd: %w", err)
		}
		c.zstd = enc
	case Gzip, Snappy:
		return nil, fmt.Errorf("compression %v can be read but not written: use none, lz4 or zstd", kind)
	default:
		return nil, fmt.Errorf("%v is unknown: use none, lz4 or zstd", kind)
	}
	return c, nil
}

// append adds src, compressed, to dst. When it cannot, or not in fewer bytes
// than src, it returns false and what dst holds is of no use.
func (c *Compressor) append(dst, src []byte) ([]byte, bool) {
	limit := len(dst) + len(src)
	switch {
	case c == nil || c.kind == None || len(src) < minCompressed:
		return dst, false
	case c.lz4 != nil:
		c.out.b = dst
		c.lz4.Reset(&c.out)
		_, err := c.lz4.Write(src)
		if err == nil {
			err = c.lz4.Close()
		}
		dst, c.out.b = c.out.b, nil
		return dst, err == nil && len(dst) < limit
	default:
		dst = c.zstd.EncodeAll(src, dst)
		return dst, len(dst) < limit
	}
}

// sink is an io.Writer onto the end of a slice.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

package batch

import "fmt"

// Compression is how the records of a batch are compressed. The values are
// those of the attribute bits.
type Compression uint8

// The compressions of the format. All can be read; None, LZ4 and Zstd can be
// written.
const (
	None Compression = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// ParseCompression reads the name of a compression that can be written:
// none, lz4 or zstd.
func ParseCompression(name string) (Compression, error) {
	for _, c := range []Compression{None, LZ4, Zstd} {
		if name == c.String() {
			return c, nil
		}
	}
	return None, fmt.Errorf("compression %q: want none, lz4 or zstd", name)
}

// String is the name Kafka's settings use.
func (c Compression) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	default:
		return fmt.Sprintf("compression(%d)", uint8(c))
	}
}

package batch

import (
	"fmt"
	"io"
)

// Peek says how many bytes the first batch of a fetched record set takes and
// what its last offset is, without looking at the checksum. The error is io.EOF
// when no whole batch is left, as with Next.
func Peek(set []byte) (lastOffset int64, size int, err error) {
	if len(set) <= magicAt {
		return 0, 0, io.EOF
	}
	base := int64At(set, baseOffsetAt)
	if magic := set[magicAt]; magic != magicV2 {
		return 0, 0, &CorruptError{Offset: base, Kind: ErrFormat, Detail: fmt.Sprintf("format %d", magic)}
	}
	length := int64(int32At(set, lengthAt))
	if length < HeaderSize-lengthFrom {
		return 0, 0, malformed(base, "length %d is less than a header", length)
	}
	if length > int64(len(set)-lengthFrom) {
		return 0, 0, io.EOF
	}
	return base + int64(int32At(set, lastOffsetDeltaAt)), lengthFrom + int(length), nil
}

package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/snappy"
)

// Java's producer frames its snappy blocks as the xerial library does: a
// magic, two version numbers, then blocks with their lengths. Others write one
// bare block.
const (
	xerialMagic      = "\x82SNAPPY\x00"
	xerialHeaderSize = len(xerialMagic) + 8
)

// snappyRatio is more than a block can inflate: 3 bytes give at most 64. A
// block that claims more is refused before memory is set aside for it.
const snappyRatio = 22

var (
	errSnappySize = errors.New("snappy block claims an impossible size")
	errXerial     = errors.New("malformed xerial framing")
)

func isXerial(src []byte) bool {
	return len(src) >= xerialHeaderSize && string(src[:len(xerialMagic)]) == xerialMagic
}

func snappySize(src []byte) (int, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return 0, fmt.Errorf("block size: %w", err)
	}
	if n > snappyRatio*len(src) {
		return 0, errSnappySize
	}
	return n, nil
}

// inflateSnappyBlock decompresses a bare block. One cannot be read in part,
// so beyond the limit it takes up to snappyRatio times the bytes that were
// fetched.
func inflateSnappyBlock(dst, src []byte, limit int) ([]byte, io.Reader, error) {
	n, err := snappySize(src)
	if err != nil {
		return dst, nil, err
	}
	if n > limit {
		whole := make([]byte, n)
		return dst, bytes.NewReader(whole), decodeSnappy(whole, src)
	}
	at := len(dst)
	dst = slices.Grow(dst, n)[:at+n]
	return dst, nil, decodeSnappy(dst[at:], src)
}

// decodeSnappy decompresses a block into dst, which has its size.
func decodeSnappy(dst, src []byte) error {
	if _, err := snappy.Decode(dst, src); err != nil {
		return fmt.Errorf("block: %w", err)
	}
	return nil
}

// xerialReader decompresses xerial frames block by block.
type xerialReader struct {
	src   []byte // blocks not yet read
	block []byte // decompressed, kept
	at    int    // in block
}

func (x *xerialReader) reset(src []byte) {
	x.src, x.block, x.at = src[xerialHeaderSize:], x.block[:0], 0
}

func (x *xerialReader) Read(p []byte) (int, error) {
	for x.at == len(x.block) {
		if len(x.src) == 0 {
			return 0, io.EOF
		}
		if err := x.nextBlock(); err != nil {
			return 0, err
		}
	}
	n := copy(p, x.block[x.at:])
	x.at += n
	return n, nil
}

func (x *xerialReader) nextBlock() error {
	if len(x.src) < 4 {
		return errXerial
	}
	size := int64(binary.BigEndian.Uint32(x.src))
	if size > int64(len(x.src)-4) {
		return errXerial
	}
	packed := x.src[4 : 4+size]
	n, err := snappySize(packed)
	if err != nil {
		return err
	}
	x.src, x.at = x.src[4+size:], 0
	x.block = slices.Grow(x.block[:0], n)[:n]
	return decodeSnappy(x.block, packed)
}

package batch

import "math/bits"

// Kafka's varints are zigzag-encoded, as encoding/binary's are. These are
// separate because the record path spends most of its time here: the one-byte
// case has to be inlined, and a fault is a negative position.

const maxVarint = 10

// varintLen is the number of bytes of v.
func varintLen(v int64) int {
	return (bits.Len64(zigzag(v)|1) + 6) / 7
}

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// putVarint writes v at b[at:] and returns where the next byte goes.
func putVarint(b []byte, at int, v int64) int {
	u := zigzag(v)
	for u >= 0x80 {
		b[at] = byte(u) | 0x80
		u >>= 7
		at++
	}
	b[at] = byte(u)
	return at + 1
}

// varint reads at b[at:] and returns the value and where the next byte
// stands, which is -1 when the bytes end first or the value has more than 64
// bits. at must not be negative.
func varint(b []byte, at int) (int64, int) {
	if at+1 < len(b) {
		if b[at] < 0x80 {
			return unzigzag(uint64(b[at])), at + 1
		}
		if b[at+1] < 0x80 { // the usual length and offset delta
			return unzigzag(uint64(b[at]&0x7f) | uint64(b[at+1])<<7), at + 2
		}
	}
	return longVarint(b, at)
}

//go:noinline
func longVarint(b []byte, at int) (int64, int) {
	var u uint64
	for shift := 0; at < len(b); shift += 7 {
		c := b[at]
		at++
		if shift == 63 && c > 1 {
			return 0, -1
		}
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return unzigzag(u), at
		}
	}
	return 0, -1
}

// span reads a length and that many bytes at b[at:]. A length of -1 is null
// and gives nil; what is there but empty is not nil. The next position is -1
// when the length is negative otherwise or exceeds b.
func span(b []byte, at int) ([]byte, int) {
	var n int64
	if at < len(b) && b[at] < 0x80 {
		n, at = unzigzag(uint64(b[at])), at+1
	} else if n, at = varint(b, at); at < 0 {
		return nil, -1
	}
	if uint64(n) <= uint64(len(b)-at) {
		end := at + int(n)
		return b[at:end:end], end
	}
	if n == -1 {
		return nil, at
	}
	return nil, -1
}

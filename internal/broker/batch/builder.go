package batch

import (
	"fmt"
	"math"
	"slices"

	"pulse-scorer/internal/codec"
)

// Builder collects records into one batch, each written once, at its final
// place. The zero Builder is ready for use. It is not for concurrent use.
type Builder struct {
	buf      []byte // room for the batch header, then the records
	packed   []byte // the same with compressed records
	count    int32
	firstMs  int64
	newestMs int64
}

// Reset makes the builder empty and keeps its memory: what Seal gave is
// overwritten by what is appended next. When a request that holds those bytes
// may still be in use, drop the memory with Discard instead.
func (b *Builder) Reset() {
	b.buf = b.buf[:min(len(b.buf), HeaderSize)]
	b.count, b.firstMs, b.newestMs = 0, 0, 0
}

// Discard makes the builder empty and leaves its memory to whoever still
// holds what Seal gave.
func (b *Builder) Discard() { *b = Builder{} }

// Len is the number of records.
func (b *Builder) Len() int { return int(b.count) }

// Size is the size of the batch without compression, header included.
func (b *Builder) Size() int { return max(len(b.buf), HeaderSize) }

// Append adds a record and copies what it is given. A nil key, value or
// header value is written as null, an empty one as empty.
//
// A batch must stay below 2 GiB; the caller, who knows the topic's limit,
// starts a new one in time (RecordBound).
func (b *Builder) Append(timestampMs int64, key, value []byte, headers []codec.Header) {
	if b.count == 0 {
		b.start(timestampMs)
	}
	b.newestMs = max(b.newestMs, timestampMs)
	sinceFirst := timestampMs - b.firstMs
	body := 1 + varintLen(sinceFirst) + varintLen(int64(b.count)) +
		spanLen(key) + spanLen(value) + headersLen(headers)
	at := len(b.buf)
	b.buf = slices.Grow(b.buf, varintLen(int64(body))+body)
	buf := b.buf[:at+varintLen(int64(body))+body]
	at = putVarint(buf, at, int64(body))
	buf[at] = 0 // attributes: none are defined
	at = putVarint(buf, at+1, sinceFirst)
	at = putVarint(buf, at, int64(b.count))
	at = putSpan(buf, at, key)
	at = putSpan(buf, at, value)
	putHeaders(buf, at, headers)
	b.buf = buf
	b.count++
}

func (b *Builder) start(timestampMs int64) {
	if cap(b.buf) < HeaderSize {
		b.buf = make([]byte, HeaderSize, 4<<10)
	}
	b.buf = b.buf[:HeaderSize]
	b.firstMs, b.newestMs = timestampMs, timestampMs
}

// Seal gives the complete batch as Produce takes it, without a producer:
// Stamp follows. It is compressed if that makes it smaller; a nil compressor
// compresses nothing. Without records it is nil. The bytes belong to the
// builder and are valid until Reset or Append.
func (b *Builder) Seal(c *Compressor) []byte {
	if b.count == 0 {
		return nil
	}
	if len(b.buf) > math.MaxInt32 {
		panic(fmt.Sprintf("broken invariant: a batch of %d bytes, more than its length field can hold", len(b.buf)))
	}
	sealed, attributes := b.buf, int16(0)
	if c != nil && c.kind != None {
		b.packed = append(b.packed[:0], b.buf[:HeaderSize]...)
		packed, smaller := c.append(b.packed, b.buf[HeaderSize:])
		b.packed = packed
		if smaller {
			sealed, attributes = packed, int16(c.kind)
		}
	}
	putInt64(sealed, baseOffsetAt, 0)
	putInt32(sealed, lengthAt, int32(len(sealed)-lengthFrom))
	putInt32(sealed, leaderEpochAt, none)
	sealed[magicAt] = magicV2
	putInt16(sealed, attributesAt, attributes)
	putInt32(sealed, lastOffsetDeltaAt, b.count-1)
	putInt64(sealed, baseTimestampAt, b.firstMs)
	putInt64(sealed, maxTimestampAt, b.newestMs)
	putInt32(sealed, countAt, b.count)
	Stamp(sealed, none, none, none, false)
	return sealed
}

// RecordBound is the most bytes that Append can add to a batch for a record.
func RecordBound(key, value []byte, headers []codec.Header) int {
	const framing = 5 + 1 + maxVarint + 5 // length, attributes, time, offset
	return framing + spanLen(key) + spanLen(value) + headersLen(headers)
}

func spanLen(p []byte) int {
	if p == nil {
		return varintLen(none)
	}
	return varintLen(int64(len(p))) + len(p)
}

func headersLen(headers []codec.Header) int {
	n := varintLen(int64(len(headers)))
	for i := range headers {
		n += varintLen(int64(len(headers[i].Key))) + len(headers[i].Key) + spanLen(headers[i].Value)
	}
	return n
}

func putSpan(b []byte, at int, p []byte) int {
	if p == nil {
		return putVarint(b, at, none)
	}
	at = putVarint(b, at, int64(len(p)))
	return at + copy(b[at:], p)
}

func putHeaders(b []byte, at int, headers []codec.Header) {
	at = putVarint(b, at, int64(len(headers)))
	for i := range headers {
		at = putVarint(b, at, int64(len(headers[i].Key)))
		at += copy(b[at:], headers[i].Key)
		at = putSpan(b, at, headers[i].Value)
	}
}

package batch

import (
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// Batch is one batch of a fetched record set. It aliases the set.
type Batch struct {
	// BaseOffset and LastOffset span the batch. After compaction it may hold
	// fewer records than that, even none; the next batch begins after
	// LastOffset all the same.
	BaseOffset, LastOffset int64
	// ProducerID, ProducerEpoch and BaseSequence are -1 without a producer.
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	// Count is the number of records.
	Count int32
	// MaxTimestampMs is the newest time of the records, or the broker's time
	// of all of them with LogAppendTime.
	MaxTimestampMs int64

	baseTimestampMs int64
	attributes      int16
	payload         []byte
}

// Transactional says whether the batch belongs to a transaction.
func (b *Batch) Transactional() bool { return b.attributes&transactionalBit != 0 }

// Control says whether the batch holds a marker instead of records.
func (b *Batch) Control() bool { return b.attributes&controlBit != 0 }

// LogAppendTime says whether the broker's time counts instead of the
// records' own.
func (b *Batch) LogAppendTime() bool { return b.attributes&logAppendTimeBit != 0 }

// Compression is how the payload is compressed.
func (b *Batch) Compression() Compression { return Compression(b.attributes & compressionMask) }

// Payload is the records as they stand in the batch, compressed or not.
func (b *Batch) Payload() []byte { return b.payload }

// Next takes the first batch off a fetched record set and checks it. The
// error is io.EOF when no whole batch is left: a broker cuts the last one off
// where the answer is full. A set that has bytes, but not one whole batch, gives
// io.EOF at once; asked again it will not get better, so the caller has to
// treat it as a fault. A batch may begin before the offset that was asked for.
func Next(set []byte) (b Batch, rest []byte, err error) {
	if len(set) <= magicAt {
		return Batch{}, nil, io.EOF
	}
	base := int64At(set, baseOffsetAt)
	if magic := set[magicAt]; magic != magicV2 {
		return Batch{}, nil, &CorruptError{Offset: base, Kind: ErrFormat, Detail: fmt.Sprintf("format %d", magic)}
	}
	length := int64(int32At(set, lengthAt))
	if length < HeaderSize-lengthFrom {
		return Batch{}, nil, malformed(base, "length %d is less than a header", length)
	}
	if length > int64(len(set)-lengthFrom) {
		return Batch{}, nil, io.EOF
	}
	end := lengthFrom + int(length)
	whole := set[:end:end]
	if got, want := crc32.Checksum(whole[attributesAt:], castagnoli), uint32(int32At(whole, checksumAt)); got != want {
		return Batch{}, nil, &CorruptError{Offset: base, Kind: ErrChecksum, Detail: fmt.Sprintf("crc32c %08x, header says %08x", got, want)}
	}
	if b, err = decode(whole); err != nil {
		return Batch{}, nil, err
	}
	return b, set[end:], nil
}

func decode(whole []byte) (Batch, error) {
	b := Batch{
		BaseOffset:      int64At(whole, baseOffsetAt),
		attributes:      int16At(whole, attributesAt),
		baseTimestampMs: int64At(whole, baseTimestampAt),
		MaxTimestampMs:  int64At(whole, maxTimestampAt),
		ProducerID:      int64At(whole, producerIDAt),
		ProducerEpoch:   int16At(whole, producerEpochAt),
		BaseSequence:    int32At(whole, baseSequenceAt),
		Count:           int32At(whole, countAt),
		payload:         whole[recordsAt:],
	}
	span := int64(int32At(whole, lastOffsetDeltaAt))
	switch {
	case b.BaseOffset < 0 || span < 0 || b.BaseOffset > math.MaxInt64-1-span:
		return Batch{}, malformed(b.BaseOffset, "last offset delta %d", span)
	case b.Count < 0 || int64(b.Count) > span+1:
		return Batch{}, malformed(b.BaseOffset, "%d records in %d offsets", b.Count, span+1)
	case b.Compression() > Zstd:
		return Batch{}, malformed(b.BaseOffset, "unknown %v", b.Compression())
	}
	b.LastOffset = b.BaseOffset + span
	return b, nil
}

// Marker is what a control batch says.
type Marker int16

// The markers that end a transaction. Other values exist; who reads a topic
// passes over them.
const (
	MarkerAbort  Marker = 0
	MarkerCommit Marker = 1
	// MarkerGone: compaction took the record out and kept the empty batch.
	MarkerGone Marker = -1
)

// Marker reads the marker of a control batch. Control batches are never
// compressed, and the type stands in the key: version, type, two bytes each.
func (b *Batch) Marker() (Marker, error) {
	if !b.Control() || b.Compression() != None {
		return 0, malformed(b.BaseOffset, "a marker was looked for in a batch with attributes %#x", b.attributes)
	}
	var c Cursor
	var r Record
	if _, err := c.Reset(*b, nil); err != nil {
		return 0, err
	}
	if !c.Next(&r) {
		return MarkerGone, c.Err()
	}
	if len(r.Key) < 4 {
		return 0, malformed(b.BaseOffset, "control record with a key of %d bytes", len(r.Key))
	}
	return Marker(int16At(r.Key, 2)), nil
}

package batch

import (
	"hash/crc32"
	"math"
)

// Stamp names the producer of a sealed batch, and the sequence of its first
// record, and sets the checksum. It may be called again on the same bytes, as
// a retry under a new epoch needs it. A batch without producer has -1 in all
// three places.
func Stamp(sealed []byte, producerID int64, epoch int16, baseSequence int32, transactional bool) {
	attributes := int16At(sealed, attributesAt) &^ transactionalBit
	if transactional {
		attributes |= transactionalBit
	}
	putInt16(sealed, attributesAt, attributes)
	putInt64(sealed, producerIDAt, producerID)
	putInt16(sealed, producerEpochAt, epoch)
	putInt32(sealed, baseSequenceAt, baseSequence)
	putInt32(sealed, checksumAt, int32(crc32.Checksum(sealed[attributesAt:], castagnoli)))
}

// Count is the number of records of a sealed batch.
func Count(sealed []byte) int32 { return int32At(sealed, countAt) }

// NextSequence is the sequence that follows n records after sequence. After
// the highest comes 0, as in the broker (DefaultRecordBatch.incrementSequence).
func NextSequence(sequence, n int32) int32 {
	return int32((int64(sequence) + int64(n)) & math.MaxInt32)
}

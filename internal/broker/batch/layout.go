package batch

import (
	"encoding/binary"
	"hash/crc32"
)

// HeaderSize is the number of bytes before the records of a batch.
const HeaderSize = recordsAt

// Where the fields of a batch stand
// (https://kafka.apache.org/documentation/#recordbatch). Up to magic the
// layout is that of the older formats too. The checksum covers everything
// from the attributes on.
const (
	baseOffsetAt      = 0
	lengthAt          = 8
	leaderEpochAt     = 12
	magicAt           = 16
	checksumAt        = 17
	attributesAt      = 21
	lastOffsetDeltaAt = 23
	baseTimestampAt   = 27
	maxTimestampAt    = 35
	producerIDAt      = 43
	producerEpochAt   = 51
	baseSequenceAt    = 53
	countAt           = 57
	recordsAt         = 61

	// The length field counts from here on.
	lengthFrom = leaderEpochAt
)

const magicV2 = 2

// Bits of the attributes.
const (
	compressionMask  = 0x07
	logAppendTimeBit = 1 << 3
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
)

// No producer, no epoch, no sequence, no leader epoch.
const none = -1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func int16At(b []byte, at int) int16 { return int16(binary.BigEndian.Uint16(b[at:])) }
func int32At(b []byte, at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func int64At(b []byte, at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }

func putInt16(b []byte, at int, v int16) { binary.BigEndian.PutUint16(b[at:], uint16(v)) }
func putInt32(b []byte, at int, v int32) { binary.BigEndian.PutUint32(b[at:], uint32(v)) }
func putInt64(b []byte, at int, v int64) { binary.BigEndian.PutUint64(b[at:], uint64(v)) }

package pipeline

import "pulse-scorer/internal/codec"

// Record is one record of an input topic as the record path sees it.
//
// Key, Value and header values belong to the fetch buffer and are valid only
// until Process returns; what is kept must be copied.
type Record struct {
	// Topic, Partition and Offset are the record's coordinates.
	Topic     string
	Partition int32
	Offset    int64
	// TimestampMs is the record's Kafka timestamp in milliseconds since
	// 1970, -1 when it has none.
	TimestampMs int64
	// Key and Value are nil when the record's are null.
	Key, Value []byte
	Headers    []Header
	// Withheld is set in place of Value when the value is too large to be
	// held in memory, or when the broker refused it as a dead letter: its
	// size and hash are all that can be passed on.
	Withheld *Withheld
	// ResultRefused is set when the broker refused the record's result as too
	// large.
	ResultRefused bool
}

// Withheld describes a value that is not passed on.
type Withheld struct {
	Size   int64
	SHA256 [32]byte
}

// Header is one record header. A nil Value is null.
type Header = codec.Header

// Destination is where the record path writes to. The engine maps it to a
// topic; the partition is always the task's own.
type Destination uint8

// The destinations of a batch.
const (
	Results Destination = iota
	DeadLetters
	State
	Destinations // how many there are
)

// Sink takes the records that one batch writes. It copies what it is given.
type Sink interface {
	// Append adds one record. A nil key or value is written as null.
	Append(to Destination, key, value []byte, headers []Header)
}

package pipeline

import "pulse-scorer/internal/codec"

// Record is one record of the input or of a retry tier as the record path sees
// it.
//
// Key, Value and header values belong to the fetch buffer and are valid only
// until Process returns; what is kept must be copied.
type Record struct {
	// Tier is 0 for the input, n for retry tier n. The original coordinates and
	// all else that a record of a tier brings along are in its headers; the
	// record path reads them.
	Tier int
	// Topic, Partition and Offset are where the record itself lies.
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
	// RetryRefused is set when the broker refused the record in a retry tier as
	// too large.
	RetryRefused bool

	// decoded is what Prefetch has found of it.
	decoded *decoded
}

// Withheld describes a value that is not passed on.
type Withheld struct {
	Size   int64
	SHA256 [32]byte
}

// Header is one record header. A nil Value is null.
type Header = codec.Header

// MaxTiers is how many retry tiers there can be.
const MaxTiers = 16

// Destination is where the record path writes to. The engine maps it to a
// topic; the partition is always the task's own.
type Destination uint8

// The destinations of a batch, but for the retry tiers: see Retry.
const (
	Results Destination = iota
	DeadLetters
	State
)

// Destinations is how many there are.
const Destinations = State + 1 + MaxTiers

// Retry is the destination of retry tier n, from 1 to MaxTiers.
func Retry(n int) Destination { return State + Destination(n) } //nolint:gosec // G115: n is MaxTiers at most

// Tier is the number of the retry tier, 0 for the other destinations.
func (d Destination) Tier() int { return max(0, int(d)-int(State)) }

// Sink takes the records that one batch writes. It copies what it is given.
type Sink interface {
	// From says of which record the next outputs of Finish are: where it lies
	// itself. Outputs of Process are of the record it was given. The answer is
	// where a single record of it was refused as too large, so that it is passed
	// on in another form: what is parked is not read again, so it cannot come with
	// a Record.
	From(tier int, offset int64) (refused Destination, ok bool)
	// Append adds one record. A nil key or value is written as null.
	Append(to Destination, key, value []byte, headers []Header)
}

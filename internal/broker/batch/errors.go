package batch

import (
	"errors"
	"fmt"
)

// What can be wrong with the bytes of a batch. Each comes wrapped in a
// CorruptError.
var (
	// ErrFormat: a message set of format 0 or 1, or of a format to come.
	ErrFormat = errors.New("not a record batch of format 2; rewrite the topic with a current broker")
	// ErrChecksum: the bytes changed on their way or on disk.
	ErrChecksum = errors.New("wrong checksum")
	// ErrMalformed: the checksum holds, but the content breaks the format.
	ErrMalformed = errors.New("malformed record batch")
)

// CorruptError says which batch cannot be read. errors.Is finds the kind.
type CorruptError struct {
	// Offset is the base offset that the batch claims.
	Offset int64
	// Kind is ErrFormat, ErrChecksum or ErrMalformed.
	Kind error
	// Detail says what was found.
	Detail string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("record batch at offset %d: %v: %s", e.Offset, e.Kind, e.Detail)
}

// Unwrap gives the kind.
func (e *CorruptError) Unwrap() error { return e.Kind }

func malformed(offset int64, format string, args ...any) error {
	return &CorruptError{Offset: offset, Kind: ErrMalformed, Detail: fmt.Sprintf(format, args...)}
}

// fault is what is wrong with a record. It is a number rather than an error
// because the record path returns it for every record.
type fault uint8

const (
	sound fault = iota
	faultLength
	faultTimestamp
	faultOffset
	faultOrder
	faultKey
	faultValue
	faultHeaders
)

func (f fault) String() string {
	switch f {
	case sound:
		return "sound"
	case faultLength:
		return "its length"
	case faultTimestamp:
		return "its timestamp delta"
	case faultOffset:
		return "its offset delta"
	case faultOrder:
		return "its offset is not above the one before"
	case faultKey:
		return "its key"
	case faultValue:
		return "its value"
	case faultHeaders:
		return "its headers"
	default:
		return fmt.Sprintf("fault(%d)", uint8(f))
	}
}

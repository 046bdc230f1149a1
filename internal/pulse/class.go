package pulse

import (
	"errors"
	"fmt"
	"time"
)

// Class names why a record failed. The names are part of the public contract
// (header pulse-error-class, metric label class).
type Class string

// The classes a record can fail with.
const (
	MalformedJSON   Class = "malformed_json"
	InvalidField    Class = "invalid_field"
	TooLarge        Class = "too_large"
	FutureTimestamp Class = "future_timestamp"
	IDConflict      Class = "id_conflict"
	StagePanic      Class = "stage_panic"
	// EnricherRejected: an external enricher will not have the signal, or gives
	// an answer that is none.
	EnricherRejected Class = "enricher_rejected"
	// EnricherUnavailable: an external enricher gave no answer this time.
	EnricherUnavailable Class = "enricher_unavailable"
	// EnricherDown: a required external enricher is known to be down and is not
	// asked. No record is dead-lettered or retried with it.
	EnricherDown Class = "enricher_down"
	// Unknown is whatever nobody has given a class.
	Unknown Class = "unknown"
	// RetriesExhausted: the last tier failed too; the letter says with which
	// class (header pulse-last-error-class).
	RetriesExhausted Class = "retries_exhausted"
)

// Severity says what a failure asks for. The set is closed.
type Severity uint8

// The severities.
const (
	// SeverityBad: the record will never succeed; it becomes a dead letter.
	SeverityBad Severity = iota
	// SeverityTransient: it may succeed later; it is tried again, until the
	// tiers are used up.
	SeverityTransient
	// SeveritySystemic: it is not the record's fault, and every other one would
	// fail as well; nothing is taken until it is over.
	SeveritySystemic
	// SeverityFatal: the process cannot go on. No class of a record is fatal: what
	// is comes as an error of the engine or of a restore.
	SeverityFatal
)

// String is the severity in one word.
func (s Severity) String() string {
	switch s {
	case SeverityBad:
		return "bad"
	case SeverityTransient:
		return "transient"
	case SeveritySystemic:
		return "systemic"
	case SeverityFatal:
		return "fatal"
	}
	return "unknown"
}

// Severity is the one place that decides what a class asks for. A class that is
// not in the table is transient: giving a record up is the worse mistake.
func (c Class) Severity() Severity {
	switch c {
	case MalformedJSON, InvalidField, TooLarge, FutureTimestamp, IDConflict, StagePanic, EnricherRejected, RetriesExhausted:
		return SeverityBad
	case EnricherUnavailable, Unknown:
		return SeverityTransient
	case EnricherDown:
		return SeveritySystemic
	}
	return SeverityTransient
}

// Retriable tells whether trying again can help at all, so that tiers may be
// given to a class that has none by itself (PULSE_RETRY_OVERRIDES). The same
// bytes stay malformed however often they are read.
func (c Class) Retriable() bool {
	switch c {
	case StagePanic, EnricherRejected, EnricherUnavailable, Unknown:
		return true
	case MalformedJSON, InvalidField, TooLarge, FutureTimestamp, IDConflict, EnricherDown, RetriesExhausted:
	}
	return false
}

// Bad says why a record failed.
//
//nolint:errname // it is an outcome first, and an error only where it has to be printed
type Bad struct {
	Class Class
	// Field is the dotted path of the field at fault, empty when it is the
	// record as a whole.
	Field string
	// Message is for people, in one line, and never echoes long input.
	Message string
	// RetryAfter is how long not to try again, 0 when nobody has said.
	RetryAfter time.Duration
}

// Error implements error.
func (b *Bad) Error() string {
	if b.Field == "" {
		return fmt.Sprintf("%s: %s", b.Class, b.Message)
	}
	return fmt.Sprintf("%s: %s: %s", b.Class, b.Field, b.Message)
}

// Classify makes a Bad of any error. One that holds none is of class Unknown.
func Classify(err error) *Bad {
	if bad, ok := errors.AsType[*Bad](err); ok {
		return bad
	}
	return &Bad{Class: Unknown, Message: err.Error()}
}

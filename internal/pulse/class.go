package pulse

import "fmt"

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
)

// Bad says why a record is bad: for good, whoever reads it and however often.
//
//nolint:errname // it is an outcome first, and an error only where it has to be printed
type Bad struct {
	Class Class
	// Field is the dotted path of the field at fault, empty when it is the
	// record as a whole.
	Field string
	// Message is for people, in one line, and never echoes long input.
	Message string
}

// Error implements error.
func (b *Bad) Error() string {
	if b.Field == "" {
		return fmt.Sprintf("%s: %s", b.Class, b.Message)
	}
	return fmt.Sprintf("%s: %s: %s", b.Class, b.Field, b.Message)
}

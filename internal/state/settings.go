package state

import (
	"errors"
	"fmt"
	"time"
)

// maxIDsLimit keeps segment numbers of living IDs within the 30 bits a slot
// has for them, whatever the segments' sizes.
const maxIDsLimit = 1 << 28

// Settings of what a task remembers.
type Settings struct {
	// DedupeWindow is how long an ID is remembered at least, if
	// DedupeMaxIDs allows it.
	DedupeWindow time.Duration
	// DedupeMaxIDs is how many IDs a task remembers. It is enforced when a
	// batch is sealed and may be passed by the IDs of that batch.
	DedupeMaxIDs int
	// WindowSize is how many values of a series are kept; 0 is for a profile
	// without a window: series.Series and series.Source are kept in its place.
	WindowSize int
	// MemorySize is how many forecasts of a stream are kept, 128 at most.
	MemorySize int
}

// Validate returns all faults joined, nil when there is none.
func (s Settings) Validate() error {
	var faults []error
	if s.DedupeWindow < time.Millisecond {
		faults = append(faults, fmt.Errorf("PULSE_DEDUPE_WINDOW: %v is too short, use 1ms or more", s.DedupeWindow))
	}
	if s.DedupeMaxIDs < 1 || s.DedupeMaxIDs > maxIDsLimit {
		faults = append(faults, fmt.Errorf("PULSE_DEDUPE_MAX_IDS: %d is not within 1 and %d", s.DedupeMaxIDs, maxIDsLimit))
	}
	if s.WindowSize < 0 || s.WindowSize > maxWindow {
		faults = append(faults, fmt.Errorf("window size: %d is not within 0 and %d", s.WindowSize, maxWindow))
	}
	if s.MemorySize < 1 || s.MemorySize > memorySlots {
		faults = append(faults, fmt.Errorf("memory size: %d is not within 1 and %d", s.MemorySize, memorySlots))
	}
	return errors.Join(faults...)
}

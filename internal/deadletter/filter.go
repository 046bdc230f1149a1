package deadletter

import (
	"slices"
	"time"
)

// Position is where a letter lies.
type Position struct {
	Partition int32
	Offset    int64
}

// Filter says which letters somebody means: those that fit all of it. What is
// empty asks for nothing.
type Filter struct {
	Classes, Stages []string
	Sources, IDs    []string
	// Since and Until bound the time at which a letter was written: not before
	// Since, and before Until.
	Since, Until time.Time
	Positions    []Position
}

// Empty tells a filter that everything fits.
func (f *Filter) Empty() bool {
	return len(f.Classes)+len(f.Stages)+len(f.Sources)+len(f.IDs)+len(f.Positions) == 0 && f.Since.IsZero() && f.Until.IsZero()
}

// Fits tells whether a letter is meant. A letter whose tries are used up fits the
// class it last failed with, too.
func (f *Filter) Fits(l *Letter) bool {
	at := time.UnixMilli(l.TimeMs)
	switch {
	case len(f.Classes) > 0 && !slices.Contains(f.Classes, l.Class) && (l.LastClass == "" || !slices.Contains(f.Classes, l.LastClass)):
	case !among(f.Stages, l.Stage), !among(f.Sources, l.Source), !among(f.IDs, l.ID):
	case !among(f.Positions, Position{l.Partition, l.At}):
	case !f.Since.IsZero() && at.Before(f.Since), !f.Until.IsZero() && !at.Before(f.Until):
	default:
		return true
	}
	return false
}

func among[T comparable](wanted []T, has T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, has)
}

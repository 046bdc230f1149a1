package audit

import "time"

// tail is what is left of an outcome's topic after retention.
type tail struct {
	// gone says that something was deleted, and first that the next entry is
	// the first one after that.
	gone, first bool
	// from is the input offset of the first entry that is left, and written
	// when it was written.
	from      int64
	writtenMs int64
	// safe is the input offset of the first entry after the time for which
	// deleted ones may have been remembered; isSafe, that there is one.
	safe   int64
	isSafe bool
}

func (t *tail) cut() { *t = tail{gone: true, first: true} }

// enter looks at the order of entries. One that was tried or sent again comes later
// than its offset says, and tells nothing about those beside it.
func (t *tail) enter(e Entry, window time.Duration) {
	switch {
	case e.Again:
	case t.first:
		t.first, t.from, t.writtenMs = false, e.Offset, e.TimeMs
	case t.gone && !t.isSafe && e.TimeMs-t.writtenMs >= 2*window.Milliseconds():
		t.safe, t.isSafe = e.Offset, true
	}
}

// horizon is the input offset before which an entry may have been deleted.
func (t *tail) horizon(end int64) int64 {
	switch {
	case !t.gone:
		return 0
	case t.first: // nothing is left
		return end
	}
	return t.from
}

// twins is the input offset before which a record may be a duplicate of one whose
// entry was deleted.
func (t *tail) twins(end int64) int64 {
	switch {
	case !t.gone:
		return 0
	case !t.isSafe:
		return end
	}
	return t.safe
}

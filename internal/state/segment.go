package state

import "time"

const (
	// closeAt is how many IDs a segment has before it is not rewritten any
	// more: at 21 bytes an ID a rewrite costs 1.3 KiB at most.
	closeAt = 64
	// maxSegment bounds a segment's value to 344 KiB, well under the 1 MiB
	// that brokers take by default.
	maxSegment = 16384
	// bulk is the part of the IDs, or of the window, that expires at once.
	bulk = 16
)

// segmentCursor says where the segments begin and end. Numbers never repeat.
//
//	floor <= closed segments < closedEnd <= segments being filled <= filling
type segmentCursor struct {
	// clockMs is the commit clock.
	clockMs int64
	// floor is the oldest segment that is not evicted. Those below
	// timeFloor were evicted by time, the others by count.
	floor, timeFloor uint64
	// forgottenMs is the commit time of the newest evicted segment, 0 when
	// there is none.
	forgottenMs int64
	closedEnd   uint64
	// filling is the segment that takes the next ID, filled its entries.
	filling uint64
	filled  int
	// openSinceMs and openLastMs are the times of the first and last commit
	// of the newest segment; 0 while it has no committed entries.
	openSinceMs, openLastMs int64
}

func (c *segmentCursor) tick(nowMs int64) { c.clockMs = max(c.clockMs, nowMs) }

// segmentSize keeps a segment small against the bound on IDs, so that eviction
// by count does not take more than it must.
func (t *Task) segmentSize() int {
	return min(maxSegment, max(closeAt, t.settings.DedupeMaxIDs/bulk))
}

// sealSegments writes the open batch's IDs, closes segments and evicts.
func (t *Task) sealSegments(w *writer) {
	firstNew := t.cur.segments.closedEnd
	if len(t.ids.log) > 0 {
		t.writeSegments(w)
	} else {
		t.closeAged()
		firstNew = t.cur.segments.closedEnd
	}
	t.evict(w, firstNew)
	w.bounds(&t.cur.segments)
}

// writeSegments writes all segments being filled. All but the last are full
// and closed; the last is closed when it has enough or is old.
func (t *Task) writeSegments(w *writer) {
	c, x := &t.cur.segments, &t.ids
	for number := c.closedEnd; ; number++ {
		entries := segmentEntries(x.tail[x.start:])
		if c.openSinceMs == 0 {
			c.openSinceMs = c.clockMs
		}
		c.openLastMs = c.clockMs
		w.segment(number, c, entries)
		if len(entries) < closeAt && !t.aged() {
			return
		}
		t.closeSegment(len(entries))
		if number == c.filling {
			c.filling, c.filled = c.closedEnd, 0
			return
		}
	}
}

// segmentEntries returns the entries that belong to the same segment as the
// first.
func segmentEntries(tail []slot) []slot {
	for i, s := range tail {
		if (s.meta^tail[0].meta)&segmentMask != 0 {
			return tail[:i]
		}
	}
	return tail
}

// closeAged closes the newest segment for its age when no ID came.
func (t *Task) closeAged() {
	c := &t.cur.segments
	if c.filled > 0 && t.aged() {
		t.closeSegment(c.filled)
		c.filling, c.filled = c.closedEnd, 0
	}
}

func (t *Task) aged() bool {
	c := &t.cur.segments
	return c.clockMs-c.openSinceMs >= t.windowMs()/bulk
}

func (t *Task) closeSegment(entries int) {
	c, x := &t.cur.segments, &t.ids
	x.closed = append(x.closed, closedSegment{commitMs: c.openLastMs, entries: entries})
	x.start += entries
	c.closedEnd++
	c.openSinceMs, c.openLastMs = 0, 0
}

// evict moves the floor past the segments that are too old or too many, but
// not past firstNew: what this batch has brought stays.
func (t *Task) evict(w *writer, firstNew uint64) {
	c, x := &t.cur.segments, &t.ids
	from := c.floor
	floor, left := t.expired(firstNew)
	c.floor, c.timeFloor = floor, floor
	if left > t.settings.DedupeMaxIDs {
		keep := t.settings.DedupeMaxIDs - t.settings.DedupeMaxIDs/bulk
		for left > keep && c.floor < firstNew {
			left -= x.closed[c.floor-x.swept].entries
			c.floor++
		}
	}
	for number := from; number < c.floor; number++ {
		c.forgottenMs = max(c.forgottenMs, x.closed[number-x.swept].commitMs)
		w.noSegment(number)
	}
}

// expired returns the floor that time asks for, and the IDs left above it. It
// is the present floor until removing is worth it.
func (t *Task) expired(firstNew uint64) (floor uint64, left int) {
	c, x := &t.cur.segments, &t.ids
	gone, overdue := 0, false
	floor = c.floor
	for ; floor < firstNew; floor++ {
		s := x.closed[floor-x.swept]
		over := c.clockMs - s.commitMs - t.windowMs()
		if over < 0 {
			break
		}
		gone += s.entries
		overdue = overdue || over >= t.windowMs()/bulk
	}
	if !overdue && gone*bulk < x.table.n {
		return c.floor, x.table.n
	}
	return floor, x.table.n - gone
}

func (t *Task) windowMs() int64 { return int64(t.settings.DedupeWindow / time.Millisecond) }

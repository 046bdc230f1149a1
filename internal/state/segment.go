package state

import "time"

// bulk is the part of the IDs, or of the window, that expires at once.
const bulk = 16

// shape says how large segments are.
type shape struct {
	// closeAt is how many IDs the newest segment has before it is not
	// rewritten any more, fanOut by how much a merge makes segments larger.
	closeAt, fanOut int
	// largest bounds what a segment may hold.
	largest int
}

// production returns the shape that tasks have; tests use smaller ones. At 17 bytes an ID the newest segment is rewritten with 272 bytes
// at most, and the largest has a value of 278 KiB, well under the 1 MiB that
// brokers take by default. Segments are merged at 256 and 4,096 IDs, so
// that an ID is written by two merges at most.
func production() shape { return shape{closeAt: 16, fanOut: 16, largest: 16384} }

// extent is a closed segment, or several that have been merged: numbers first
// to last, under the changelog key of the last.
type extent struct {
	first, last uint64
	// sinceMs and lastMs are the times of its first and last commit.
	sinceMs, lastMs int64
	entries         int
	// fresh: the open batch must write it.
	fresh bool
}

// segmentCursor says where the segments begin and end. Numbers never repeat.
//
//	floor <= closed segments < closedEnd <= segments being filled <= filling
type segmentCursor struct {
	brought

	// clockMs is the commit clock.
	clockMs int64
	// floor is the oldest segment that is not evicted.
	floor uint64
	// forgottenMs is the commit time of the newest evicted segment, 0 when
	// there is none.
	forgottenMs int64
	// settledEnd: the closed segments before it are not merged any more.
	settledEnd uint64
	closedEnd  uint64
	// openSinceMs and openLastMs are the times of the first and last commit
	// of the newest segment; 0 while it has no committed entries.
	openSinceMs, openLastMs int64
	evicted                 Evictions
}

// brought is what records change of a segmentCursor.
type brought struct {
	// filling is the segment that takes the next ID, filled its entries.
	filling uint64
	filled  int
	// known is how many IDs are not evicted.
	known int
}

func (c *segmentCursor) tick(nowMs int64) { c.clockMs = max(c.clockMs, nowMs) }

// segmentSize keeps a segment small against the bound on IDs, so that eviction
// by count does not take more than it must.
func (t *Task) segmentSize() int {
	return min(t.shape.largest, max(t.shape.closeAt, t.settings.DedupeMaxIDs/bulk))
}

// sealSegments writes the open batch's IDs, closes, merges and evicts
// segments. The list of closed ones is not touched before the batch commits:
// what takes the place of its end gathers in suffix.
func (t *Task) sealSegments(w *writer) {
	c, x := &t.cur.segments, &t.ids
	newest := c.closedEnd
	x.suffixAt = len(x.closed)
	for x.suffixAt > 0 && x.closed[x.suffixAt-1].first >= c.settledEnd {
		x.suffixAt--
	}
	x.suffix = append(x.suffix[:0], x.closed[x.suffixAt:]...)
	x.resealed = true
	t.closeSegments()
	if x.puts == 0 {
		// Nothing is written, so all closed segments may be evicted.
		t.settle()
		t.evict(w, c.closedEnd)
	} else {
		if c.closedEnd > newest {
			t.mergeSegments()
		}
		t.writeSegments(w)
		t.settle()
		t.evict(w, newest)
	}
	w.bounds(c)
}

// closeSegments closes all segments being filled but the last, and that too
// when it has enough or is old.
func (t *Task) closeSegments() {
	c, x := &t.cur.segments, &t.ids
	rest := x.tail[entriesOf(x.suffix):]
	for len(rest) > 0 {
		n := sameSegment(rest)
		if c.openSinceMs == 0 {
			c.openSinceMs = c.clockMs
		}
		if x.puts > 0 {
			c.openLastMs = c.clockMs
		}
		if n < t.shape.closeAt && !t.aged(c.openSinceMs) {
			return
		}
		x.suffix = append(x.suffix, extent{
			first: c.closedEnd, last: c.closedEnd,
			sinceMs: c.openSinceMs, lastMs: c.openLastMs, entries: n, fresh: x.puts > 0,
		})
		rest = rest[n:]
		c.closedEnd++
		c.openSinceMs, c.openLastMs = 0, 0
	}
	c.filling, c.filled = c.closedEnd, 0
}

// sameSegment is how many entries belong to the same segment as the first.
func sameSegment(tail []entry) int {
	for i, e := range tail {
		if (e.meta^tail[0].meta)&segmentMask != 0 {
			return i
		}
	}
	return len(tail)
}

func entriesOf(list []extent) (n int) {
	for _, s := range list {
		n += s.entries
	}
	return n
}

func (t *Task) aged(sinceMs int64) bool {
	return t.cur.segments.clockMs-sinceMs >= t.windowMs()/bulk
}

// mergeSegments merges the newest segments below each size once they hold as
// many IDs together. What comes of it is at least that large, so an ID is
// written once for each size at most (TestSeal_MergesWriteAnIDTwiceMoreAtMost).
func (t *Task) mergeSegments() {
	x := &t.ids
	for size := t.shape.closeAt * t.shape.fanOut; size <= t.segmentSize()/2; size *= t.shape.fanOut {
		from, sum := t.mergeable(size)
		if sum < size || len(x.suffix)-from < 2 {
			continue
		}
		oldest, newest := x.suffix[from], x.suffix[len(x.suffix)-1]
		x.suffix = append(x.suffix[:from], extent{
			first: oldest.first, last: newest.last,
			sinceMs: oldest.sinceMs, lastMs: newest.lastMs, entries: sum, fresh: true,
		})
	}
}

// mergeable returns where the newest segments below size begin, as far as they
// fit into one, and how many IDs they have. A merged segment spans a sixteenth
// of the window at most, as one does that was never merged: its oldest IDs stay
// until its newest have expired.
func (t *Task) mergeable(size int) (from, sum int) {
	suffix := t.ids.suffix
	newest := suffix[len(suffix)-1].lastMs
	for from = len(suffix); from > 0; from-- {
		s := &suffix[from-1]
		if s.entries >= size || sum+s.entries > t.segmentSize() || newest-s.sinceMs >= t.windowMs()/bulk {
			break
		}
		sum += s.entries
	}
	return from, sum
}

// largestMerge is the size that no merge is tried beyond.
func (t *Task) largestMerge() int {
	size := t.shape.closeAt
	for size*t.shape.fanOut <= t.segmentSize()/2 {
		size *= t.shape.fanOut
	}
	return size
}

// writeSegments writes what is fresh and the newest segment, and tombstones
// for the keys that are not used any more. The newest as of the last commit
// keeps its key: if others follow it, it is full, and not merged with them.
func (t *Task) writeSegments(w *writer) {
	c, x := &t.cur.segments, &t.ids
	rest := x.tail
	for i := range x.suffix {
		s := &x.suffix[i]
		if s.fresh {
			w.segment(s, rest[:s.entries])
			s.fresh = false
		}
		rest = rest[s.entries:]
	}
	if len(rest) > 0 {
		w.segment(&extent{first: c.closedEnd, last: c.closedEnd, sinceMs: c.openSinceMs, lastMs: c.openLastMs}, rest)
	}
	at := 0
	for _, old := range x.closed[x.suffixAt:] {
		for x.suffix[at].last < old.last {
			at++
		}
		if x.suffix[at].last != old.last {
			w.noSegment(old.last)
		}
	}
}

// settle lets go of the entries of segments that cannot be merged any more,
// because they or later ones are large, or because they are old.
func (t *Task) settle() {
	c, x := &t.cur.segments, &t.ids
	largest, left := t.largestMerge(), entriesOf(x.suffix)
	settled := 0
	for i := range x.suffix {
		if x.suffix[i].entries >= largest {
			settled = i + 1
		}
	}
	for i := range x.suffix {
		s := &x.suffix[i]
		if i >= settled && left <= t.segmentSize() && !t.aged(s.sinceMs) {
			return
		}
		c.settledEnd = s.last + 1
		left -= s.entries
	}
}

// evict moves the floor past the segments that are too old or too many, but
// not past firstNew: what this batch has brought stays.
func (t *Task) evict(w *writer, firstNew uint64) {
	c, x := &t.cur.segments, &t.ids
	at := 0
	next := func() (s *extent, ok bool) {
		if at < x.suffixAt {
			s = &x.closed[at]
		} else if at-x.suffixAt < len(x.suffix) {
			s = &x.suffix[at-x.suffixAt]
		}
		return s, s != nil && s.last < firstNew
	}
	let := func(s *extent) (n int) {
		n = x.live(s)
		c.known -= n
		c.floor = s.last + 1
		c.forgottenMs = max(c.forgottenMs, s.lastMs)
		w.noSegment(s.last)
		at++
		return n
	}
	if floor := t.expired(firstNew); floor > c.floor {
		for s, ok := next(); ok && s.first < floor; s, ok = next() {
			c.evicted.ByTime += uint64(let(s))
		}
	}
	if c.known > t.settings.DedupeMaxIDs {
		keep := t.settings.DedupeMaxIDs - t.settings.DedupeMaxIDs/bulk
		for s, ok := next(); ok && c.known > keep; s, ok = next() {
			c.evicted.ByCount += uint64(let(s))
		}
	}
	c.settledEnd = max(c.settledEnd, c.floor)
}

// expired returns the floor that time asks for. It is the present floor until
// removing is worth it.
func (t *Task) expired(firstNew uint64) uint64 {
	c, x := &t.cur.segments, &t.ids
	gone, overdue, floor := 0, false, c.floor
	for _, list := range [][]extent{x.closed[:x.suffixAt], x.suffix} {
		for i := range list {
			s := &list[i]
			over := c.clockMs - s.lastMs - t.windowMs()
			if over < 0 || s.last >= firstNew {
				break
			}
			gone += x.live(s)
			overdue = overdue || over >= t.windowMs()/bulk
			floor = s.last + 1
		}
	}
	if !overdue && gone*bulk < c.known {
		return c.floor
	}
	return floor
}

// live is how many IDs of a segment have not moved to a later one.
func (x *idSet) live(s *extent) int {
	n := s.entries
	if s.last-s.first < uint64(len(x.superseded)) {
		for number := s.first; number <= s.last; number++ {
			n -= x.superseded[number]
		}
		return n
	}
	for number, moved := range x.superseded {
		if number >= s.first && number <= s.last {
			n -= moved
		}
	}
	return n
}

func (t *Task) windowMs() int64 { return int64(t.settings.DedupeWindow / time.Millisecond) }

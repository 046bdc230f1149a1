package state

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

const (
	// maxProbe is far beyond what keyed hashes need at the table's load
	// (TestTable_ProbesStayShort): a changelog with more was not written by
	// this service, and would make every lookup slow.
	maxProbe = 4096
	// maxSpan is how far apart segment numbers may be: see segmentBefore.
	maxSpan = 1 << 29
	// maxNumber is beyond what a task can come to: numbers must not run out
	// while it works on.
	maxNumber = 1 << 62
)

// holdSegments tells a restore what segments the Task has. Those that may
// still be written are put as the changelog has them: what follows may hold
// them again, merged.
func (t *Task) holdSegments(r *restoration) {
	c, x := &t.committed.segments, &t.ids
	rest := x.tail
	keep := func(s extent) {
		w := writer{emit: func(_, value []byte) {
			r.segments[s.last] = &restoredSegment{extent: s, version: value[0], value: bytes.Clone(value)}
		}}
		w.segment(&s, rest[:s.entries])
		rest = rest[s.entries:]
	}
	for _, s := range x.closed {
		if s.first < c.settledEnd {
			r.segments[s.last] = &restoredSegment{extent: s}
		} else {
			keep(s)
		}
	}
	if c.filled > 0 {
		keep(extent{first: c.closedEnd, last: c.closedEnd, sinceMs: c.openSinceMs, lastMs: c.openLastMs, entries: c.filled})
	}
}

// restoreSegment keeps a segment's value. A later record of the same number
// holds all IDs of an earlier one: segments only grow.
func (r *restoration) restoreSegment(k *reader, value []byte, version byte) error {
	number := k.bigEndianUint64()
	if err := k.done(); err != nil {
		return err
	}
	s := r.segments[number]
	if value == nil {
		delete(r.segments, number)
		return nil
	}
	body := reader{rest: value[1:]}
	parsed := body.segmentValue(number, version)
	if body.err != nil {
		return body.err
	}
	if s == nil {
		s = new(restoredSegment)
		r.segments[number] = s
	}
	s.extent, s.version = parsed.extent, version
	s.value = append(s.value[:0], value...)
	return nil
}

// restoredSegments checks that all segments are there, puts their IDs into the
// table and takes over where the changelog ends.
func (t *Task) restoredSegments() error {
	r := t.restoring
	if !r.bounded {
		if len(r.segments) > 0 {
			return errors.New("segments of IDs, but no record of their bounds")
		}
		return nil
	}
	closed, open, err := r.whole()
	if err != nil {
		return err
	}
	if r.warm {
		r.bounds.evicted = t.committed.segments.evicted
	}
	t.cur.segments = r.bounds
	if err := t.fillTable(closed, open); err != nil {
		return err
	}
	t.continueSegments(closed, open)
	return nil
}

// whole returns the closed segments, which must be all between the bounds, and
// the one being filled, if there is one. Segments that a merged one covers are
// left from before it.
func (r *restoration) whole() (closed []*restoredSegment, open *restoredSegment, err error) {
	c := &r.bounds
	if c.floor > c.closedEnd || c.closedEnd-c.floor >= maxSpan || c.closedEnd >= maxNumber {
		return nil, nil, fmt.Errorf("bounds of IDs begin at segment %d and end at %d, which cannot be", c.floor, c.closedEnd)
	}
	if r.segments[c.closedEnd] != nil && r.segments[c.closedEnd].first == c.closedEnd {
		open = r.segments[c.closedEnd]
	}
	all := slices.SortedFunc(maps.Values(r.segments), func(a, b *restoredSegment) int { return cmp.Compare(b.last, a.last) })
	if len(all) > 0 && all[0].last > c.closedEnd {
		return nil, nil, fmt.Errorf("segment %d of IDs is beyond the bounds, which end at %d", all[0].last, c.closedEnd)
	}
	next := c.closedEnd // all from it on are there
	for _, s := range all {
		if s == open || s.last >= next || s.last < c.floor {
			continue
		}
		if s.last != next-1 {
			break
		}
		closed = append(closed, s)
		next = s.first
	}
	if next != c.floor {
		return nil, nil, fmt.Errorf("segment %d of IDs is missing", next-1)
	}
	slices.Reverse(closed)
	return closed, open, nil
}

// fillTable puts the IDs of segments into the table, oldest first. Values are
// given up as they are read.
func (t *Task) fillTable(closed []*restoredSegment, open *restoredSegment) error {
	r, x := t.restoring, &t.ids
	segments := slices.Clone(closed)
	if open != nil {
		segments = append(segments, open)
	}
	if !r.warm {
		n := 0
		for _, s := range segments {
			n += s.entries
		}
		x.table = table{expected: x.table.expected}
		if n > shards*minSize {
			x.table.reserve(n)
		}
	}
	x.superseded = nil
	t.settleRestored(segments)
	x.tail = x.tail[:0]
	for _, s := range segments {
		if s.value == nil {
			continue
		}
		if err := t.fillFrom(s); err != nil {
			return err
		}
		s.value = nil
	}
	return t.recount(segments)
}

// settleRestored says which segments may still be merged: the newest that are
// small and young.
func (t *Task) settleRestored(segments []*restoredSegment) {
	c, left := &t.cur.segments, t.segmentSize()
	c.settledEnd = c.closedEnd
	for _, s := range slices.Backward(segments) {
		if s.last >= c.closedEnd {
			continue
		}
		left -= s.entries
		if left < 0 || s.value == nil || s.entries >= t.largestMerge() || t.aged(s.sinceMs) {
			return
		}
		c.settledEnd = s.first
	}
}

// fillFrom puts a segment's IDs into the table. On a warm Task too none of them
// belongs to a later segment: whatever rewrites a segment is followed, in the
// changelog, by all segments after it that were written since.
func (t *Task) fillFrom(s *restoredSegment) error {
	x, keep := &t.ids, s.last >= t.cur.segments.settledEnd
	body := reader{rest: s.value[1:]}
	v := body.segmentValue(s.last, s.version)
	return v.each(func(e *entry) error {
		if keep {
			x.tail = append(x.tail, *e)
		}
		if _, probe := x.table.put(e.hash, e.content, e.meta); probe > maxProbe {
			return errors.New("hashes of IDs crowd together: not written by this service")
		}
		return nil
	})
}

// recount takes out what is evicted, and counts what is known and how many of
// each segment's entries have moved to a later one.
func (t *Task) recount(segments []*restoredSegment) error {
	c, x := &t.cur.segments, &t.ids
	gone := func(s slot) bool { return segmentBefore(s.meta, c.floor) }
	live := make([]int, len(segments))
	for i := range x.table.shards {
		sh := &x.table.shards[i]
		if t.restoring.warm && sh.n > 0 {
			x.table.sweep(i, gone)
		}
		for _, s := range sh.slots {
			if s.meta == 0 {
				continue
			}
			number := segmentOf(s.meta, c.closedEnd)
			at, _ := slices.BinarySearchFunc(segments, number, func(s *restoredSegment, n uint64) int { return cmp.Compare(s.last, n) })
			if at == len(segments) || number < segments[at].first {
				return fmt.Errorf("an ID is in segment %d, which the bounds do not have", number)
			}
			live[at]++
		}
	}
	c.known = 0
	for i, s := range segments {
		c.known += live[i]
		if moved := s.entries - live[i]; moved > 0 {
			x.supersede(s.last, moved)
		}
	}
	return nil
}

// continueSegments is the end of restoredSegments: the lists that commit and
// seal go on with.
func (t *Task) continueSegments(closed []*restoredSegment, open *restoredSegment) {
	c, x := &t.cur.segments, &t.ids
	x.closed = x.closed[:0]
	for _, s := range closed {
		x.closed = append(x.closed, s.extent)
	}
	c.filling = c.closedEnd
	c.filled, c.openSinceMs, c.openLastMs = 0, 0, 0
	if open != nil {
		c.filled, c.openSinceMs, c.openLastMs = open.entries, open.sinceMs, open.lastMs
	}
	x.swept, x.sweepLeft = c.floor, 0
}

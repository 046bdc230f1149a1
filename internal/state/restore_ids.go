package state

import (
	"errors"
	"fmt"
)

const (
	// maxProbe is far beyond what keyed hashes need at the table's load
	// (TestTable_ProbesStayShort): a changelog with more was not written by
	// this service, and would make every lookup slow.
	maxProbe = 4096
	// maxSpan is how far apart segment numbers may be: see segmentBefore.
	maxSpan = 1 << 29
	// sweepAt is how many IDs of expired segments a restore lets gather.
	sweepAt = 1 << 16
)

// restoreSegment puts the IDs of a segment into the table. A later record of
// the same segment holds all IDs of an earlier one: segments only grow.
func (t *Task) restoreSegment(k, v *reader, tombstone bool) error {
	number := k.bigEndianUint64()
	if err := k.done(); err != nil {
		return err
	}
	if tombstone {
		t.dropSegment(number)
		return nil
	}
	r := t.restoring
	r.lowest, r.highest = min(r.lowest, number), max(r.highest, number)
	if r.highest-r.lowest >= maxSpan {
		return fmt.Errorf("number %d is too far from %d to %d", number, r.lowest, r.highest)
	}
	s := restoredSegment{sinceMs: v.varint(), lastMs: v.varint()}
	if len(v.rest) == 0 || len(v.rest)%entryBytes != 0 {
		v.fail("not a whole number of IDs")
	}
	s.entries = len(v.rest) / entryBytes
	if number == r.highest {
		r.newest = r.newest[:0]
	}
	for v.err == nil && len(v.rest) > 0 {
		if err := t.restoreID(number, v); err != nil {
			return err
		}
	}
	r.segments[number] = s
	return v.done()
}

func (t *Task) restoreID(number uint64, v *reader) error {
	s := slot{lo: v.uint64(), hi: v.uint64(), content: v.uint32()}
	st := Status(v.byte())
	if st != Scored && st != Dead {
		return fmt.Errorf("unknown status %d of an ID", st)
	}
	s.meta = metaOf(st, number)
	if number == t.restoring.highest {
		t.restoring.newest = append(t.restoring.newest, s)
	}
	held := t.ids.table.get(s.lo, s.hi)
	if held.meta != 0 && segmentBefore(s.meta, uint64(held.meta)) {
		return nil // remembered again since, in a later segment
	}
	if _, probe := t.ids.table.put(s); probe > maxProbe {
		return errors.New("hashes of IDs crowd together: not written by this service")
	}
	return nil
}

// dropSegment forgets a segment. Its IDs are taken out now and then, so that
// restoring a long changelog needs no more memory than the living ones and as
// many again.
func (t *Task) dropSegment(number uint64) {
	r := t.restoring
	s, ok := r.segments[number]
	if !ok {
		return
	}
	delete(r.segments, number)
	r.gone += s.entries
	if r.gone > sweepAt && r.gone > t.ids.table.n/2 {
		t.sweepRestored()
	}
}

// sweepRestored takes out the IDs of segments that are gone.
func (t *Task) sweepRestored() {
	r := t.restoring
	r.gone = 0
	t.ids.table.sweep(func(s slot) bool {
		below := (uint32(r.highest) - s.meta) & segmentMask
		_, held := r.segments[r.highest-uint64(below)]
		return !held
	})
}

// restoredSegments checks that all segments are there and takes over where the
// changelog ends.
func (t *Task) restoredSegments() error {
	r := t.restoring
	c := r.bounds
	if !r.bounded {
		if len(r.segments) > 0 {
			return errors.New("segments of IDs, but no record of their bounds")
		}
		return nil
	}
	if c.floor > c.closedEnd {
		return fmt.Errorf("bounds of IDs begin at segment %d, after their end at %d", c.floor, c.closedEnd)
	}
	if len(r.segments) > 0 && r.highest > c.closedEnd {
		return fmt.Errorf("segment %d of IDs is beyond the bounds, which end at %d", r.highest, c.closedEnd)
	}
	closed := make([]closedSegment, 0, len(r.segments))
	for number := c.floor; number < c.closedEnd; number++ {
		s, ok := r.segments[number]
		if !ok {
			return fmt.Errorf("segment %d of IDs is missing", number)
		}
		closed = append(closed, closedSegment{commitMs: s.lastMs, entries: s.entries})
	}
	for number := range r.segments {
		if number < c.floor {
			delete(r.segments, number)
		}
	}
	c.timeFloor, c.filling = c.floor, c.closedEnd
	c.filled, c.openSinceMs, c.openLastMs = 0, 0, 0
	t.ids.tail = t.ids.tail[:0]
	if open, ok := r.segments[c.closedEnd]; ok {
		t.ids.tail = append(t.ids.tail, r.newest...)
		c.filled, c.openSinceMs, c.openLastMs = len(r.newest), open.sinceMs, open.lastMs
	}
	t.sweepRestored()
	t.ids.closed, t.ids.swept = closed, c.floor
	t.cur.segments = c
	return nil
}

package state

import (
	"encoding/binary"

	"github.com/dchest/siphash"
)

// Verdict is what Look says about an ID.
type Verdict uint8

const (
	// Unseen: not remembered.
	Unseen Verdict = iota
	// Duplicate: scored before, with the same content.
	Duplicate
	// Conflict: scored before, with other content.
	Conflict
	// Died: dead-lettered after its ingest; it may be scored again, with
	// the same content or a corrected one.
	Died
)

// String returns the verdict in words.
func (v Verdict) String() string {
	switch v {
	case Unseen:
		return "unseen"
	case Duplicate:
		return "duplicate"
	case Conflict:
		return "conflict"
	case Died:
		return "died"
	}
	return "unknown verdict"
}

// Status is how the signal of a remembered ID ended.
type Status uint8

const (
	// Scored: a result was published.
	Scored Status = 1
	// Dead: it became a dead letter after its ingest.
	Dead Status = 2
)

// ID is an identity and its content in the form they are remembered.
type ID struct {
	lo, hi  uint64
	content uint32
}

// hasher turns identities and contents into IDs.
type hasher struct {
	key            [16]byte
	k0, k1, c0, c1 uint64
}

func newHasher(key [16]byte) hasher {
	h := hasher{key: key, k0: binary.LittleEndian.Uint64(key[:8]), k1: binary.LittleEndian.Uint64(key[8:])}
	// The content has a key of its own, derived, so that its hash says
	// nothing about an identity's.
	h.c0, h.c1 = siphash.Hash128(h.k0, h.k1, []byte("content"))
	return h
}

func (h *hasher) id(identity, content []byte) ID {
	lo, hi := siphash.Hash128(h.k0, h.k1, identity)
	return ID{lo: lo, hi: hi, content: uint32(siphash.Hash(h.c0, h.c1, content))}
}

// Look says what is known about an identity. content is what must be equal for
// the same identity to be a duplicate. The ID is for Remember.
func (t *Task) Look(identity, content []byte) (ID, Verdict) {
	id := t.hash.id(identity, content)
	s := t.ids.table.get(id.lo, id.hi)
	switch {
	case s.meta == 0 || segmentBefore(s.meta, t.cur.segments.floor):
		return id, Unseen
	case s.status() == Dead:
		return id, Died
	case s.content != id.content:
		return id, Conflict
	}
	return id, Duplicate
}

// Remember stores an ID. One that is remembered already gets the new status
// and content, and counts as new for expiry.
func (t *Task) Remember(id ID, st Status) {
	c := &t.cur.segments
	if c.filled >= t.segmentSize() {
		c.filling++
		c.filled = 0
	}
	c.filled++
	t.ids.put(slot{lo: id.lo, hi: id.hi, content: id.content, meta: metaOf(st, c.filling)})
}

const segmentMask = 1<<30 - 1

func metaOf(st Status, segment uint64) uint32 {
	return uint32(st)<<30 | uint32(segment&segmentMask)
}

func (s slot) status() Status { return Status(s.meta >> 30) }

// segmentBefore compares the 30 bits of a segment number in meta with a whole
// one. Living segments are less than 2^29 apart (settings.go; Restore checks
// it), so the distance modulo 2^30 tells which is older.
func segmentBefore(meta uint32, segment uint64) bool {
	return (meta-uint32(segment&segmentMask))&(1<<29) != 0
}

// idSet is the table of IDs with what is needed to write them and to take
// changes back.
type idSet struct {
	table table
	// tail holds the entries of the segments that are not closed as of the
	// last commit, in order: the committed ones of the newest segment, then
	// the sealed batch's, then the open batch's. log runs parallel to its
	// end and says what each entry replaced.
	tail, log []slot
	// start is where in tail the first segment begins that is not closed;
	// more than 0 only between Seal and its end.
	start int
	// closed are the segments from swept on that are not rewritten any more.
	closed []closedSegment
	// swept is the lowest segment that the table may hold.
	swept uint64
}

type closedSegment struct {
	commitMs int64
	entries  int
}

func (x *idSet) put(s slot) {
	previous, _ := x.table.put(s)
	x.tail = append(x.tail, s)
	x.log = append(x.log, previous)
}

func (x *idSet) undo(to int) {
	for len(x.log) > to {
		last, lastTail := len(x.log)-1, len(x.tail)-1
		previous, s := x.log[last], x.tail[lastTail]
		x.log, x.tail = x.log[:last], x.tail[:lastTail]
		// What was evicted by a batch that has committed meanwhile must
		// not come back: no sweep would find it again.
		if previous.meta == 0 || segmentBefore(previous.meta, x.swept) {
			x.table.remove(s.lo, s.hi)
		} else {
			x.table.put(previous)
		}
	}
}

// rollback follows undo(0) and goes back to the bounds of the last commit.
func (x *idSet) rollback(c segmentCursor) {
	x.start = 0
	x.closed = x.closed[:c.closedEnd-x.swept]
}

// commit forgets the first entries of the log and lets go of what the batch
// evicted.
func (x *idSet) commit(entries int, before, now segmentCursor) Evictions {
	x.log = append(x.log[:0], x.log[entries:]...)
	x.tail = append(x.tail[:0], x.tail[x.start:]...)
	x.start = 0
	if now.floor == before.floor {
		return Evictions{}
	}
	var e Evictions
	x.table.sweep(func(s slot) bool {
		switch {
		case !segmentBefore(s.meta, now.floor):
			return false
		case segmentBefore(s.meta, now.timeFloor):
			e.ByTime++
		default:
			e.ByCount++
		}
		return true
	})
	x.closed = append(x.closed[:0], x.closed[now.floor-x.swept:]...)
	x.swept = now.floor
	return e
}

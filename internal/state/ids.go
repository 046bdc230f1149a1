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
	// Conflict: scored before or waiting, with other content.
	Conflict
	// Died: dead-lettered after its ingest; it may be scored again, with
	// the same content or a corrected one.
	Died
	// Waiting: ingested, with the same content, and neither scored nor dead yet.
	Waiting
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
	case Waiting:
		return "waiting"
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
	hash    hash
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
	return ID{
		hash:    hashOf(siphash.Hash128(h.k0, h.k1, identity)),
		content: uint32(siphash.Hash(h.c0, h.c1, content)),
	}
}

// hashOf keeps 104 of 128 bits.
func hashOf(lo, hi uint64) hash {
	return hash{a: uint32(lo), b: uint32(lo >> 32), mid: uint32(hi >> 24), top: uint8(hi >> 56)}
}

// Look says what is known about an identity. content is what must be equal for
// the same identity to be a duplicate. The ID is for Remember.
func (t *Task) Look(identity, content []byte) (ID, Verdict) {
	id := t.Identify(identity, content)
	return id, t.Verdict(id)
}

// Identify is the ID that Look gives.
func (t *Task) Identify(identity, content []byte) ID { return t.hash.id(identity, content) }

// Verdict is what Look says about an ID.
func (t *Task) Verdict(id ID) Verdict {
	if v, waits := t.awaited(id); waits {
		return v
	}
	s := t.ids.table.get(id.hash)
	switch {
	case s.meta == 0 || segmentBefore(s.meta, t.cur.segments.floor):
		return Unseen
	case statusOf(s.meta) == Dead:
		return Died
	case s.content != id.content:
		return Conflict
	}
	return Duplicate
}

// Remember stores an ID, which does not wait any more. One that is remembered
// already gets the new status and content, and counts as new for expiry.
func (t *Task) Remember(id ID, st Status) {
	t.endWait(id)
	c := &t.cur.segments
	if c.filled >= t.segmentSize() {
		c.filling++
		c.filled = 0
	}
	c.filled++
	if t.ids.put(entry{hash: id.hash, content: id.content, meta: metaOf(st, c.filling)}, c) {
		c.known++
	}
}

const segmentMask = 1<<30 - 1

func metaOf(st Status, segment uint64) uint32 {
	return uint32(st)<<30 | uint32(segment&segmentMask)
}

func statusOf(meta uint32) Status { return Status(meta >> 30) }

// segmentBefore compares the 30 bits of a segment number in meta with a whole
// one. Segments that the table holds are less than 2^29 apart (settings.go;
// Restored checks it), so the distance modulo 2^30 tells which is older.
func segmentBefore(meta uint32, segment uint64) bool {
	return (meta-uint32(segment&segmentMask))&(1<<29) != 0
}

// segmentOf is the whole number of the segment in meta; newest is one that is
// not before it.
func segmentOf(meta uint32, newest uint64) uint64 {
	return newest - uint64((uint32(newest&segmentMask)-meta)&segmentMask)
}

// entry is an ID on its way into a segment.
type entry struct {
	hash

	content, meta uint32
}

// idSet is the table of IDs with what is needed to write them and to take
// changes back.
type idSet struct {
	table table
	// tail holds the entries of the segments that may still be written: those
	// that may be merged, then those of the newest one, as of the last commit;
	// then the sealed batch's, then the open batch's. The last puts entries
	// are not committed.
	tail []entry
	puts int
	// log says what those entries replaced, where they replaced anything.
	log []replaced
	// closed are the segments from floor on that are not rewritten any more,
	// as of the last commit, but those from settledEnd on may be merged.
	closed []extent
	// suffix is what the sealed batch puts in place of closed[suffixAt:];
	// only when it resealed.
	suffix   []extent
	suffixAt int
	resealed bool
	// superseded counts the entries of a segment whose ID has moved to a
	// later one.
	superseded map[uint64]int
	// swept is the floor of the last commit: what is below is taken out of
	// the table, shard by shard. sweepNext is the next one, sweepLeft how many
	// there are to go.
	swept                uint64
	sweepNext, sweepLeft int
}

// replaced is the slot that the entry at (counted from the first one not
// committed) took. known is true when its ID was known at that time.
type replaced struct {
	at       int
	previous slot
	known    bool
	segment  uint64
}

// put stores an entry and says whether its ID was unknown before.
func (x *idSet) put(e entry, c *segmentCursor) (unknown bool) {
	previous, _ := x.table.put(e.hash, e.content, e.meta)
	x.tail = append(x.tail, e)
	x.puts++
	if previous.meta == 0 {
		return true
	}
	r := replaced{at: x.puts - 1, previous: previous, segment: segmentOf(previous.meta, c.filling)}
	r.known = !segmentBefore(previous.meta, c.floor)
	if r.known {
		x.supersede(r.segment, 1)
	}
	x.log = append(x.log, r)
	return !r.known
}

func (x *idSet) supersede(segment uint64, by int) {
	if x.superseded == nil {
		x.superseded = make(map[uint64]int)
	}
	if x.superseded[segment] += by; x.superseded[segment] == 0 {
		delete(x.superseded, segment)
	}
}

func (x *idSet) undo(to int) {
	for x.puts > to {
		last := len(x.tail) - 1
		e := x.tail[last]
		x.tail = x.tail[:last]
		x.puts--
		if n := len(x.log); n > 0 && x.log[n-1].at == x.puts {
			r := x.log[n-1]
			x.log = x.log[:n-1]
			if x.putBack(e, r) {
				continue
			}
		}
		x.table.remove(e.hash)
	}
}

// putBack restores what an entry replaced. What was evicted by a batch that
// has committed meanwhile would only take room until the next eviction.
func (x *idSet) putBack(e entry, r replaced) bool {
	if segmentBefore(r.previous.meta, x.swept) {
		return false
	}
	if r.known {
		x.supersede(r.segment, -1)
	}
	x.table.put(e.hash, r.previous.content, r.previous.meta)
	return true
}

// commit forgets how to take back the first puts, takes over the segments the
// batch has left, and begins to take out what it evicted.
func (x *idSet) commit(puts int, now *segmentCursor) {
	x.puts -= puts
	left := x.log[:0]
	for _, r := range x.log {
		if r.at >= puts {
			r.at -= puts
			left = append(left, r)
		}
	}
	x.log = left
	if !x.resealed {
		return
	}
	x.resealed = false
	drop := 0
	for _, s := range x.suffix {
		if s.last < now.settledEnd {
			drop += s.entries
		}
	}
	x.tail = append(x.tail[:0], x.tail[drop:]...)
	x.closed = append(x.closed[:x.suffixAt], x.suffix...)
	if now.floor == x.swept {
		return
	}
	gone := 0
	for gone < len(x.closed) && x.closed[gone].last < now.floor {
		gone++
	}
	x.closed = append(x.closed[:0], x.closed[gone:]...)
	for segment := range x.superseded {
		if segment < now.floor {
			delete(x.superseded, segment)
		}
	}
	x.swept, x.sweepLeft = now.floor, shards
}

const (
	// sweepRounds is how often the table is gone over while as many IDs come
	// as go in one eviction: each ID that comes pays for looking at 32 slots.
	sweepRounds = 2
	// minSweep is how many shards a commit looks at, however small.
	minSweep = 2
)

// sweep takes evicted IDs out of some shards, in proportion to the IDs that
// were committed.
func (x *idSet) sweep(committed, maxIDs int) {
	n := minSweep + int(int64(committed)*shards*bulk*sweepRounds/int64(maxIDs))
	for n = min(n, x.sweepLeft); n > 0; n-- {
		x.table.sweep(x.sweepNext, func(s slot) bool { return segmentBefore(s.meta, x.swept) })
		x.sweepNext = (x.sweepNext + 1) % shards
		x.sweepLeft--
	}
}

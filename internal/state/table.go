package state

import "math/bits"

// slot is one remembered ID. It holds no pointers, so the garbage collector
// does not look into the table. meta is zero for an empty slot.
type slot struct {
	lo, hi  uint64
	content uint32
	meta    uint32 // status in the upper 2 bits, segment in the lower 30
}

const (
	shards  = 256
	minSize = 16
)

// table is a set of slots, keyed by their 128-bit hash: open addressing with
// linear probing in Robin Hood order (entries of a run are sorted by home
// slot), which makes looking for something absent, the common case, as short
// as finding something. It is cut into shards so that growth copies little at
// a time.
//
// Size follows the number of entries alone, never the length of a probe:
// hashes that crowd together make it slow, not large. SipHash under a secret
// key does not crowd; Restore refuses hashes that do (maxProbe).
type table struct {
	shards [shards]shard
	n      int
}

type shard struct {
	slots []slot
	n     int
}

// get returns the slot with the given hash; its meta is zero when absent.
func (t *table) get(lo, hi uint64) slot {
	sh := &t.shards[hi>>56]
	if i, _, found := sh.find(lo, hi); found {
		return sh.slots[i]
	}
	return slot{}
}

// put stores s in place of the slot with the same hash, which it returns (meta
// is zero when there was none). probe is how far s is from its home slot.
func (t *table) put(s slot) (previous slot, probe int) {
	sh := &t.shards[s.hi>>56]
	i, probe, found := sh.find(s.lo, s.hi)
	if found {
		previous = sh.slots[i]
		sh.slots[i] = s
		return previous, probe
	}
	t.n++
	if sh.n+1 > len(sh.slots)*15/16 {
		sh.resize(max(minSize, len(sh.slots)+len(sh.slots)/8))
		i, probe, _ = sh.find(s.lo, s.hi)
	}
	sh.insertAt(i, probe, s)
	return slot{}, probe
}

// remove takes the slot with the given hash out, if it is there.
func (t *table) remove(lo, hi uint64) {
	sh := &t.shards[hi>>56]
	i, _, found := sh.find(lo, hi)
	if !found {
		return
	}
	t.n--
	sh.n--
	for {
		next := i + 1
		if next == len(sh.slots) {
			next = 0
		}
		if sh.slots[next].meta == 0 || sh.distance(next) == 0 {
			break
		}
		sh.slots[i] = sh.slots[next]
		i = next
	}
	sh.slots[i] = slot{}
}

// sweep takes out all slots for which gone is true and gives back the room of
// shards that have become half empty.
func (t *table) sweep(gone func(slot) bool) {
	var scratch []slot
	for i := range t.shards {
		sh := &t.shards[i]
		before := sh.n
		scratch = sh.sweep(gone, scratch[:0])
		t.n -= before - sh.n
	}
}

func (t *table) capacity() (slots int) {
	for i := range t.shards {
		slots += len(t.shards[i].slots)
	}
	return slots
}

// find returns where the hash is, or where it would be put, and the distance
// of that place from its home.
func (sh *shard) find(lo, hi uint64) (i, probe int, found bool) {
	if len(sh.slots) == 0 {
		return 0, 0, false
	}
	i = sh.home(lo)
	for probe = 0; ; probe++ {
		s := &sh.slots[i]
		if s.meta == 0 || sh.distance(i) < probe {
			return i, probe, false
		}
		if s.lo == lo && s.hi == hi {
			return i, probe, true
		}
		if i++; i == len(sh.slots) {
			i = 0
		}
	}
}

// insertAt puts s at i and moves what is there onwards.
func (sh *shard) insertAt(i, probe int, s slot) {
	sh.n++
	for {
		if sh.slots[i].meta == 0 {
			sh.slots[i] = s
			return
		}
		if d := sh.distance(i); d < probe {
			s, sh.slots[i] = sh.slots[i], s
			probe = d
		}
		probe++
		if i++; i == len(sh.slots) {
			i = 0
		}
	}
}

func (sh *shard) home(lo uint64) int {
	i, _ := bits.Mul64(lo, uint64(len(sh.slots)))
	return int(i)
}

func (sh *shard) distance(i int) int {
	d := i - sh.home(sh.slots[i].lo)
	if d < 0 {
		d += len(sh.slots)
	}
	return d
}

func (sh *shard) resize(size int) {
	old := sh.slots
	sh.slots = make([]slot, size)
	sh.refill(old)
}

func (sh *shard) refill(from []slot) {
	sh.n = 0
	for _, s := range from {
		if s.meta != 0 {
			i, probe, _ := sh.find(s.lo, s.hi)
			sh.insertAt(i, probe, s)
		}
	}
}

// sweep returns the scratch it was given, grown.
func (sh *shard) sweep(gone func(slot) bool, kept []slot) []slot {
	for _, s := range sh.slots {
		if s.meta != 0 && !gone(s) {
			kept = append(kept, s)
		}
	}
	if len(kept) == sh.n {
		return kept
	}
	if len(kept) < len(sh.slots)/2 {
		sh.slots = make([]slot, max(minSize, len(kept)+len(kept)/8))
	} else {
		clear(sh.slots)
	}
	sh.refill(kept)
	return kept
}

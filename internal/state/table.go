package state

import (
	"math"
	"slices"
)

// hash is what is remembered of an identity: 104 bits of its SipHash-128
// under the task's key.
type hash struct {
	a, b, mid uint32
	top       uint8
}

// slot is one remembered ID in 20 bytes. It holds no pointers, so the garbage
// collector does not look into the table. The top 8 bits of the hash are the
// number of the shard. meta is zero for an empty slot.
type slot struct {
	a, b, mid uint32
	content   uint32
	meta      uint32 // status in the upper 2 bits, segment in the lower 30
}

const (
	shards  = 256
	minSize = 16
	// smallShard is how many slots a shard has from which on it grows in small steps.
	// Below, a table of up to 2.6 MB, room costs less than moving.
	smallShard = 512
)

// table is a set of slots, keyed by their hash: open addressing with linear
// probing in order (the entries of a run are sorted by home slot, and those of one
// home by the part of their hash that it follows from), which makes looking for
// something absent, the common case, as short as finding something, and growth one
// pass. It is cut into shards so that growth and removal touch little at a time.
//
// Size follows the number of entries alone, never the length of a probe:
// hashes that crowd together make it slow, not large. SipHash under a secret
// key does not crowd; Restored refuses hashes that do (maxProbe).
type table struct {
	shards [shards]shard
	n      int
	// expected is how many slots a shard has when the table is as full as
	// the bound on IDs lets it be; 0 when that is not known. Growth stops
	// there once instead of overshooting.
	expected int
	// looked is what get found last, for a put of the same hash a moment later.
	looked place
}

// place is where a hash is in its shard, or would be put. It is good until the table
// changes (TestTable_BehavesLikeMap).
type place struct {
	hash     hash
	i, probe int
	found    bool
	good     bool
}

type shard struct {
	slots []slot
	n     int
}

// slotsFor is how many slots most shards need for their part of ids. They
// differ by chance: one in six, those beyond a standard deviation, grows once
// more, which takes less memory than room for it in all.
func slotsFor(ids int) int {
	mean := float64(ids) / shards
	return int((mean+math.Sqrt(mean))*16/15) + 2
}

// reserve makes room for ids more IDs in an empty table.
func (t *table) reserve(ids int) {
	size := slotsFor(ids)
	t.looked.good = false
	for i := range t.shards {
		t.shards[i].slots = makeSlots(size)
	}
}

// makeSlots fills what the allocator gives anyway. All of that is zero: Grow clears
// what it makes room for, and the allocator the rest (TestTable_NewSlotsAreEmpty).
func makeSlots(size int) []slot {
	s := slices.Grow([]slot(nil), size)
	return s[:cap(s)]
}

// get returns the slot with the given hash; its meta is zero when absent.
func (t *table) get(h hash) slot {
	sh, at := &t.shards[h.top], &t.looked
	at.hash, at.good = h, true
	if at.i, at.probe, at.found = sh.find(h); at.found {
		return sh.slots[at.i]
	}
	return slot{}
}

// put stores an entry in place of the slot with the same hash, which it
// returns (meta is zero when there was none). probe is how far the last entry of its
// home is from that.
func (t *table) put(h hash, content, meta uint32) (previous slot, probe int) {
	sh := &t.shards[h.top]
	s := slot{a: h.a, b: h.b, mid: h.mid, content: content, meta: meta}
	at := &t.looked
	if !at.good || at.hash != h {
		at.i, at.probe, at.found = sh.find(h)
	}
	at.good = false
	i, probe := at.i, at.probe
	if at.found {
		previous = sh.slots[i]
		sh.slots[i] = s
		return previous, probe
	}
	t.n++
	if sh.n+1 > len(sh.slots)*15/16 {
		sh.resize(t.grown(sh))
		i, probe, _ = sh.find(h)
	}
	sh.n++
	probe += sh.behind(i, sh.home(h.b))
	sh.insertAt(i, s)
	return slot{}, probe
}

// behind is how many entries of a home there are from i on.
func (sh *shard) behind(i, home int) (n int) {
	for sh.slots[i].meta != 0 && sh.home(sh.slots[i].b) == home {
		n++
		if i++; i == len(sh.slots) {
			i = 0
		}
	}
	return n
}

// grown is the next size of a shard that is full.
func (t *table) grown(sh *shard) int {
	size := max(minSize, len(sh.slots)+len(sh.slots)/8)
	if len(sh.slots) < smallShard {
		size = max(minSize, len(sh.slots)+len(sh.slots)/2)
	}
	if size > t.expected && sh.n+1 <= t.expected*15/16 {
		return t.expected
	}
	return size
}

// remove takes the slot with the given hash out, if it is there.
func (t *table) remove(h hash) {
	sh := &t.shards[h.top]
	i, _, found := sh.find(h)
	if !found {
		return
	}
	t.looked.good = false
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

// sweep takes the slots for which gone is true out of one shard, and gives
// back its room when it has become half empty.
func (t *table) sweep(number int, gone func(slot) bool) {
	sh := &t.shards[number]
	before := sh.n
	t.looked.good = false
	sh.sweep(gone)
	t.n -= before - sh.n
	if sh.n < len(sh.slots)/2 && len(sh.slots) > minSize {
		sh.resize(max(minSize, sh.n+sh.n/8))
	}
}

func (t *table) capacity() (slots int) {
	for i := range t.shards {
		slots += cap(t.shards[i].slots)
	}
	return slots
}

// find returns where the hash is, or where it would be put, and the distance
// of that place from its home.
func (sh *shard) find(h hash) (i, probe int, found bool) {
	if len(sh.slots) == 0 {
		return 0, 0, false
	}
	i = sh.home(h.b)
	for probe = 0; ; probe++ {
		s := &sh.slots[i]
		if s.meta == 0 {
			return i, probe, false
		}
		if s.b == h.b && s.a == h.a && s.mid == h.mid {
			return i, probe, true
		}
		if d := sh.distance(i); d < probe || d == probe && s.b > h.b {
			return i, probe, false
		}
		if i++; i == len(sh.slots) {
			i = 0
		}
	}
}

// insertAt puts s at i and moves the rest of the run one place onwards, which
// keeps it sorted.
func (sh *shard) insertAt(i int, s slot) {
	end, last := i, len(sh.slots)-1
	for sh.slots[end].meta != 0 {
		if end++; end > last {
			end = 0
		}
	}
	if end < i { // the run goes on at the shard's start
		copy(sh.slots[1:end+1], sh.slots[:end])
		sh.slots[0] = sh.slots[last]
		end = last
	}
	copy(sh.slots[i+1:end+1], sh.slots[i:end])
	sh.slots[i] = s
}

func (sh *shard) home(b uint32) int { return homeIn(b, len(sh.slots)) }

func homeIn(b uint32, size int) int { return int(uint64(b) * uint64(size) >> 32) }

func (sh *shard) distance(i int) int {
	d := i - sh.home(sh.slots[i].b)
	if d < 0 {
		d += len(sh.slots)
	}
	return d
}

func (sh *shard) resize(size int) {
	old := sh.slots
	sh.slots = makeSlots(size)
	switch {
	case len(old) == 0:
	case len(sh.slots) > len(old):
		sh.spread(old)
	default:
		for _, s := range old {
			if s.meta != 0 {
				i, _, _ := sh.find(hash{a: s.a, b: s.b, mid: s.mid})
				sh.insertAt(i, s)
			}
		}
	}
}

// spread fills an empty shard from the slots of a smaller one, in one pass from an
// empty slot on: there they stand in the order that they will have
// (TestTable_GrowthKeepsTheOrder). Nothing comes round to where the pass began,
// because more room never moves an entry further from its home.
func (sh *shard) spread(old []slot) {
	start := slices.IndexFunc(old, func(s slot) bool { return s.meta == 0 })
	// What is below turn had its home before start: it comes after the end of the old
	// shard, and is counted on beyond the end of this one.
	turn := uint32((uint64(start)<<32 + uint64(len(old)) - 1) / uint64(len(old)))
	size, free := len(sh.slots), 0
	for _, part := range [2][]slot{old[start+1:], old[:start]} {
		for i := range part {
			s := &part[i]
			if s.meta == 0 {
				continue
			}
			to := sh.home(s.b)
			if s.b < turn {
				to += size
			}
			to = max(free, to)
			sh.slots[around(to, size)] = *s
			free = to + 1
		}
	}
}

// sweep goes over the shard once, from an empty slot on. What stays moves back
// to where what has gone made room, but not before its home.
func (sh *shard) sweep(gone func(slot) bool) {
	start := slices.IndexFunc(sh.slots, func(s slot) bool { return s.meta == 0 })
	size, free := len(sh.slots), 1
	for k := 1; k < size; k++ {
		from := &sh.slots[around(start+k, size)]
		switch {
		case from.meta == 0:
			continue
		case gone(*from):
			sh.n--
			*from = slot{}
			continue
		}
		home := around(sh.home(from.b)-start+size, size)
		to := max(free, home)
		if to != k {
			sh.slots[around(start+to, size)] = *from
			*from = slot{}
		}
		free = to + 1
	}
}

// around is i modulo size for i below twice the size.
func around(i, size int) int {
	if i >= size {
		return i - size
	}
	return i
}

package state

import (
	"encoding/binary"
	"hash/maphash"
)

// rowKey is the source and the name of a series, as its row holds them: who looks for
// a row compares them within it and waits for no other memory, and the garbage
// collector finds no strings to look at, but for long ones.
type rowKey struct {
	// text is the source and the name behind it, if there is room for both.
	text [32]byte
	// long is both where there is none.
	long *string
	// source and all are the lengths of the source, and of both.
	source, all uint32
}

func (k *rowKey) set(source, name string) {
	k.source, k.all = uint32(len(source)), uint32(len(source)+len(name))
	if int(k.all) > len(k.text) {
		both := source + name
		k.long = &both
		return
	}
	copy(k.text[copy(k.text[:], source):], name)
}

func (k *rowKey) is(source, name string) bool {
	if int(k.source) != len(source) || int(k.all) != len(source)+len(name) {
		return false
	}
	if k.long != nil {
		return (*k.long)[:len(source)] == source && (*k.long)[len(source):] == name
	}
	return string(k.text[:k.source]) == source && string(k.text[k.source:k.all]) == name
}

// parts are source and name.
func (k *rowKey) parts() (source, name string) {
	if k.long != nil {
		return (*k.long)[:k.source], (*k.long)[k.source:]
	}
	return string(k.text[:k.source]), string(k.text[k.source:k.all])
}

// append writes the key as appendString writes source and name.
func (k *rowKey) append(dst []byte) []byte {
	if k.long != nil {
		return appendString(appendString(dst, (*k.long)[:k.source]), (*k.long)[k.source:])
	}
	dst = binary.AppendUvarint(dst, uint64(k.source))
	dst = append(dst, k.text[:k.source]...)
	dst = binary.AppendUvarint(dst, uint64(k.all-k.source))
	return append(dst, k.text[k.source:k.all]...)
}

// machineIndex finds rows by series: open addressing with linear probing, at most three
// quarters full. A slot holds the hash, so that who looks for a row reads one
// slot, mostly, and the row. A map of Go's costs four looks at memory and has three
// pointers a series for the garbage collector to follow: with a million of them
// that was a tenth of a record's cost.
//
// It is cut into shards, so that growth moves little at a time.
type machineIndex[M, S any] struct {
	// seeds are of names and of sources: with one, a series that is called like its
	// source would share its home with many.
	seeds  [2]maphash.Seed
	shards [indexShards]indexShard[M, S]
	n      int
}

const (
	indexShards     = 64
	indexShardShift = 64 - 6
	leastIndexShard = 8
)

type indexShard[M, S any] struct {
	slots []indexSlot[M, S] // a power of two, or none
	n     int
}

// indexSlot is empty without a row.
type indexSlot[M, S any] struct {
	hash uint64
	row  *machineRow[M, S]
}

func newMachineIndex[M, S any]() machineIndex[M, S] {
	return machineIndex[M, S]{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// hash is keyed, differently in each process: senders choose names.
func (x *machineIndex[M, S]) hash(source, name string) uint64 {
	return maphash.String(x.seeds[0], name) ^ maphash.String(x.seeds[1], source)
}

// get returns the row of a series, nil when there is none.
func (x *machineIndex[M, S]) get(hash uint64, source, name string) *machineRow[M, S] {
	slots := x.shards[hash>>indexShardShift].slots
	if len(slots) == 0 {
		return nil
	}
	mask := uint64(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		if s.row == nil || s.hash == hash && s.row.key.is(source, name) {
			return s.row
		}
	}
}

// add takes a row of a series that has none.
func (x *machineIndex[M, S]) add(row *machineRow[M, S]) {
	hash := x.hash(row.key.parts())
	x.n++
	s := &x.shards[hash>>indexShardShift]
	if s.n++; s.n > len(s.slots)*3/4 {
		old := s.slots
		s.slots = make([]indexSlot[M, S], max(leastIndexShard, 2*len(old)))
		for _, e := range old {
			if e.row != nil {
				s.insert(e)
			}
		}
	}
	s.insert(indexSlot[M, S]{hash, row})
}

func (s *indexShard[M, S]) insert(e indexSlot[M, S]) {
	mask := uint64(len(s.slots) - 1)
	i := e.hash & mask
	for s.slots[i].row != nil {
		i = (i + 1) & mask
	}
	s.slots[i] = e
}

// remove takes a row out.
func (x *machineIndex[M, S]) remove(row *machineRow[M, S]) {
	hash := x.hash(row.key.parts())
	s := &x.shards[hash>>indexShardShift]
	mask := uint64(len(s.slots) - 1)
	i := hash & mask
	for s.slots[i].row != row {
		i = (i + 1) & mask
	}
	s.close(i)
	s.n--
	x.n--
}

// close empties a slot. What stands behind it and would not be found over the gap moves
// up (Knuth, The Art of Computer Programming, volume 3, section 6.4, algorithm R).
func (s *indexShard[M, S]) close(gap uint64) {
	mask := uint64(len(s.slots) - 1)
	for i := (gap + 1) & mask; s.slots[i].row != nil; i = (i + 1) & mask {
		if home := s.slots[i].hash & mask; (i-home)&mask >= (i-gap)&mask {
			s.slots[gap] = s.slots[i]
			gap = i
		}
	}
	s.slots[gap] = indexSlot[M, S]{}
}

// each calls do with all rows, in no order.
func (x *machineIndex[M, S]) each(do func(*machineRow[M, S])) {
	for i := range x.shards {
		for _, s := range x.shards[i].slots {
			if s.row != nil {
				do(s.row)
			}
		}
	}
}

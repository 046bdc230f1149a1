package state

import (
	"unsafe"

	"pulse-scorer/internal/state/prefetch"
)

// Where a record's ID and its series will be looked for is known once it is decoded.
// Who has decoded it before its turn calls PrefetchSlots, and PrefetchRow when what that
// has asked for is there: in between, and until the record's turn, the work on other
// records covers the wait. Neither changes anything but what is in the processor's caches
// (TestPrefetch_ChangesNothing).

// SeriesPlace is what PrefetchRow needs to know of a series; the zero value is of none.
type SeriesPlace struct {
	hash  uint64
	known bool
}

// runBytes is how much of the table of IDs most looks read: at 15/16 load a run is
// some slots long.
const runBytes = 128

// PrefetchSlots asks for the places by which an ID and a series are found.
func (t *Task) PrefetchSlots(id ID, source, name string) (at SeriesPlace) {
	t.ids.table.prefetch(id.hash)
	if t.series.index.n > 0 {
		at = SeriesPlace{hash: t.series.index.hash(source, name), known: true}
		t.series.index.prefetch(at.hash)
	}
	return at
}

// PrefetchRow asks for the series itself.
func (t *Task) PrefetchRow(at SeriesPlace) {
	if !at.known {
		return
	}
	if r := t.series.index.likely(at.hash); r != nil {
		prefetch.Bytes(r, unsafe.Sizeof(*r))
	}
}

func (t *table) prefetch(h hash) {
	if sh := &t.shards[h.top]; len(sh.slots) > 0 {
		prefetch.Bytes(&sh.slots[sh.home(h.b)], runBytes)
	}
}

func (x *machineIndex[M, S]) prefetch(hash uint64) {
	if slots := x.shards[hash>>indexShardShift].slots; len(slots) > 0 {
		prefetch.Bytes(&slots[hash&uint64(len(slots)-1)], unsafe.Sizeof(slots[0]))
	}
}

// likely is the first row with a hash, nil when there is none. It need not be the right
// one: only the row itself could tell, and that is not there yet.
func (x *machineIndex[M, S]) likely(hash uint64) *machineRow[M, S] {
	slots := x.shards[hash>>indexShardShift].slots
	if len(slots) == 0 {
		return nil
	}
	mask := uint64(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := &slots[i]; s.row == nil || s.hash == hash {
			return s.row
		}
	}
}

package state

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"

	"pulse-scorer/internal/series"
)

// mostSources is how many sources a task remembers. Senders choose their names; of
// more the one goes whose last record is the longest ago.
const mostSources = 10_000

// sources are what is known of the sources of a task, with the log to take changes
// back. It is a journal of rows: most records come in runs of a source, and each
// changes its own.
//
// Which one is forgotten follows from the order of records alone, so that whoever
// scores them again forgets the same one at the same record
// (TestSources_BehaveLikeANaiveList).
type sources struct {
	most   int
	byName map[string]*sourceRow
	log    undoLog[sourceUndo]
	last   *sourceRow
	// oldest and newest are the ends of the list in order of use, uses counts all.
	oldest, newest *sourceRow
	uses           uint64
}

type sourceRow struct {
	name         string
	value        series.Source
	used         uint64
	older, newer *sourceRow
	changed      bool // used by write alone
}

// sourceUndo takes a use of a row back, or that it was forgotten. There is one for each
// record of two batches, so it says what it is by a number of uses that no row has.
type sourceUndo struct {
	row *sourceRow
	// before and used are what the row had, older its neighbour then.
	before series.Source
	used   uint64
	older  *sourceRow
}

// In place of sourceUndo.used.
const (
	neverUsed = math.MaxUint64 // the row is new
	forgotten = neverUsed - 1  // the row was forgotten
)

func newSources() sources { return sources{most: mostSources, byName: make(map[string]*sourceRow)} }

func (x *sources) find(name string) *sourceRow {
	if r := x.last; r != nil && r.name == name {
		return r
	}
	r := x.byName[name]
	if r != nil {
		x.last = r
	}
	return r
}

// Source returns what is known of a source; known is false when nothing is.
func (t *Task) Source(name string) (s series.Source, known bool) {
	if r := t.sources.find(name); r != nil {
		return r.value, true
	}
	return series.Source{}, false
}

// SetSource notes what is known of a source after its next record. For a new one the
// source is forgotten whose last record is the longest ago, if there are too many.
func (t *Task) SetSource(name string, s series.Source) {
	x := &t.sources
	r := x.find(name)
	u := x.log.grow()
	if r == nil {
		r = &sourceRow{name: strings.Clone(name)}
		x.byName[r.name] = r
		x.link(r, x.newest)
		u.used = neverUsed
	} else {
		u.before, u.used, u.older = r.value, r.used, r.older
		if r != x.newest {
			x.unlink(r)
			x.link(r, x.newest)
		}
	}
	u.row = r
	x.uses++
	r.value, r.used = s, x.uses
	for len(x.byName) > x.most {
		*x.log.grow() = sourceUndo{row: x.oldest, used: forgotten}
		x.forgetRow(x.oldest)
	}
}

func (x *sources) forgetRow(r *sourceRow) {
	x.unlink(r)
	delete(x.byName, r.name)
	if x.last == r {
		x.last = nil
	}
}

// link puts a row behind an older one; nil makes it the oldest.
func (x *sources) link(r, older *sourceRow) {
	r.older = older
	if older == nil {
		r.newer, x.oldest = x.oldest, r
	} else {
		r.newer, older.newer = older.newer, r
	}
	if r.newer == nil {
		x.newest = r
	} else {
		r.newer.older = r
	}
}

func (x *sources) unlink(r *sourceRow) {
	if r.older == nil {
		x.oldest = r.newer
	} else {
		r.older.newer = r.newer
	}
	if r.newer == nil {
		x.newest = r.older
	} else {
		r.newer.older = r.older
	}
	r.older, r.newer = nil, nil
}

func (x *sources) undo(to int) {
	for i := x.log.n - 1; i >= to; i-- {
		u := x.log.at(i)
		switch r := u.row; u.used {
		case forgotten:
			x.byName[r.name] = r
			x.link(r, nil)
			continue
		case neverUsed:
			x.forgetRow(r)
		default:
			x.unlink(r)
			x.link(r, u.older)
			r.value, r.used = u.before, u.used
		}
		x.uses--
	}
	x.log.cut(to)
}

// write writes the sources that the open batch has changed, in the order of their
// first change, and tombstones of those it has forgotten:
//
//	key:   "u/", source
//	value: version, number of its last use, its bytes
func (x *sources) write(w *writer) {
	for i := range x.log.n {
		u := x.log.at(i)
		r := u.row
		if r.changed {
			continue
		}
		r.changed = true
		w.begin(kindSource)
		w.key = append(w.key, r.name...)
		switch now := x.byName[r.name]; {
		case now == r:
			w.value = binary.AppendUvarint(w.value, r.used)
			value, err := r.value.AppendBinary(w.value)
			if err != nil {
				panic("state: a source cannot be written: " + err.Error())
			}
			w.value = value
			w.end()
		case now == nil && u.used != neverUsed:
			w.emit(w.key, nil)
		}
	}
	for i := range x.log.n {
		x.log.at(i).row.changed = false
	}
}

func (x *sources) restore(k, v *reader, version byte, tombstone bool) error {
	name := string(k.rest)
	if tombstone {
		if r := x.find(name); r != nil {
			x.forgetRow(r)
		}
		return nil
	}
	used := uint64(0)
	if version > 1 {
		if used = v.uvarint(); v.err == nil && used >= maxNumber {
			v.fail("a source cannot have been used so often")
		}
		if v.err != nil {
			return v.err
		}
	}
	r := x.find(name)
	if r == nil {
		r = &sourceRow{name: name}
		x.byName[name] = r
		x.link(r, x.newest)
	}
	r.used = used
	return r.value.UnmarshalBinary(v.rest)
}

// restored brings the sources in order: the changelog has them in another.
func (x *sources) restored() {
	sorted := slices.SortedFunc(maps.Values(x.byName), func(a, b *sourceRow) int {
		return cmp.Or(cmp.Compare(a.used, b.used), cmp.Compare(a.name, b.name)) // format 1 has no uses
	})
	x.oldest, x.newest, x.uses = nil, nil, 0
	for _, r := range sorted {
		x.link(r, x.newest)
		x.uses = r.used
	}
}

// bytes estimates the memory in use.
func (x *sources) bytes() (n int64) {
	const rowBytes = 160
	for name := range x.byName {
		n += rowBytes + int64(len(name))
	}
	return n + x.log.bytes()
}

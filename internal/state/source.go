package state

import (
	"strings"

	"pulse-scorer/internal/series"
)

// sources are what is known of the sources of a task, with the log to take changes
// back. It is a journal of rows: most records come in runs of a source, and each
// changes its own.
type sources struct {
	byName map[string]*sourceRow
	log    []sourceUndo
	last   *sourceRow
}

type sourceRow struct {
	name    string
	value   series.Source
	changed bool // used by write alone
}

type sourceUndo struct {
	row    *sourceRow
	before series.Source
	isNew  bool
}

func newSources() sources { return sources{byName: make(map[string]*sourceRow)} }

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

// SetSource notes what is known of a source.
func (t *Task) SetSource(name string, s series.Source) {
	x := &t.sources
	r := x.find(name)
	isNew := r == nil
	if isNew {
		r = &sourceRow{name: strings.Clone(name)}
		x.byName[r.name] = r
	} else if r.value == s {
		return
	}
	x.log = append(x.log, sourceUndo{row: r, before: r.value, isNew: isNew})
	r.value = s
}

func (x *sources) undo(to int) {
	for i := len(x.log) - 1; i >= to; i-- {
		u := &x.log[i]
		u.row.value = u.before
		if u.isNew {
			delete(x.byName, u.row.name)
			x.last = nil
		}
	}
	clear(x.log[to:])
	x.log = x.log[:to]
}

// forget drops the first n entries of the log.
func (x *sources) forget(n int) {
	left := copy(x.log, x.log[n:])
	clear(x.log[left:])
	x.log = x.log[:left]
}

// write writes the sources that the open batch has changed, in the order of their
// first change:
//
//	key:   "u/", source
//	value: version, its bytes
func (x *sources) write(w *writer) {
	for i := range x.log {
		u := &x.log[i]
		r := u.row
		if r.changed {
			continue
		}
		if r.changed = true; r.value == u.before && !u.isNew {
			continue
		}
		w.begin(kindSource)
		w.key = append(w.key, r.name...)
		value, err := r.value.AppendBinary(w.value)
		if err != nil {
			panic("state: a source cannot be written: " + err.Error())
		}
		w.value = value
		w.end()
	}
	for i := range x.log {
		x.log[i].row.changed = false
	}
}

func (x *sources) restore(k, v *reader, tombstone bool) error {
	name := string(k.rest)
	if tombstone {
		delete(x.byName, name)
		x.last = nil
		return nil
	}
	r := x.find(name)
	if r == nil {
		r = &sourceRow{name: name}
		x.byName[name] = r
	}
	return r.value.UnmarshalBinary(v.rest)
}

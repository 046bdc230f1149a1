package state

import (
	"encoding/binary"
	"errors"
	"math"
)

// A window is in the changelog as a whole under "w/", and what came since under
// "d/". Compaction keeps the last of each, so a delta holds everything since
// the whole it belongs to, which it names by the number of values before it.
// One that is older than the whole is recognised by that, needs no tombstone
// and is passed over.
//
// A batch writes the delta as long as the deltas of this whole, with this one,
// are shorter together than a new whole. So a window that gets one value with
// each batch costs a quarter of what wholes alone would, and one that is
// exchanged by each batch costs no more than before
// (TestSeal_WritesDeltasWhereTheyAreShorter).

// recordOverhead is about what a record takes besides key and values.
const recordOverhead = 16

// window writes what a batch has added to a window.
func (w *writer) window(r *row[float64]) {
	view := r.tape.view()
	overhead := recordOverhead + len(r.key.source) + len(r.key.name)
	if since := r.total - r.base; r.whole && since < uint64(len(view)) {
		size := overhead + 8*int(since)
		if r.spent+size < overhead+8*len(view) {
			r.spent += size
			w.seriesKey(kindDelta, r.key)
			w.value = appendFloats(binary.AppendUvarint(w.value, r.base), view[len(view)-int(since):])
			w.end()
			return
		}
	}
	r.whole, r.base, r.spent = true, r.total, 0
	w.seriesKey(kindWindow, r.key)
	w.value = appendFloats(binary.AppendUvarint(w.value, r.total), view)
	w.end()
}

func appendFloats(dst []byte, values []float64) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// written is what the changelog had of a window before the sealed batch.
type written struct {
	window *row[float64]
	whole  bool
	base   uint64
	spent  int
}

// writeWindows writes the windows of the open batch.
func (t *Task) writeWindows(w *writer) {
	t.windows.changed(func(r *row[float64], _ int) {
		t.written = append(t.written, written{window: r, whole: r.whole, base: r.base, spent: r.spent})
		w.window(r)
	})
}

// unwrite forgets what the sealed batch wrote: the next delta must not belong
// to a whole that was never committed
// (TestRollback_TheNextDeltaBelongsToACommittedWindow).
func (t *Task) unwrite() {
	for _, b := range t.written {
		b.window.whole, b.window.base, b.window.spent = b.whole, b.base, b.spent
	}
	t.written = t.written[:0]
}

// delta is what came after a whole window of base values.
type delta struct {
	base   uint64
	values []float64
}

func (r *reader) floats(into []float64) []float64 {
	if len(r.rest) == 0 || len(r.rest)%8 != 0 {
		r.fail("not a whole number of values")
	}
	for len(r.rest) > 0 {
		into = append(into, r.float64())
	}
	return into
}

func (t *Task) restoreWindow(k, v *reader, version byte, tombstone bool) error {
	source, name := k.bytes(), k.bytes()
	if err := k.done(); err != nil {
		return err
	}
	if tombstone {
		delete(t.windows.byKey, seriesKey{string(source), string(name)})
		return nil
	}
	total := uint64(len(v.rest) / 8)
	if version > 1 {
		total = v.uvarint()
	}
	row, held := t.windows.byKey[seriesKey{string(source), string(name)}]
	var room []float64
	if held {
		room = row.tape.buf[:0]
	}
	values := v.floats(room)
	if uint64(len(values)) > total {
		v.fail("more values than there ever were")
	}
	if err := v.done(); err != nil {
		return err
	}
	if !held {
		row = t.windows.row(string(source), string(name))
	}
	row.restore(values, total, t.windows.limit)
	row.whole, row.base, row.spent = version > 1, total, 0
	return nil
}

func (t *Task) restoreDelta(k, v *reader, tombstone bool) error {
	source, name := k.bytes(), k.bytes()
	if err := k.done(); err != nil {
		return err
	}
	r := t.restoring
	if tombstone {
		delete(r.deltas, seriesKey{string(source), string(name)})
		return nil
	}
	d, held := r.deltas[seriesKey{string(source), string(name)}]
	if !held {
		d = new(delta)
		r.deltas[seriesKey{string(source), string(name)}] = d
	}
	d.base = v.uvarint()
	d.values = v.floats(d.values[:0])
	if d.base > math.MaxUint64-uint64(len(d.values)) {
		v.fail("more values than can be counted")
	}
	return v.done()
}

// restoredDelta adds what a delta has beyond its window.
func (t *Task) restoredDelta(k seriesKey, d *delta) error {
	row, ok := t.windows.byKey[k]
	if !ok {
		return errors.New("values came after a window that is missing")
	}
	if d.base+uint64(len(d.values)) <= row.total {
		return nil // the window was written as a whole since
	}
	if !row.whole || row.base != d.base || row.total < d.base {
		return errors.New("values came after another window than the one that is there")
	}
	for _, v := range d.values[row.total-d.base:] {
		row.tape.push(v, t.windows.limit)
		row.total++
	}
	return nil
}

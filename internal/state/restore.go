package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pulse-scorer/internal/pulse"
)

// restoration gathers what can only be judged when the whole changelog has
// been read. Windows go to their place at once, IDs into the table.
type restoration struct {
	keyed, bounded  bool
	bounds          segmentCursor
	segments        map[uint64]restoredSegment
	lowest, highest uint64
	// newest are the entries of the highest segment, which may be open.
	newest []slot
	// gone counts the entries of segments with a tombstone.
	gone    int
	streams map[seriesKey]map[byte]numbered
	ledger  Ledger
}

type restoredSegment struct {
	sinceMs, lastMs int64
	entries         int
}

type numbered struct {
	number uint64
	value  forecast
}

// Restore takes one changelog record, a nil value being a tombstone. Records
// of different keys may come in any order, those of one key in the order they
// were written. It works on a new Task and on one without outstanding batches
// (then the records continue what it remembers). The Task may be used again
// after Restored; after an error it is useless.
func (t *Task) Restore(key, value []byte) error {
	if len(key) > 0 && key[0] == kindEngine {
		return errors.New("restore state: key is one of the engine's own")
	}
	if len(key) < 2 || key[1] != '/' || kindNames[key[0]] == "" {
		return fmt.Errorf("restore state: key %.32q is of no known kind", key)
	}
	if t.hasSealed || t.changed() {
		return errors.New("restore state: batches are outstanding, roll back first")
	}
	if t.restoring == nil {
		t.restoring = t.continueFrom()
	}
	if err := t.restoreKind(key[0], key[2:], value); err != nil {
		return fmt.Errorf("restore %s record: %w", kindNames[key[0]], err)
	}
	return nil
}

// continueFrom describes what the Task holds already.
func (t *Task) continueFrom() *restoration {
	c := t.committed.segments
	r := &restoration{
		keyed: t.committed.keyed, bounded: t.committed.keyed, bounds: c,
		segments: make(map[uint64]restoredSegment),
		lowest:   c.floor, highest: c.closedEnd,
		newest:  slices.Clone(t.ids.tail),
		streams: make(map[seriesKey]map[byte]numbered),
		ledger:  t.committed.ledger,
	}
	if !t.committed.keyed {
		r.lowest, r.highest = ^uint64(0), 0
	}
	for i, s := range t.ids.closed {
		r.segments[c.floor+uint64(i)] = restoredSegment{lastMs: s.commitMs, entries: s.entries}
	}
	if c.filled > 0 {
		r.segments[c.closedEnd] = restoredSegment{sinceMs: c.openSinceMs, lastMs: c.openLastMs, entries: c.filled}
	}
	return r
}

func (t *Task) restoreKind(kind byte, key, value []byte) error {
	k, v := &reader{rest: key}, &reader{rest: value}
	if value != nil {
		v.version()
	}
	tombstone := value == nil
	switch kind {
	case kindHashKey:
		return t.restoreHashKey(k, v, tombstone)
	case kindBounds:
		return t.restoring.restoreBounds(k, v, tombstone)
	case kindSegment:
		return t.restoreSegment(k, v, tombstone)
	case kindWindow:
		return t.restoreWindow(k, v, tombstone)
	case kindForecast:
		return t.restoreForecast(k, v, tombstone)
	case kindLedger:
		return t.restoring.restoreLedger(k, v, tombstone)
	}
	return errors.New("no restore for this kind")
}

func (t *Task) restoreHashKey(k, v *reader, tombstone bool) error {
	if err := k.done(); err != nil || tombstone {
		t.restoring.keyed = false
		return err
	}
	var key [hashBytes]byte
	copy(key[:], v.take(hashBytes))
	if err := v.done(); err != nil {
		return err
	}
	if t.committed.keyed && key != t.hash.key {
		return errors.New("differs from the one in use: the topic was made anew, restore from its start")
	}
	t.hash = newHasher(key)
	t.restoring.keyed = true
	return nil
}

func (r *restoration) restoreBounds(k, v *reader, tombstone bool) error {
	if err := k.done(); err != nil || tombstone {
		r.bounded = false
		return err
	}
	r.bounds = segmentCursor{clockMs: v.varint(), floor: v.uvarint(), closedEnd: v.uvarint(), forgottenMs: v.varint()}
	r.bounded = true
	return v.done()
}

func (r *restoration) restoreLedger(k, v *reader, tombstone bool) error {
	if err := k.done(); err != nil || tombstone {
		r.ledger = Ledger{}
		return err
	}
	l := Ledger{In: v.uvarint(), Scored: v.uvarint(), Duplicate: v.uvarint()}
	for n := v.count(2); n > 0 && v.err == nil; n-- {
		class := v.string()
		l.Dead = append(l.Dead, ClassCount{Class: pulse.Class(class), Count: v.uvarint()})
	}
	if v.err == nil && !slices.IsSortedFunc(l.Dead, func(a, b ClassCount) int { return cmp.Compare(a.Class, b.Class) }) {
		v.fail("classes out of order")
	}
	r.ledger = l
	return v.done()
}

func (t *Task) restoreWindow(k, v *reader, tombstone bool) error {
	source, name := k.string(), k.string()
	if err := k.done(); err != nil {
		return err
	}
	if tombstone {
		delete(t.windows.byKey, seriesKey{source, name})
		return nil
	}
	if len(v.rest) == 0 || len(v.rest)%8 != 0 {
		v.fail("not a whole number of values")
	}
	values := make([]float64, 0, len(v.rest)/8)
	for len(v.rest) > 0 {
		values = append(values, v.float64())
	}
	if err := v.done(); err != nil {
		return err
	}
	t.windows.row(source, name).restore(values, uint64(len(values)), t.windows.limit)
	return nil
}

func (t *Task) restoreForecast(k, v *reader, tombstone bool) error {
	source, name, place := k.string(), k.string(), k.byte()
	if err := k.done(); err != nil {
		return err
	}
	entries := t.restoring.stream(&t.memory, seriesKey{source, name})
	if tombstone {
		delete(entries, place)
		return nil
	}
	e := numbered{number: v.uvarint(), value: v.value(0)}
	if v.err == nil && e.number%memorySlots != uint64(place) {
		v.fail("number does not belong to this slot")
	}
	if err := v.done(); err != nil {
		return err
	}
	entries[place] = e
	return nil
}

// stream returns the entries of a stream by slot, at first those that the Task
// holds already.
func (r *restoration) stream(memory *rows[forecast], k seriesKey) map[byte]numbered {
	entries, ok := r.streams[k]
	if ok {
		return entries
	}
	entries = make(map[byte]numbered)
	if w, held := memory.byKey[k]; held {
		view := w.tape.view()
		for i, value := range view {
			number := w.total - uint64(len(view)-i)
			entries[byte(number%memorySlots)] = numbered{number: number, value: value}
		}
	}
	r.streams[k] = entries
	return entries
}

// Restored ends a restore and says whether the changelog was whole: a missing
// segment or forecast would silently change results. Without any record
// before it, it does nothing.
func (t *Task) Restored() error {
	r := t.restoring
	if r == nil {
		return nil
	}
	if !r.keyed {
		return errors.New("restore state: the changelog has no hash key, so it is not whole: was its topic shortened?")
	}
	if err := t.restoredSegments(); err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	for k, entries := range r.streams {
		if err := t.restoreStream(k, entries); err != nil {
			return fmt.Errorf("restore state: memory of source %.64q, name %.64q: %w", k.source, k.name, err)
		}
	}
	t.cur.keyed = true
	t.cur.ledger = r.ledger
	t.committed = t.cur
	t.restoring = nil
	return nil
}

// restoreStream puts the last entries of a stream in place, which must be
// without a gap.
func (t *Task) restoreStream(k seriesKey, entries map[byte]numbered) error {
	if len(entries) == 0 {
		delete(t.memory.byKey, k)
		return nil
	}
	sorted := slices.SortedFunc(maps.Values(entries), func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	newest := sorted[len(sorted)-1].number
	want := t.memory.limit
	if newest < uint64(want) {
		want = int(newest) + 1
	}
	if len(sorted) < want || sorted[len(sorted)-want].number != newest-uint64(want-1) {
		return fmt.Errorf("forecasts before number %d are missing", newest)
	}
	values := make([]forecast, 0, want)
	for _, e := range sorted[len(sorted)-want:] {
		values = append(values, e.value)
	}
	t.memory.row(k.source, k.name).restore(values, newest+1, t.memory.limit)
	return nil
}

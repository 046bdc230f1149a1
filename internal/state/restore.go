package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/series"
)

// restoration gathers what can only be judged when the whole changelog has
// been read. Windows go to their place at once. Segments are kept as they came,
// so that those which a later record merges or evicts cost a copy and no more.
type restoration struct {
	keyed, bounded bool
	// warm: the Task remembered something before.
	warm     bool
	bounds   segmentCursor
	segments map[uint64]*restoredSegment
	deltas   map[seriesKey]*delta
	streams  map[seriesKey]map[byte]numbered
	series   restoredMachines[series.Series, seriesStep]
	model    restoredMachines[learn.Model, lesson]
	ledger   Ledger
	// parked are the parts of parked records.
	parked    map[parkPart][]byte
	notBefore []int64
}

// restoredSegment is a segment under the number of its last. value is nil when
// the table holds its IDs already.
type restoredSegment struct {
	extent

	version byte
	value   []byte
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
	var kind kindFormat
	known := len(key) >= 2 && key[1] == '/'
	if known {
		kind, known = kinds(key[0])
	}
	if !known {
		return fmt.Errorf("restore state: key %.32q is of no kind that this build knows: if a newer release wrote it, run that one", key)
	}
	if t.hasSealed || t.changed() {
		return errors.New("restore state: batches are outstanding, roll back first")
	}
	if t.restoring == nil {
		t.restoring = t.continueFrom()
	}
	if err := t.restoreKind(key[0], kind, key[2:], value); err != nil {
		return fmt.Errorf("restore %s record, key %.64q: %w", kind.name, key, err)
	}
	return nil
}

// continueFrom describes what the Task holds already.
func (t *Task) continueFrom() *restoration {
	c := t.committed.segments
	r := &restoration{
		keyed: t.committed.keyed, bounded: t.committed.keyed, warm: t.committed.keyed, bounds: c,
		segments: make(map[uint64]*restoredSegment),
		deltas:   make(map[seriesKey]*delta),
		streams:  make(map[seriesKey]map[byte]numbered),
		series:   make(restoredMachines[series.Series, seriesStep]),
		model:    make(restoredMachines[learn.Model, lesson]),
		ledger:   t.committed.ledger, notBefore: slices.Clone(t.committed.notBefore),
		parked: t.partsOfParked(),
	}
	t.holdSegments(r)
	return r
}

func (t *Task) restoreKind(kind byte, f kindFormat, key, value []byte) error {
	k, v := &reader{rest: key}, &reader{rest: value}
	tombstone := value == nil
	var version byte
	if !tombstone {
		if version = v.version(f); v.err != nil {
			return v.err
		}
	}
	switch kind {
	case kindHashKey:
		return t.restoreHashKey(k, v, tombstone)
	case kindBounds:
		return t.restoring.restoreBounds(k, v, tombstone)
	case kindSegment:
		return t.restoring.restoreSegment(k, value, version)
	case kindWindow, kindDelta, kindSeries, kindSteps, kindSource, kindModel, kindLessons:
		if (kind == kindWindow || kind == kindDelta) == t.windowed() {
			return t.restoreSeries(kind, k, v, version, tombstone)
		}
		t.rest(kind, key, tombstone)
		return nil
	case kindForecast:
		return t.restoreForecast(k, v, tombstone)
	case kindLedger:
		return t.restoring.restoreLedger(k, v, version, tombstone)
	case kindPending:
		return t.restorePending(k, v, tombstone)
	case kindParked:
		return t.restoring.restoreParked(k, v, tombstone)
	case kindDue:
		return t.restoring.restoreDue(k, v, tombstone)
	}
	return errors.New("no restore for this kind")
}

// restoreSeries takes what profiles of this Task's kind know of series.
func (t *Task) restoreSeries(kind byte, k, v *reader, version byte, tombstone bool) error {
	switch kind {
	case kindWindow:
		return t.restoreWindow(k, v, version, tombstone)
	case kindDelta:
		return t.restoreDelta(k, v, tombstone)
	case kindSeries:
		return t.series.restoreWhole(t.restoring.series, k, v, tombstone)
	case kindSteps:
		return t.series.restoreSteps(t.restoring.series, k, v, tombstone)
	case kindSource:
		return t.sources.restore(k, v, version, tombstone)
	case kindModel:
		return t.model.restoreWhole(t.restoring.model, k, v, tombstone)
	case kindLessons:
		return t.model.restoreSteps(t.restoring.model, k, v, tombstone)
	}
	return errors.New("no restore for this kind")
}

func (t *Task) restoreHashKey(k, v *reader, tombstone bool) error {
	if err := k.done(); err != nil || tombstone {
		t.restoring.keyed = false
		return err
	}
	var key [16]byte
	copy(key[:], v.take(len(key)))
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

func (r *restoration) restoreLedger(k, v *reader, version byte, tombstone bool) error {
	if err := k.done(); err != nil || tombstone {
		r.ledger = Ledger{}
		return err
	}
	l := Ledger{In: v.uvarint(), Scored: v.uvarint(), Duplicate: v.uvarint()}
	if version > 1 {
		l.Pending, l.Parked = v.uvarint(), v.uvarint()
	}
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
	for k, d := range r.deltas {
		if err := t.restoredDelta(k, d); err != nil {
			return fmt.Errorf("restore state: window of source %.64q, name %.64q: %w", k.source, k.name, err)
		}
	}
	for k, entries := range r.streams {
		if err := t.restoreStream(k, entries); err != nil {
			return fmt.Errorf("restore state: memory of source %.64q, name %.64q: %w", k.source, k.name, err)
		}
	}
	if err := t.series.restored(r.series); err != nil {
		return fmt.Errorf("restore state: series of %w", err)
	}
	if err := t.model.restored(r.model); err != nil {
		return fmt.Errorf("restore state: model: %w", err)
	}
	t.sources.restored()
	t.cur.ledger, t.cur.notBefore = r.ledger, r.notBefore
	if err := t.restoredQueues(); err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	t.cur.keyed = true
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

package state

import (
	"fmt"
	"slices"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/series"
)

// Task is what one task remembers. One goroutine at a time may use it.
//
// Its life is: New, Restore for each changelog record, Restored; then batches:
// changes, Seal, more changes while the sealed batch is on its way, and Commit
// or Rollback.
type Task struct {
	settings Settings
	shape    shape
	hash     hasher

	// cur is the state in numbers as the open batch sees it, sealed as it
	// was when the sealed batch was closed, committed as it was at the last
	// commit. They are small and are copied, not logged.
	cur, sealed, committed cursor

	ids     idSet
	windows rows[float64]
	memory  rows[forecast]
	// series, sources and model are what profiles without a window keep in its place.
	series  machines[series.Series, seriesStep, *series.Series]
	sources sources
	model   machines[learn.Model, lesson, *learn.Model]
	// resting are the series that the changelog has of profiles of the other kind.
	resting map[string]struct{}
	// pending are the IDs whose signals wait, parked the records that wait behind
	// others, queues what both come to for a series.
	pending journal[hash, pending]
	parked  journal[parkKey, *parkedRecord]
	queues  journal[seriesKey, queue]

	// batch numbers the open batch, so that a Mark of another is noticed.
	batch     uint64
	hasSealed bool
	// sealedLog says how much of the undo logs belongs to the sealed batch.
	sealedLog logLengths

	// written is what Rollback needs to know of the windows the sealed batch
	// wrote.
	written   []written
	restoring *restoration
	out       writer
	// weighed is for Weigh.
	weighed series.Series
	// untaught is the model that has learned nothing.
	untaught learn.Model
}

// cursor is the part of the state that is a handful of numbers.
type cursor struct {
	counted

	// keyed is true once the hash key is in the changelog.
	keyed    bool
	segments segmentCursor
}

// counted is what records change of the cursor beside the segments.
type counted struct {
	ledger Ledger
	// notBefore are the times given last, by tier from 1. Nobody changes the
	// slice: cursors and marks share it.
	notBefore []int64
	// parkedBytes is the size of all parked records.
	parkedBytes int
}

// logLengths are positions in the undo logs.
type logLengths struct{ ids, windows, memory, pending, parked, queues, series, sources, model int }

func (l logLengths) plus(o logLengths) logLengths {
	return logLengths{
		ids: l.ids + o.ids, windows: l.windows + o.windows, memory: l.memory + o.memory,
		pending: l.pending + o.pending, parked: l.parked + o.parked, queues: l.queues + o.queues,
		series: l.series + o.series, sources: l.sources + o.sources, model: l.model + o.model,
	}
}

// New returns an empty task. hashKey must be random: it is used until Restore
// brings the one of the changelog.
func New(s Settings, hashKey [16]byte) (*Task, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("state settings: %w", err)
	}
	t := &Task{
		settings: s,
		shape:    production(),
		hash:     newHasher(hashKey),
		windows:  newRows[float64](s.WindowSize),
		memory:   newRows[forecast](s.MemorySize),
		pending:  newJournal[hash, pending](),
		parked:   newJournal[parkKey, *parkedRecord](),
		queues:   newJournal[seriesKey, queue](),
		series:   newMachines(seriesStepping()),
		sources:  newSources(),
		model:    newMachines(modelStepping()),
		resting:  make(map[string]struct{}),
	}
	t.ids.table.expected = slotsFor(s.DedupeMaxIDs + s.DedupeMaxIDs/bulk)
	return t, nil
}

// Mark is a point within the open batch that Undo can go back to. It is valid
// until the batch is sealed or rolled back; Commit of the sealed batch does
// not end it.
type Mark struct {
	batch uint64
	// at counts from the start of the open batch.
	at logLengths
	// What else there is of the cursor changes when a batch is sealed, which ends the
	// mark.
	counted counted
	brought brought
}

// Mark returns the present point of the open batch.
func (t *Task) Mark() (m Mark) {
	t.MarkAt(&m)
	return m
}

// MarkAt is Mark for who takes one with each record: it writes the bytes
// in place.
func (t *Task) MarkAt(m *Mark) {
	s := &t.sealedLog
	m.batch, m.counted, m.brought = t.batch, t.cur.counted, t.cur.segments.brought
	m.at = logLengths{
		ids: t.ids.puts - s.ids, windows: t.windows.log.n - s.windows, memory: t.memory.log.n - s.memory,
		pending: t.pending.log.n - s.pending, parked: t.parked.log.n - s.parked, queues: t.queues.log.n - s.queues,
		series: t.series.log.n - s.series, sources: t.sources.log.n - s.sources, model: t.model.log.n - s.model,
	}
}

// Undo takes back everything done since m was taken. A mark of another batch
// is a broken invariant and panics.
func (t *Task) Undo(m Mark) {
	if m.batch != t.batch {
		panic("state: undo to a mark of another batch")
	}
	t.undoTo(m.at.plus(t.sealedLog))
	t.cur.counted, t.cur.segments.brought = m.counted, m.brought
}

// Seal closes the open batch: its changes go to emit as changelog records,
// and what follows belongs to a new open batch. A batch without changes emits
// nothing. nowMs is the commit clock; going back in time it stands still. emit
// must copy what it is given; a nil value is a tombstone.
//
// Only one batch can be sealed at a time; a second one panics.
func (t *Task) Seal(nowMs int64, emit func(key, value []byte)) {
	if t.hasSealed {
		panic("state: seal while a sealed batch is still outstanding")
	}
	if t.restoring != nil {
		panic("state: seal before the restore has ended")
	}
	if t.changed() {
		t.writeBatch(nowMs, emit)
	}
	t.hasSealed = true
	t.sealed = t.cur
	t.sealedLog = t.logs()
	t.batch++
}

// Commit makes the sealed batch permanent. Without a sealed batch it panics.
func (t *Task) Commit() {
	if !t.hasSealed {
		panic("state: commit without a sealed batch")
	}
	t.ids.commit(t.sealedLog.ids, &t.sealed.segments)
	t.ids.sweep(t.sealedLog.ids, t.settings.DedupeMaxIDs)
	t.windows.log.forget(t.sealedLog.windows)
	t.written = t.written[:0]
	t.series.forget(t.sealedLog.series, t.batch)
	t.series.committed()
	t.model.forget(t.sealedLog.model, t.batch)
	t.model.committed()
	t.sources.log.forget(t.sealedLog.sources)
	t.memory.log.forget(t.sealedLog.memory)
	t.pending.log.forget(t.sealedLog.pending)
	t.parked.log.forget(t.sealedLog.parked)
	t.queues.log.forget(t.sealedLog.queues)
	t.committed = t.sealed
	t.sealedLog = logLengths{}
	t.hasSealed = false
}

// Rollback takes back the sealed batch, if there is one, and the open one: the
// state is what it was after the last Commit.
func (t *Task) Rollback() {
	t.unwrite()
	t.series.unwrite()
	t.model.unwrite()
	t.undoTo(logLengths{})
	t.ids.resealed = false
	t.cur = t.committed
	t.sealedLog = logLengths{}
	t.hasSealed = false
	t.batch++
}

func (t *Task) logs() logLengths {
	return logLengths{
		ids: t.ids.puts, windows: t.windows.log.n, memory: t.memory.log.n,
		pending: t.pending.log.n, parked: t.parked.log.n, queues: t.queues.log.n,
		series: t.series.log.n, sources: t.sources.log.n, model: t.model.log.n,
	}
}

func (t *Task) undoTo(l logLengths) {
	t.ids.undo(l.ids)
	t.windows.undo(l.windows)
	t.memory.undo(l.memory)
	t.pending.undo(l.pending)
	t.parked.undo(l.parked)
	t.queues.undo(l.queues)
	t.series.undo(l.series, t.sealedLog.series, t.batch)
	t.sources.undo(l.sources)
	t.model.undo(l.model, t.sealedLog.model, t.batch)
}

// changed is asked when nothing is sealed: the logs are the open batch's.
func (t *Task) changed() bool {
	return t.logs() != logLengths{} || !t.cur.ledger.equal(t.committed.ledger) || !slices.Equal(t.cur.notBefore, t.committed.notBefore)
}

func (t *Task) writeBatch(nowMs int64, emit func(key, value []byte)) {
	w := &t.out
	w.emit = emit
	defer func() { w.emit = nil }()
	if !t.cur.keyed {
		w.hashKey(t.hash.key)
		t.cur.keyed = true
	}
	t.cur.segments.tick(nowMs)
	t.sealSegments(w)
	t.writeWindows(w)
	t.series.write(w)
	t.sources.write(w)
	t.model.write(w)
	t.memory.changed(func(r *row[forecast], added int) { w.forecasts(r, added) })
	t.pending.changed(w.pending)
	t.parked.changed(w.parked)
	w.notBefore(t.committed.notBefore, t.cur.notBefore)
	if !t.cur.ledger.equal(t.committed.ledger) {
		w.ledger(&t.cur.ledger)
	}
}

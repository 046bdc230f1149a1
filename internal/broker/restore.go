package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// parallelRestores is how many tasks are restored at once. More would only
// share the same connection and cores.
const parallelRestores = 4

// restored is the end of a restore.
type restored struct {
	task *task
	path Task
	// offset is the group's, base where reading goes on, by tier.
	offset, base offsets
	last         ownerRecord
	// void: what the state topic holds was written with another one.
	void bool
	// next is the offset in the state topic up to which path holds it.
	next int64
	err  error
}

// onClaimed begins step 5 for the tasks that have become ours.
func (e *Engine) onClaimed(c claim) {
	if e.claiming != c.by {
		return // a newer takeover claims them again; claiming twice is harmless
	}
	for _, t := range c.by.tasks {
		if e.tasks[t.id] != t {
			continue
		}
		t.phase, t.ids = phaseRestoring, c.by.topics
		t.progress = &progress{task: t.id, began: e.deps.Now()}
		for s := range t.each() {
			s.begin(c.offsets[t.id].at(s.tier), c.offsets[t.id].at(s.tier)) // for its lag; the restore may know better
		}
		r := &restore{
			engine: e, by: c.by, task: t, ids: t.ids, offset: c.offsets[t.id], end: c.ends[t.id],
			warm: e.takeWarm(t.id), progress: t.progress,
		}
		e.group.Go(func() error {
			r.run()
			return nil
		})
	}
}

// restore reads the state of one task, in its own goroutine.
type restore struct {
	engine *Engine
	by     *takeover
	task   *task
	ids    topicIDs
	offset offsets // the group's
	end    int64   // offset of our owner record in the state

	warm     *warmState // nil when there is none
	progress *progress

	base    offsets // where reading goes on
	path    Task
	last    ownerRecord
	void    bool
	next    int64
	records int
}

func (r *restore) run() {
	e, ctx := r.engine, r.task.ctx
	select {
	case e.restores <- struct{}{}:
		defer func() { <-e.restores }()
	case <-ctx.Done():
		return
	}
	start := e.deps.Now()
	err := r.restore(ctx)
	if err == nil {
		err = r.compare(ctx)
	}
	if ctx.Err() != nil {
		return // released meanwhile
	}
	took := e.deps.Now().Sub(start)
	if err == nil {
		e.metrics.restores.Observe(took.Seconds())
		e.log.Info("state restored", slog.Int("task", int(r.task.id)), slog.Int("records", r.records),
			slog.Bool("warm", r.warm != nil), slog.Duration("took", took), slog.Any("offset", r.base))
	}
	select {
	case e.restored <- restored{
		task: r.task, path: r.path, offset: r.offset, base: r.base, last: r.last, void: r.void, next: r.next, err: err,
	}:
	case <-ctx.Done():
	}
}

// restore continues a kept state, or else reads the whole.
func (r *restore) restore(ctx context.Context) error {
	e := r.engine
	if r.warm != nil {
		err := r.continueWarm(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		// Whatever is wrong with it, the log tells the truth.
		e.log.Info("the state that was kept is not used, the whole is read", slog.Int("task", int(r.task.id)), slog.Any("err", err))
		r.warm = nil
	}
	r.path, r.last, r.records = e.deps.NewTask(r.task.id), ownerRecord{}, 0
	return r.read(ctx, -1)
}

// continueWarm reads what was written since the task was given away.
func (r *restore) continueWarm(ctx context.Context) error {
	if err := r.warm.check(ctx, r.engine, r.ids.State); err != nil {
		return err
	}
	if r.warm.next > r.end {
		return fmt.Errorf("%w: it is as of offset %d, and our own record came to offset %d", errNotWarm, r.warm.next, r.end)
	}
	r.path, r.last = r.warm.path, r.warm.last
	return r.read(ctx, r.warm.next)
}

// read applies the state partition from an offset on (−1: from its start) until
// the next offset has passed our owner record. Only our record's place counts: a
// high watermark that a fetch reports may be older than what was acknowledged
// before.
func (r *restore) read(ctx context.Context, next int64) error {
	e := r.engine
	r.progress.end.Store(r.end + 1)
	r.progress.from.Store(max(0, next))
	lastProgress := e.deps.Now()
	for pause := newBackoff(); next <= r.end; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at, err := r.step(ctx, next)
		switch {
		case errors.Is(err, ErrFatal), errors.Is(err, errNotWarm):
			return err
		case final(err):
			return fatalf("state of task %d: %w", r.task.id, err)
		case errors.Is(err, wire.OffsetOutOfRange):
			// Its start was deleted while we read: begin again.
			if next = -1; guardRestoreAnew {
				r.path, r.last = e.deps.NewTask(r.task.id), ownerRecord{}
			}
			pause.wait(ctx)
		case err != nil:
			e.log.Warn("restore: trying again", slog.Int("task", int(r.task.id)), slog.Any("err", err))
			e.cluster.refresh()
			pause.wait(ctx)
		case at > next:
			r.advance(next, at)
			next, lastProgress, pause = at, e.deps.Now(), newBackoff()
		}
		if e.deps.Now().Sub(lastProgress) > unstablePatience {
			lastProgress = e.deps.Now()
			err := r.by.repairTask(ctx, r.task.id)
			switch {
			case errors.Is(err, ErrFatal):
				return err
			case final(err):
				return fatalf("whoever holds back the state of task %d: %w", r.task.id, err)
			case err != nil:
				e.log.Warn("restore: fencing whoever holds the state back", slog.Any("err", err))
			}
		}
	}
	r.next = next
	if another(r.last.Topics.State, r.ids.State) {
		// A worker went on writing when the topic had been made again. What it
		// knew is not all in there, and what is cannot be relied on.
		r.path, r.void = e.deps.NewTask(r.task.id), true
		e.stateLost(r.task.id, "the state topic was deleted and made again under a worker that had the task")
	}
	if err := r.path.Restored(); err != nil {
		return fatalf("state of task %d: %w", r.task.id, err)
	}
	return nil
}

// advance notes how far it has come.
func (r *restore) advance(from, to int64) {
	if from < 0 {
		r.progress.from.Store(to)
	}
	r.progress.at.Store(to)
	r.progress.records.Store(int64(r.records))
}

// step reads what one fetch gives and returns the next offset. next is −1 at
// the beginning.
func (r *restore) step(ctx context.Context, next int64) (int64, error) {
	e := r.engine
	if next < 0 {
		return e.cluster.logStart(ctx, e.set.Topics.State, r.task.id)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	got, err := e.cluster.fetchOne(ctx, e.set.Topics.State, r.ids.State, r.task.id, next, readCommitted)
	if errors.Is(err, wire.OffsetOutOfRange) && r.warm != nil {
		err = fmt.Errorf("%w: offset %d: %w", errNotWarm, next, err)
	}
	if err != nil {
		return next, err
	}
	err = eachCommitted(got, next, func(rec *batch.Record) error {
		r.records++
		return r.apply(rec)
	}, &next)
	if !guardOwnRecord && err == nil && next >= got.stable {
		return r.end + 1, nil
	}
	return next, err
}

// apply takes one record of the changelog.
func (r *restore) apply(rec *batch.Record) error {
	if len(rec.Key) > 0 && rec.Key[0] == engineKeys {
		return r.applyOwn(rec)
	}
	if err := r.path.Restore(rec.Key, rec.Value); err != nil {
		return fatalf("state of task %d at offset %d: %w", r.task.id, rec.Offset, err)
	}
	return nil
}

// applyOwn takes one of the engine's own records.
func (r *restore) applyOwn(rec *batch.Record) error {
	switch {
	case string(rec.Key) == resetKey && r.warm != nil:
		return fmt.Errorf("%w: somebody has begun it anew", errNotWarm)
	case string(rec.Key) == resetKey:
		r.path = r.engine.deps.NewTask(r.task.id)
		return nil
	case string(rec.Key) != ownerKey || rec.Value == nil:
		return nil
	}
	o, err := decodeOwner(rec.Value)
	if err != nil {
		return fatalf("state of task %d at offset %d: %w", r.task.id, rec.Offset, err)
	}
	if r.warm != nil {
		if err := r.last.followedBy(o); err != nil {
			return err
		}
	}
	r.last = o
	return nil
}

// onRestored sets a task to work.
func (e *Engine) onRestored(r restored) error {
	t := r.task
	if e.tasks[t.id] != t {
		return nil // released meanwhile
	}
	if r.err != nil {
		return r.err
	}
	t.phase, t.progress = phaseRunning, nil
	t.sequence = r.last.Sequence
	t.stateNext, t.written = r.next, r.last
	if r.void {
		t.stateNext = -1 // until it has written that it began anew
	}
	for s := range t.each() {
		s.begin(r.offset.at(s.tier), r.base.at(s.tier))
	}
	t.rewind()
	t.freeSince = e.deps.Now()
	for s := range t.each() {
		if s.base != s.committed {
			// Should nothing come any more, the offset moves all the same.
			t.move(s, s.base)
			t.open.since = e.deps.Now()
		}
	}
	w := e.newWorker(t, r.path)
	w.reset = r.void
	e.startWorker(w)
	e.health.assigned(true, e.restoring())
	return nil
}

// eachCommitted calls do for every committed record from offset from on, and
// moves next past everything that was read.
func eachCommitted(p fetchedPartition, from int64, do func(*batch.Record) error, next *int64) error {
	aborted := abortedTransactions{pending: p.aborted}
	cursor := batch.NewCursor(batch.Limits{Inflate: stateInflate, Part: stateInflate})
	var inflate []byte
	for set := p.set; ; {
		b, rest, err := batch.Next(set)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
		set = rest
		switch {
		case b.Control():
			err = aborted.marker(&b)
		case aborted.covers(&b):
		default:
			if inflate, err = cursor.Reset(b, inflate); err == nil {
				err = eachRecord(cursor, from, do)
			}
		}
		if err != nil {
			return err
		}
		*next = max(*next, b.LastOffset+1)
	}
}

// stateInflate is far over what a batch of the state topic can inflate to.
const stateInflate = 64 << 20

func eachRecord(c *batch.Cursor, from int64, do func(*batch.Record) error) error {
	var rec batch.Record
	for c.Next(&rec) {
		if rec.Withheld != nil {
			return fmt.Errorf("record at offset %d is too large for a state record", rec.Offset)
		}
		if rec.Offset < from {
			continue
		}
		if err := do(&rec); err != nil {
			return err
		}
	}
	return c.Err()
}

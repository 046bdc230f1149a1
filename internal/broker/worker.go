package broker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// worker runs the record path of one task. Everything in it belongs to its
// goroutine, which executes the loop's orders one after the other.
type worker struct {
	task    *task
	path    Task
	out     *output
	cursor  *batch.Cursor
	headers batch.HeaderParser
	// upcoming are the records read of the batch at the cursor.
	upcoming upcoming
	inflate  []byte
	topics   Topology
	now      func() time.Time
	// lateness is told how late records of tiers are processed, in seconds.
	lateness func(seconds float64)
	// before is when the last record of each tier was due.
	before map[int]time.Time
	limit  int // output bytes after which a chunk is left for later
	// refused is kept here because it decides how a record is processed.
	refused map[place]pipeline.Destination
	// reset goes before the first state that is written: what the topic holds
	// is void.
	reset bool
	// held: the record path waits for external enrichers.
	held bool
	// sent are the batches of the transaction under way.
	sent     []outBatch
	sentNext offsets
}

// reply is what a worker answers to an order that changes the batch.
type reply struct {
	task  *task
	kind  orderKind
	chunk *chunk
	// finished is true when nothing of the chunk is left.
	finished bool
	next     int64
	// stop ends the work on the chunk for now: at a record that is not due before
	// due, or because the record path is held.
	stop bool
	due  time.Time
	// held: the record path waits for external enrichers; full: with as many records
	// as may.
	held, full bool
	// crowded: a record of the input was not taken, because as many wait as may.
	crowded  bool
	records  int
	oldestMs int64
	bytes    int
	batches  []outBatch
	err      error
	// path goes with orderStop: the state as of the last commit, handed over.
	path Task
}

// run executes orders until it is told to stop, or the engine ends.
func (w *worker) run(replies chan<- reply) {
	defer w.task.stop()
	if !w.work(replies) {
		return
	}
	w.path.Rollback()
	select {
	case replies <- reply{task: w.task, kind: orderStop, path: w.path}:
	case <-w.task.ctx.Done():
	}
}

// workerPatience is how long the engine's end waits for a worker to come back from
// the record path.
const workerPatience = 2 * time.Second

// startWorker runs a worker, which is waited for unless it is abandoned. One that
// hangs does not keep the process from ending.
func (e *Engine) startWorker(w *worker) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.run(e.replies)
	}()
	e.group.Go(func() error {
		select {
		case <-ended:
		case <-w.task.abandoned:
		case <-e.work.Done():
			select {
			case <-ended:
			case <-time.After(workerPatience):
				e.log.Error("a task does not come back from its record path; it is left behind", slog.Int("task", int(w.task.id)))
			}
		}
		return nil
	})
}

// work is true when it was told to stop.
func (w *worker) work(replies chan<- reply) (told bool) {
	w.path.Open()
	defer w.path.Close()
	for {
		select {
		case <-w.task.ctx.Done():
			return false
		case o := <-w.task.orders:
			if o.kind == orderStop {
				return true
			}
			r, answer := w.execute(o)
			if !answer {
				continue
			}
			select {
			case replies <- r:
			case <-w.task.ctx.Done():
				return false
			}
		}
	}
}

func (w *worker) execute(o order) (r reply, answer bool) {
	r = reply{task: w.task, kind: o.kind, chunk: o.chunk}
	w.out.nowMs = w.now().UnixMilli()
	switch o.kind {
	case orderProcess:
		w.process(o.chunk, &r, o.freeSince)
		w.finish(&r)
		r.bytes = w.out.size()
		return r, true
	case orderFinish:
		w.finish(&r)
		r.bytes = w.out.size()
		return r, true
	case orderSeal:
		if w.reset {
			w.out.Append(pipeline.State, []byte(resetKey), []byte(resetValue), nil)
		}
		w.path.Seal(o.nowMs, w.out)
		w.out.Append(pipeline.State, []byte(ownerKey), o.owner.encode(), nil)
		r.batches = w.out.take()
		w.sent, w.sentNext = r.batches, o.next
		return r, true
	case orderCommit:
		w.path.Commit()
		w.reset = false
		if o.answered || !guardRecycle {
			w.out.recycle(w.sent)
		}
		w.sent = nil
		maps.DeleteFunc(w.refused, func(at place, _ pipeline.Destination) bool { return at.offset < w.sentNext.at(at.tier) })
	case orderStop:
	case orderRollback:
		w.path.Rollback()
		w.out.drop()
		w.sent, w.held = nil, false
		clear(w.before)
		w.learnRefusal(o.refused)
	}
	return r, false
}

// learnRefusal makes the next attempt differ: a single record that was too
// large is passed on in another form; a batch of several is made smaller.
func (w *worker) learnRefusal(r *refusal) {
	switch {
	case r == nil:
	case r.alone:
		w.refused[r.origin] = r.to
	default:
		// Down to batches of one record: there is always a smaller one.
		w.out.limit[r.to] = min(w.out.limit[r.to], r.size) / 2
	}
}

// finish ends what waits for external enrichers, so that what was computed may be
// sealed; and what was parked behind a record that has its outcome goes on. While the
// record path is held, nothing may be sealed.
func (w *worker) finish(r *reply) {
	w.held = w.path.Finish(w.task.ctx, w.out) != pipeline.Taken
	r.held = w.held
}

// process works through a chunk until it is used up or enough is computed.
func (w *worker) process(c *chunk, r *reply, freeSince time.Time) {
	set := c.rest
	r.next = c.next
	defer w.upcoming.forget()
	for {
		b, rest, err := batch.Next(set)
		if errors.Is(err, io.EOF) {
			r.finished = true
			return
		}
		if err != nil {
			r.err = fmt.Errorf("fetched records: %w", err)
			return
		}
		if b.LastOffset >= r.next {
			if !w.processBatch(b, c, r, freeSince) {
				return
			}
			r.next = max(r.next, b.LastOffset+1)
		}
		set, c.rest, c.next = rest, rest, r.next
		if w.out.size() >= w.limit {
			r.finished = len(rest) == 0
			return
		}
	}
}

// processBatch takes the records of one batch; false means that it stopped in
// the middle, or with r.err.
func (w *worker) processBatch(b batch.Batch, c *chunk, r *reply, freeSince time.Time) bool {
	if b.Control() {
		if err := c.aborted.marker(&b); err != nil {
			r.err = fmt.Errorf("fetched records: %w", err)
			return false
		}
		return true
	}
	if c.aborted.covers(&b) {
		return true
	}
	var err error
	if w.inflate, err = w.cursor.Reset(b, w.inflate); err != nil {
		r.err = fmt.Errorf("fetched records: %w", err)
		return false
	}
	w.upcoming.reset()
	for {
		in, err := w.nextRecord(c.tier, r.next)
		if err != nil {
			r.err = err
			return false
		}
		if in == nil {
			return true
		}
		w.processRecord(in, r, freeSince)
		if r.stop {
			c.next = r.next
			return false
		}
		if w.out.size() >= w.limit {
			// The rest of this batch is read again later: chunk.next says
			// from where.
			c.next = r.next
			return r.next > b.LastOffset
		}
	}
}

func (w *worker) processRecord(in *pipeline.Record, r *reply, freeSince time.Time) {
	if in.Tier > 0 && !w.due(in, r, freeSince) {
		return
	}
	w.out.origin = place{in.Tier, in.Offset}
	switch w.path.Process(in, w.out) {
	case pipeline.Taken:
	case pipeline.Full:
		before := w.held
		w.finish(r)
		r.full = before && r.held
		r.stop = true // what has its outcome need not wait for the rest
	case pipeline.HoldInput, pipeline.HoldAll:
		r.stop, r.due, r.crowded = true, w.now().Add(crowdedPause), true
		return
	}
	if r.records == 0 {
		r.oldestMs = in.TimestampMs
	}
	w.out.keeps()
	r.records++
	r.next = in.Offset + 1
}

// due tells whether a record of a tier may be processed, and stops at one that may
// not be yet. One that does not say when it is due, is: somebody else wrote it.
// Lateness counts from when it was appended, or the time of the record before it, if that
// is later: what was sent back from the dead letters was due long ago, and waits behind
// those that are not.
func (w *worker) due(in *pipeline.Record, r *reply, freeSince time.Time) bool {
	tier := in.Tier
	notBefore, ok := pipeline.NotBefore(in.Headers)
	if !ok || !guardNotBefore {
		return true
	}
	now := w.now()
	if now.Before(notBefore) {
		r.stop, r.due = true, notBefore
		return false
	}
	if w.before[tier].After(notBefore) {
		notBefore = w.before[tier]
	}
	w.before[tier] = notBefore
	if freeSince.After(notBefore) {
		notBefore = freeSince
	}
	if appended := time.UnixMilli(in.TimestampMs); appended.After(notBefore) {
		notBefore = appended
	}
	w.lateness(max(0, now.Sub(notBefore).Seconds()))
	return true
}

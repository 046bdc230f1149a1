package broker

import (
	"log/slog"
	"time"
)

// idleCommit is how long input that holds nothing to score (markers, aborted
// records) waits before its offsets are committed alone, so that lag becomes 0
// and a restart does not read it again.
const idleCommit = time.Second

// begin starts the next transaction when it is due. At low load that is at
// once; under load batches grow until the oldest record has waited for the
// commit interval or enough is computed, because a transaction costs the same
// whatever is in it. Tasks that are not ready are not waited for.
func (e *Engine) begin(now time.Time) {
	if e.txn != nil {
		return
	}
	ready, due := e.computed(now)
	switch {
	case len(ready) == 0 || !due:
	case now.Before(e.markers.written):
		e.wakeBy(e.markers.written, now)
	default:
		e.seal(ready, now)
	}
}

// computed are the tasks whose batches a transaction that begins now would hold, and
// whether one is due.
func (e *Engine) computed(now time.Time) (ready []*task, due bool) {
	due = e.draining
	busy := false
	for _, t := range e.tasks {
		if !t.mayBeSealed() {
			continue
		}
		busy = busy || t.working || t.couldProcess(now)
		if t.working || t.open.next == nil {
			continue
		}
		age := now.Sub(t.open.since)
		switch {
		case t.open.records > 0:
			due = due || e.enough(t.open, age)
			ready = append(ready, t)
		case age >= idleCommit:
			due = true
			ready = append(ready, t)
		}
	}
	return ready, due || !busy || e.openBytes() >= e.set.MaxInflightBytes/4
}

// mayBeSealed: not while its record path waits for external enrichers.
func (t *task) mayBeSealed() bool { return t.ready() && !t.held }

// enough is true for a batch that a transaction should begin for, even while
// more is computed.
func (e *Engine) enough(b openBatch, age time.Duration) bool {
	return age >= e.set.CommitInterval || b.bytes >= e.set.chunkBytes()
}

// seal has the batches of tasks closed; what they compute from now on belongs
// to the next transaction.
func (e *Engine) seal(ready []*task, now time.Time) {
	e.txn = &transaction{done: e.outcomes, sealing: make(map[int32]*part), started: now}
	g := e.current
	for _, t := range ready {
		t.sequence++
		p := &part{task: t.id, since: t.since, worker: t, before: t.committedOffsets(), next: t.open.next, records: t.open.records, stateEnd: -1}
		e.txn.parts = append(e.txn.parts, p)
		e.txn.sealing[t.id] = p
		t.sealedOldest = t.open.oldestMs
		t.open = openBatch{}
		t.order(order{
			kind: orderSeal, nowMs: now.UnixMilli(), next: p.next,
			owner: ownerRecord{Owner: g.txnID, Sequence: t.sequence, Next: e.set.Topics.nextOf(p), Topics: t.ids},
		})
	}
}

// onReply takes what a worker has done.
func (e *Engine) onReply(r reply) {
	t := r.task
	t.working, t.processing = false, nil
	switch r.kind {
	case orderProcess:
		e.onProcessed(r)
	case orderFinish:
		e.onComputed(r)
	case orderSeal:
		if e.txn == nil || e.txn.sealing[t.id] == nil || e.txn.sealing[t.id].worker != t {
			return // dropped from the transaction meanwhile
		}
		p := e.txn.sealing[t.id]
		p.batches = r.batches
		e.txn.bytes += undoBytes * p.records
		for _, b := range r.batches {
			e.txn.bytes += len(b.bytes)
		}
		delete(e.txn.sealing, t.id)
		e.submit()
	case orderStop:
		e.keepWarm(t, r.path)
	case orderCommit, orderRollback:
	}
}

// onProcessed takes what has become of a chunk, and adds what was computed to the
// open batch.
func (e *Engine) onProcessed(r reply) {
	t := r.task
	s := t.of(r.chunk.tier)
	if len(s.queue) == 0 || s.queue[0] != r.chunk {
		r.chunk.buf.release() // rewound meanwhile: the worker has been told to roll back
		return
	}
	now := e.deps.Now()
	if s.tier == 0 {
		t.crowded = r.crowded
	}
	switch {
	case r.err != nil:
		e.log.Error("fetched records cannot be read; they are fetched again and the partition waits for them",
			slog.String("topic", e.set.Topics.source(s.tier)), slog.Int("partition", int(t.id)),
			slog.Int64("offset", r.next), slog.Any("err", r.err))
		s.dropQueue(nil)
		s.position = r.next
		e.pauseFetch(t, s)
	case r.finished:
		s.queue = s.queue[1:]
		s.queued -= r.chunk.bytes
		r.chunk.buf.release()
	case !r.due.IsZero():
		s.notDue(r.due, now, r.next)
	}
	if r.next > s.taken || t.open.next.at(s.tier) >= 0 || r.records > 0 {
		if t.open.next == nil {
			t.open.since = now
		}
		t.move(s, r.next)
	}
	e.onComputed(r)
}

// onComputed adds what was computed to the open batch.
func (e *Engine) onComputed(r reply) {
	t := r.task
	now := e.deps.Now()
	t.hold(r.held, r.full, now)
	if t.open.next == nil {
		return
	}
	if t.open.records == 0 && r.records > 0 {
		t.open.oldestMs = r.oldestMs
		t.open.since = now
	}
	t.open.records += r.records
	t.open.bytes = r.bytes
	t.movedAt = now
	if r.records > 0 || !r.held {
		e.health.progress()
	}
}

// pauseFetch leaves the leader of a source alone for a moment.
func (e *Engine) pauseFetch(t *task, s *source) {
	if leader, err := e.cluster.leader(e.set.Topics.source(s.tier), t.id); err == nil && e.fetchers[leader] != nil {
		e.fetchers[leader].resume = e.deps.Now().Add(faultPause)
	}
}

// submit hands the transaction to the committer when all its batches are
// closed.
func (e *Engine) submit() {
	if len(e.txn.sealing) > 0 {
		return
	}
	if len(e.txn.parts) == 0 {
		e.txn = nil
		return
	}
	tx := e.txn
	e.group.Go(func() error {
		select {
		case e.committer.requests <- tx:
		case <-e.work.Done():
		}
		return nil
	})
}

// onOutcome merges or takes back what a transaction held.
func (e *Engine) onOutcome(tx *transaction) error {
	e.txn = nil
	if tx.answered {
		e.markers.ended(tx.ended, tx.markers)
	}
	for _, p := range tx.parts {
		t := p.worker
		mine := e.tasks[t.id] == t
		switch p.verdict {
		case committed:
			t.committedTo(p.next)
			e.done.total += int64(p.records)
			t.holdsState(p, tx.answered, e.set.Topics)
			t.order(order{kind: orderCommit, answered: tx.answered})
			t.movedAt = e.deps.Now()
			e.health.progress()
		case rolledBack:
			e.rollBack(t, p)
		case unclear, unsettled, undecided:
			t.order(order{kind: orderRollback})
			t.cold = true
			if mine {
				e.log.Warn("taking the task anew", slog.Int("task", int(t.id)), slog.String("transaction", p.verdict.String()))
				e.drop(t, "restore")
				e.tasks[t.id] = e.newTask(t.id)
				e.health.assigned(true, e.restoring())
			}
		}
		if !mine {
			t.order(order{kind: orderStop})
		}
	}
	if tx.err != nil {
		return tx.err
	}
	e.reclaim()
	return nil
}

// committedOffsets are the group's.
func (t *task) committedOffsets() offsets {
	o := make(offsets, 0, len(t.tiers)+1)
	for s := range t.each() {
		o = append(o, s.committed)
	}
	return o
}

// committedTo notes that the group has moved.
func (t *task) committedTo(next offsets) {
	for s := range t.each() {
		if to := next.at(s.tier); to >= 0 {
			s.begin(to, to)
		}
	}
	t.sealedOldest = 0
}

// holdsState notes up to where a task's state holds its topic, after a part of it
// has committed. Where an offset had to tell that it has, nothing is noted: while
// the question was out, somebody else may have had the task and committed the same
// offset with another state.
func (t *task) holdsState(p *part, answered bool, topics Topology) {
	t.stateNext = -1
	t.written = ownerRecord{Sequence: t.sequence, Next: topics.nextOf(p), Topics: t.ids}
	if answered && p.stateEnd >= 0 {
		t.stateNext = p.stateEnd + 1
	}
}

// rollBack makes a task compute its batch again.
func (e *Engine) rollBack(t *task, p *part) {
	t.order(order{kind: orderRollback, refused: p.refused})
	t.sequence--
	t.hold(false, false, e.deps.Now())
	t.rewind()
}

// reclaim takes tasks that were given up to be restored.
func (e *Engine) reclaim() {
	if e.current == nil || e.draining {
		return
	}
	var again []int32
	started := false
	for _, id := range e.current.tasks {
		if t := e.tasks[id]; t != nil && t.phase == phaseClaiming {
			again = append(again, id)
			started = started || !t.claimStarted
		}
	}
	if started {
		e.startTakeover(e.current, again)
	}
}

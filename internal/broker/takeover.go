package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/pipeline"
)

// A task is taken in this order, and no step may move before another:
//
//  1. find the transactional IDs of everybody who may have written to it,
//  2. fence each, and whoever had our own ID before us: InitProducerID until it
//     answers 0. After that no transaction of theirs can commit,
//  3. fetch the group's stable offsets,
//  4. one transaction of our own: our owner record on the state partition,
//     acknowledged, then the unchanged (or initial) offsets under the current
//     generation. From here on the task is ours,
//  5. read the state partition, read_committed, until the next offset has
//     passed our owner record. What a former owner committed is in it; what it
//     had not committed by step 2 can never come.
//
// The suite holds it on a real broker: CrashInATransaction_LosesAndDoublesNothing
// with a dead former owner, Takeover_FromALivingMemberIsOneOrTheOther with one
// that commits while its task is being taken.

// takeover claims the tasks gained with one generation: steps 1 to 4. It has
// its own goroutine; the tasks are in phaseClaiming meanwhile. The loop goes on
// with step 5 (restore.go).
type takeover struct {
	engine *Engine
	gen    *generation
	tasks  []*task
	// topics are those it found, fresh the tasks whose state holds nothing
	// yet. Both belong to its goroutine until the claim is handed over.
	topics topicIDs
	fresh  map[int32]bool
	// last are the last owner records of tasks whose offsets the group has lost.
	last map[int32]ownerRecord
	// said are the tasks whose alarms need no repetition.
	said map[int32]bool
	// former are the owners it has fenced, by their transactional IDs; ends is how
	// their last transactions have ended.
	former map[string]former
	ends   map[string]ended
}

// former is an owner that was fenced: its producer is ours now, and how its last
// transaction has ended is known.
type former struct {
	producer producerID
	ended    ended
}

// claim is what a takeover hands to the loop: the tasks are ours.
type claim struct {
	by *takeover
	// offsets are where each task goes on, by tier, ends the offsets of our owner
	// records in the state topic.
	offsets map[int32]offsets
	ends    map[int32]int64
}

// unstablePatience is how long step 3 and step 5 wait for somebody else's open
// transaction before they fence its owner although it is a living member: it
// hangs, or it would have ended by now.
const unstablePatience = 2 * time.Second

// startTakeover begins to claim tasks. A takeover that is under way ends: its
// tasks that are still ours are among the gained, and are claimed again with
// what the new generation says about who is gone.
func (e *Engine) startTakeover(g *generation, gained []int32) {
	e.stopClaim(errNewGeneration)
	ctx, cancel := context.WithCancelCause(e.work)
	e.stopClaim = cancel
	to := &takeover{
		engine: e, gen: g, said: make(map[int32]bool), last: make(map[int32]ownerRecord),
		former: make(map[string]former), ends: make(map[string]ended),
	}
	for _, id := range gained {
		e.tasks[id].claimStarted = true
		to.tasks = append(to.tasks, e.tasks[id])
	}
	e.claiming = to
	if len(gained) == 0 {
		return
	}
	e.group.Go(func() error {
		return to.run(ctx)
	})
}

var errNewGeneration = errors.New("the group has a new generation")

// run claims until it succeeds. It returns an error only for what needs a
// person.
func (to *takeover) run(ctx context.Context) error {
	e := to.engine
	began := e.deps.Now()
	for pause := newBackoff(); ; {
		start, ends, err := to.claim(ctx)
		if err == nil {
			select {
			case e.claimed <- claim{to, start, ends}:
			case <-ctx.Done():
			}
			return nil
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // a newer takeover, or the end, makes this one's fault void
		case errors.Is(err, ErrFatal):
			return err
		case final(err):
			return fatalf("tasks %v cannot be taken: %w", to.ids(), err)
		}
		e.log.Log(ctx, e.level(began), "tasks cannot be taken yet, trying again", slog.Any("tasks", to.ids()), slog.Any("err", err))
		e.cluster.refresh()
		pause.wait(ctx)
	}
}

// claim is steps 1 to 4. It returns the offsets to start at, and the offsets of
// our owner records.
func (to *takeover) claim(ctx context.Context) (start map[int32]offsets, ends map[int32]int64, err error) {
	// First of all: if a topic is made again after this, fetches by these IDs
	// fail, and the tasks are taken anew.
	if to.topics, err = to.engine.cluster.topicIDsNow(ctx); err != nil {
		return nil, nil, err
	}
	if start, err = to.offsetsOfTheFenced(ctx); err != nil {
		return nil, nil, err
	}
	tx := &transaction{}
	for _, t := range to.tasks {
		tx.parts = append(tx.parts, to.ownerPart(t, start[t.id]))
	}
	if err := to.execute(ctx, tx); err != nil {
		return nil, nil, err
	}
	ends = make(map[int32]int64)
	for _, p := range tx.parts {
		if p.verdict != committed || p.stateEnd < 0 {
			return nil, nil, fmt.Errorf("owner record of task %d: transaction %s", p.task, p.verdict)
		}
		ends[p.task] = p.stateEnd
	}
	return start, ends, nil
}

// offsetsOfTheFenced is steps 1 to 3.
func (to *takeover) offsetsOfTheFenced(ctx context.Context) (map[int32]offsets, error) {
	if err := to.engine.beginRepair(ctx); err != nil {
		return nil, err
	}
	defer to.engine.endRepair()
	if err := to.fenceFormerOwners(ctx); err != nil {
		return nil, err
	}
	start, err := to.stableOffsets(ctx)
	if err != nil {
		return nil, fmt.Errorf("stable offsets: %w", err)
	}
	return start, nil
}

// execute has the committer run a transaction and waits for its outcome.
func (to *takeover) execute(ctx context.Context, tx *transaction) error {
	done := make(chan *transaction, 1)
	tx.done, tx.void = done, ctx.Done()
	select {
	case to.engine.committer.requests <- tx:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return tx.err
	case <-to.engine.work.Done():
		return context.Cause(to.engine.work)
	}
}

// fenceFormerOwners is steps 1 and 2. Former owners are the one that the last
// committed offset names, those with an owner record above the last stable
// offset of the state, and those that have gone since the last assignment.
func (to *takeover) fenceFormerOwners(ctx context.Context) error {
	e := to.engine
	if err := to.execute(ctx, &transaction{producerOnly: guardFenceOwn, tasks: to.ids()}); err != nil {
		return fmt.Errorf("own transactional ID: %w", err)
	}
	ids := slices.Clone(to.gen.gone)
	last, err := e.cluster.offsets(ctx, to.ids(), false)
	if err != nil {
		return fmt.Errorf("last committed owners: %w", err)
	}
	ids = append(ids, committers(last, e.set.Group)...)
	for _, t := range to.tasks {
		open, err := e.cluster.openOwners(ctx, t.id)
		if err != nil {
			return fmt.Errorf("owner records of task %d: %w", t.id, err)
		}
		ids = append(ids, open...)
	}
	if !guardFenceDead {
		return nil
	}
	// Those that this takeover has fenced are dead and stay so. To fence them at each
	// try could abort what another heir of theirs is ending (leftovers.go).
	return to.fence(ctx, missing(ids, append(slices.Collect(maps.Keys(to.former)), to.gen.present...)))
}

// committers are the transactional IDs that committed offsets name. Metadata of
// another form is not ours: to initialise it as an ID would not be allowed, or
// would make one.
func committers(last map[int32]groupOffsets, group string) []string {
	var ids []string
	for _, task := range last {
		for _, o := range task {
			if ours(o.metadata, group) {
				ids = append(ids, o.metadata)
			}
		}
	}
	return ids
}

// ours tells whether an offset's metadata names a member of the group.
func ours(metadata, group string) bool { return strings.HasPrefix(metadata, group+"-") }

// fence makes sure that no transaction of these IDs can commit any more.
func (to *takeover) fence(ctx context.Context, ids []string) error {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		start := to.engine.deps.Now()
		producer, last, err := to.engine.cluster.fence(ctx, id, to.engine.set.TransactionTimeout)
		if before := to.ends[id]; before != endUnknown {
			last = before // fenced before: what it has had since was nothing but an end of this
		}
		to.ends[id] = last // it may have been fenced although the answer is lost
		if err != nil {
			return fmt.Errorf("fence %s: %w", id, err)
		}
		to.former[id] = former{producer, last}
		to.engine.metrics.fenced.Inc()
		to.engine.log.Info("fenced a former owner", slog.String("transactional_id", id),
			slog.Duration("took", to.engine.deps.Now().Sub(start)))
	}
	return nil
}

// stableOffsets is step 3. While a transaction of somebody else holds an
// offset, the broker does not tell; after a while its owner is fenced, member
// or not.
func (to *takeover) stableOffsets(ctx context.Context) (map[int32]offsets, error) {
	got, err := to.waitStable(ctx)
	if err != nil {
		return nil, err
	}
	if err := to.endHanging(ctx, got); err != nil {
		return nil, err
	}
	start := make(map[int32]offsets, len(to.tasks))
	to.fresh = make(map[int32]bool)
	for _, t := range to.tasks {
		if start[t.id], err = to.startOf(ctx, t.id, got[t.id]); err != nil {
			return nil, fmt.Errorf("start offset of task %d: %w", t.id, err)
		}
	}
	return start, nil
}

// startOf is where everything goes on that a task reads.
func (to *takeover) startOf(ctx context.Context, task int32, committed groupOffsets) (offsets, error) {
	input, err := to.footing(ctx, task, committed.input())
	if err != nil {
		return nil, err
	}
	start := offsets{input}
	for tier := 1; tier < len(committed); tier++ {
		at, err := to.tierFooting(ctx, task, tier, committed[tier])
		if err != nil {
			return nil, fmt.Errorf("retry tier %d: %w", tier, err)
		}
		start = append(start, at)
	}
	return start, nil
}

func (to *takeover) waitStable(ctx context.Context) (map[int32]groupOffsets, error) {
	e := to.engine
	deadline := e.deps.Now().Add(unstablePatience)
	for pause := newBackoff(); ; {
		got, err := e.cluster.offsets(ctx, to.ids(), true)
		if !errors.Is(err, wire.UnstableOffsetCommit) {
			return got, err
		}
		if e.deps.Now().After(deadline) {
			if err := to.fenceOpen(ctx); err != nil {
				return nil, err
			}
			deadline = e.deps.Now().Add(unstablePatience)
		}
		pause.wait(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// fenceOpen fences whoever has a transaction open on the tasks' state, but not
// ourselves.
func (to *takeover) fenceOpen(ctx context.Context) error {
	var ids []string
	for _, t := range to.tasks {
		open, err := to.engine.cluster.openOwners(ctx, t.id)
		if err != nil {
			return err
		}
		ids = append(ids, open...)
	}
	if !guardFenceHung {
		return nil
	}
	if err := to.fence(ctx, missing(ids, []string{to.gen.txnID})); err != nil {
		return err
	}
	return to.endHeldOffsets(ctx)
}

// ownerPart is a task's contribution to the transaction of step 4.
func (to *takeover) ownerPart(t *task, start offsets) *part {
	p := &part{task: t.id, since: t.since, before: start, next: start, stateEnd: -1}
	o := ownerRecord{Owner: to.gen.txnID, Next: to.engine.set.Topics.nextOf(p)}
	var b batch.Builder
	now := to.engine.deps.Now().UnixMilli()
	b.Append(now, []byte(claimKey), o.encode(), nil)
	if to.fresh[t.id] {
		// The state's first word: from here on it can be compared with the
		// group's offset and the topics, also before the first batch.
		o.Topics = to.topics
		b.Append(now, []byte(ownerKey), o.encode(), nil)
	}
	p.batches = []outBatch{{to: pipeline.State, bytes: b.Seal(nil)}}
	return p
}

func (to *takeover) ids() []int32 {
	ids := make([]int32, len(to.tasks))
	for i, t := range to.tasks {
		ids[i] = t.id
	}
	return ids
}

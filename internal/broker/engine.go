package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// Engine is one member of the consumer group: it takes tasks, fetches their
// input, runs their record path and commits what comes of it, exactly once.
//
// One goroutine, loop, owns everything in this struct that has no other owner
// named beside it; the others hand it messages.
type Engine struct {
	set  Settings
	deps Deps
	log  *slog.Logger

	cluster   *cluster
	member    *member
	committer *committer
	metrics   *metrics
	health    *health // shared, has its own lock
	watch     *watch

	group *errgroup.Group // supervises every goroutine of the engine
	work  context.Context // ends when draining is over; cause says why

	tasks    map[int32]*task
	fetchers map[int32]*fetcher // by leader
	rotation int                // where the next fetch plan starts, for fairness
	txn      *transaction       // being sealed or with the committer
	draining bool
	renewing bool // tasks are to be taken anew
	current  *generation

	replies  chan reply
	fetched  chan fetchResult
	outcomes chan *transaction
	claimed  chan claim
	restored chan restored
	resets   chan offsetReset
	ends     chan []endOfSource

	claiming  *takeover // the latest one
	stopClaim context.CancelCauseFunc
	// repair is held while former owners are fenced and what they have left is
	// ended: a takeover that was replaced, and several restores, may be at it.
	repair   chan struct{} // a place for one
	restores chan struct{} // a place for each restore that may run at once
	memory   *memory
	markers  markers
	observed time.Time
	done     meter // records of committed batches
	// askingEnds is true while a question about ends is under way; endsDue is when the
	// next one may be asked.
	askingEnds bool
	endsDue    time.Time
	// wake goes off at wakeAt, when a record of a tier becomes due, or a transaction may begin.
	wake   *time.Timer
	wakeAt time.Time

	warm      map[int32]*warmState // of tasks that were given away
	mostTasks int                  // that there were at once
	// restoreLogged is when progress was last logged.
	restoreLogged time.Time
}

// New checks the settings and prepares an engine. It does not connect.
func New(conn Connection, set Settings, deps Deps) (*Engine, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	mem, err := newMemory(set.Compression)
	if err != nil {
		return nil, err
	}
	c, err := newCluster(conn, set.Group, set.Topics, mem)
	if err != nil {
		return nil, err
	}
	m := newMetrics(deps.Registry)
	for _, topic := range append(set.Topics.outputs(), set.Topics.Input) {
		m.recreated.WithLabelValues(topic) // there from the start, so that a rate begins at the first
	}
	e := &Engine{
		set: set, deps: deps, log: deps.Log,
		cluster: c, metrics: m, health: newHealth(deps.Now, set.StallTimeout),
		tasks:    make(map[int32]*task),
		warm:     make(map[int32]*warmState),
		fetchers: make(map[int32]*fetcher),
		replies:  make(chan reply),
		fetched:  make(chan fetchResult),
		outcomes: make(chan *transaction),
		claimed:  make(chan claim),
		restored: make(chan restored),
		resets:   make(chan offsetReset),
		ends:     make(chan []endOfSource),

		stopClaim: func(error) {}, repair: make(chan struct{}, 1),
		restores: make(chan struct{}, parallelRestores),
		memory:   mem,
	}
	c.parks = set.Parks
	c.onAnswer = e.health.answered
	e.member = newMember(c, set, deps.Log, m, deps.Now)
	e.committer = newCommitter(c, set, e.member, deps, m)
	e.watch = newWatch(conn, set, deps, c, e.member, e.health, m)
	return e, nil
}

// errDrainOver ends the work that is still going on when the drain time is up.
var errDrainOver = errors.New("drain time-out passed")

// Run works until ctx ends, then drains: it stops fetching, commits what has
// been computed, leaves the group and returns nil. It returns an error only
// for what needs a person (ErrFatal).
func (e *Engine) Run(ctx context.Context) error {
	work, hardStop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer hardStop(nil)
	e.group, e.work = errgroup.WithContext(work)
	defer e.cluster.close()
	e.group.Go(func() error { return e.cluster.keepFresh(e.work) })
	e.group.Go(func() error { return e.member.run(e.work) })
	e.group.Go(func() error { return e.committer.run(e.work) })
	e.group.Go(func() error { return e.watch.run(e.work) })
	e.group.Go(func() error {
		err := e.loop(ctx)
		if err == nil {
			err = errStopped
		}
		return err
	})
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(e.set.DrainTimeout, func() { hardStop(errDrainOver) })
		context.AfterFunc(work, func() { timer.Stop() })
	})
	defer stop()
	err := e.group.Wait()
	if errors.Is(err, errStopped) {
		return nil
	}
	if ctx.Err() != nil && errors.Is(context.Cause(work), errDrainOver) {
		e.log.Warn("drain time-out passed before everything was committed; what is left is done again by the next owner",
			slog.Duration("timeout", e.set.DrainTimeout))
		return nil
	}
	if errors.Is(err, ErrFatal) && !errors.Is(err, errReplaced) {
		e.leave(ctx)
	}
	return err
}

// leavePatience is how long a service that cannot go on waits for the group to
// hear of it.
const leavePatience = 2 * time.Second

// leave gives the tasks to members that may be able to work on them. They are
// ended by now, so nothing of theirs is under way.
func (e *Engine) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leavePatience)
	defer cancel()
	if err := e.member.leave(ctx); err != nil {
		e.log.Warn("the group was not left", slog.Any("err", err))
	}
}

// errStopped ends the engine's goroutines after an asked-for stop.
var errStopped = errors.New("stopped")

// tick is how often the loop looks for what only time makes due: idle offsets,
// fetchers whose back-off is over, lag by age.
const tick = 100 * time.Millisecond

func (e *Engine) loop(ctx context.Context) error { //nolint:cyclop // everything that can happen, side by side
	timer := time.NewTicker(tick)
	defer timer.Stop()
	e.wake = time.NewTimer(tick)
	defer e.wake.Stop()
	stop := ctx.Done()
	for {
		e.dispatch()
		if e.draining && e.drained() {
			return e.member.leave(e.work)
		}
		select {
		case <-e.work.Done():
			return context.Cause(e.work)
		case <-stop:
			stop = nil
			e.startDrain()
		case g := <-e.member.generations:
			e.rebalance(g)
		case r := <-e.replies:
			e.onReply(r)
		case f := <-e.fetched:
			if err := e.onFetched(f); err != nil {
				return err
			}
		case tx := <-e.outcomes:
			if err := e.onOutcome(tx); err != nil {
				return err
			}
		case c := <-e.claimed:
			e.onClaimed(c)
		case r := <-e.restored:
			if err := e.onRestored(r); err != nil {
				return err
			}
		case r := <-e.resets:
			e.onReset(r)
		case known := <-e.ends:
			e.onEnds(known)
		case <-timer.C:
		case <-e.wake.C:
			e.wakeAt = time.Time{}
		}
	}
}

// dispatch hands out everything that may be handed out now.
func (e *Engine) dispatch() {
	now := e.deps.Now()
	room := e.set.MaxInflightBytes/2 - e.openBytes()
	for _, t := range e.tasks {
		if !t.ready() || t.working || e.draining {
			continue
		}
		if t.held {
			if !t.askHeld(now) && room > 0 && t.takesMore(now) {
				t.order(order{kind: orderProcess, chunk: t.queue[0]})
			}
			continue
		}
		if room > 0 && !e.mustSeal(t, now) {
			if s := t.next(now); s != nil {
				t.order(order{kind: orderProcess, chunk: s.queue[0], freeSince: t.freeSince})
			}
		}
	}
	e.wakeWhenDue(now)
	if !e.draining {
		e.planFetches(now)
	}
	if !e.renewing || e.draining {
		e.begin(now)
	}
	e.renew()
	e.observe(now)
}

// mustSeal is true for a task that computes no more until its batch is sealed:
// when the batch is as large as a worker makes it, or its commit is due and could
// begin. A task that always has input would else never be seen at rest by begin,
// and its worker would read a chunk from its beginning for each further record
// (TestDispatch_ATaskWithEnoughComputedWaitsForItsCommit).
func (e *Engine) mustSeal(t *task, now time.Time) bool {
	if t.open.next == nil {
		return false
	}
	if e.txn != nil || now.Before(e.markers.written) {
		return t.open.bytes >= e.set.chunkBytes()
	}
	return t.open.records > 0 && e.enough(t.open, now.Sub(t.open.since))
}

func (e *Engine) startDrain() {
	e.log.Info("draining: no more fetches, committing what is computed")
	e.draining = true
	e.health.holdFor("draining")
	clear(e.warm)
	for _, t := range e.tasks {
		t.dropWaiting()
	}
}

// drained is true when nothing is computed that is not committed.
func (e *Engine) drained() bool {
	if e.txn != nil {
		return false
	}
	for _, t := range e.tasks {
		if t.held {
			continue // its next owner does it again: nobody knows how long the hold lasts
		}
		if t.working || (t.ready() && t.open.records > 0) {
			return false
		}
	}
	return true
}

// rebalance takes over a new assignment. Tasks that stay go on as they are;
// their transactions continue under the new generation. A nil generation says
// that the group has expelled us.
func (e *Engine) rebalance(g *generation) {
	e.current = g
	var gained []int32
	var assigned []int32
	if g != nil {
		assigned = g.tasks
	}
	for id, t := range e.tasks {
		if g == nil || !g.holds(id, t.since) {
			e.drop(t, "lost")
		}
	}
	for _, id := range assigned {
		t := e.tasks[id]
		switch {
		case t == nil:
			e.tasks[id] = e.newTask(id)
			gained = append(gained, id)
		case t.phase == phaseClaiming:
			// Not yet written down as ours: look again for the dead.
			gained = append(gained, id)
		}
	}
	e.mostTasks = max(e.mostTasks, len(e.tasks))
	e.boundWarm()
	e.metrics.assigned.Set(float64(len(assigned)))
	e.health.assigned(g != nil, e.restoring())
	if g == nil {
		e.stopClaim(errNotJoined)
		return
	}
	e.log.Info("assigned", slog.Int("generation", int(g.id)), slog.Any("tasks", assigned), slog.Any("gained", gained))
	if !e.draining {
		e.startTakeover(g, gained)
	}
}

// drop forgets a task. If it takes part in a transaction that is with the
// committer, that one goes on: the committer finds out whether the group still
// accepts it, and the worker stops when the outcome is known.
func (e *Engine) drop(t *task, why string) {
	delete(e.tasks, t.id)
	t.releasedAt = e.member.sureAt()
	t.dropQueues()
	e.metrics.forget(e.set.Topics.Input, t.id)
	e.log.Info("task released", slog.Int("task", int(t.id)), slog.String("reason", why))
	if !t.ready() {
		t.stop()
		return
	}
	if e.txn != nil && e.txn.holds(t) {
		if e.txn.sealing[t.id] == nil {
			return
		}
		e.txn.remove(t)
		t.sequence-- // it will not be that transaction
		e.submit()
	}
	t.order(order{kind: orderStop})
}

// newTask is a task that has been assigned and is not yet ours.
func (e *Engine) newTask(id int32) *task {
	t := &task{
		id: id, since: e.current.since[id], stateNext: -1, source: newSource(0),
		orders: make(chan order, ordersCapacity), abandoned: make(chan struct{}),
	}
	for tier := range e.set.Topics.Retry {
		t.tiers = append(t.tiers, newSource(tier+1))
	}
	t.ctx, t.cancel = context.WithCancelCause(e.work)
	return t
}

// newWorker is what runs the record path of a restored task.
func (e *Engine) newWorker(t *task, path Task) *worker {
	w := &worker{
		task: t, path: path, out: newOutput(e.memory), topics: e.set.Topics,
		now: e.deps.Now, lateness: e.metrics.lateness.Observe, limit: e.set.chunkBytes(),
		cursor: batch.NewCursor(batch.Limits{
			Inflate: e.set.MaxInflightBytes / 8, Part: e.set.MaxInflightBytes / 4,
		}),
		refused: make(map[place]pipeline.Destination), before: make(map[int]time.Time),
	}
	w.out.refused = w.refused
	return w
}

// openBytes is the size of everything computed and not yet committed.
func (e *Engine) openBytes() int {
	n := 0
	for _, t := range e.tasks {
		n += t.open.bytes
	}
	if e.txn != nil {
		n += e.txn.bytes
	}
	return n
}

func (e *Engine) restoring() int {
	n := 0
	for _, t := range e.tasks {
		if !t.ready() {
			n++
		}
	}
	return n
}

// ErrFatal marks an error that needs a person: the service stops.
var ErrFatal = errors.New("fatal")

func fatalf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFatal, fmt.Errorf(format, args...))
}

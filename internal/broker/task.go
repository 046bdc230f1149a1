package broker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// phase says how far a task has come.
type phase uint8

const (
	// phaseClaiming: its former owners are being fenced and our owner
	// record is not committed yet.
	phaseClaiming phase = iota
	// phaseRestoring: it is ours; its state is being read.
	phaseRestoring
	// phaseRunning: it processes input.
	phaseRunning
)

// task is one task as the loop sees it. Its state and record path belong to
// its own goroutine (worker), which executes one order after the other.
type task struct {
	// source is the input, tiers are the retry tiers; turn is the one that was
	// worked at last.
	source

	tiers []source
	turn  int

	id    int32
	phase phase
	// since is the generation from which on it has been ours without a break.
	since int32

	// ids are the topics that the task was taken with.
	ids topicIDs
	// held: its record path waits for external enrichers, and must not be committed;
	// full: nor be given anything. askAgain is when it is asked again, freeSince when
	// the last hold, or the restore, was over.
	held, full          bool
	askAgain, freeSince time.Time
	// crowded: its input waits until there is room for what has to wait or be parked.
	crowded bool
	// working is true while an order that changes the batch is with the
	// worker; the batch must not be sealed then.
	working bool
	open    openBatch
	// sequence counts the task's transactions.
	sequence int64
	// sealedOldest is the timestamp of the oldest record that is in a
	// transaction, 0 for none; behindSince is when lag was first seen, by the
	// brokers' clock.
	sealedOldest int64
	behindSince  time.Time
	// processing is the chunk that an outstanding order refers to. Its
	// buffer is the worker's until the reply.
	processing *chunk
	// stateNext is the offset in the state topic up to which the worker's state
	// holds it when no transaction is outstanding, -1 when that is not known;
	// written is the last owner record in it.
	stateNext int64
	written   ownerRecord
	// cold: the state must not be kept when the task is given away.
	cold bool
	// releasedAt is when it was last sure that nobody else had the task.
	releasedAt time.Time
	// movedAt is when it last made progress, or could not have.
	movedAt time.Time
	// abandoned is closed when nobody waits for its worker any more.
	abandoned chan struct{}
	// progress of its restore, nil when there is none.
	progress *progress
	// claimStarted: a takeover is at work for it.
	claimStarted bool
	orders       chan order
	ctx          context.Context
	cancel       context.CancelCauseFunc
}

// openBatch is what a task has computed since its last transaction.
type openBatch struct {
	records int
	bytes   int
	// next are the offsets after the batch; nil when it is empty.
	next offsets
	// since is when its first output was computed.
	since time.Time
	// oldestMs is the timestamp of its first record.
	oldestMs int64
}

func (t *task) ready() bool { return t.phase == phaseRunning }

// move puts an offset of a source into the open batch.
func (t *task) move(s *source, to int64) {
	if t.open.next == nil {
		t.open.next = unmoved(len(t.tiers) + 1)
	}
	t.open.next[s.tier] = to
	s.taken = max(s.taken, to)
}

// chunk is the part of a fetch answer that belongs to one task. While an order
// to process it is out it belongs to the worker, else to the loop.
type chunk struct {
	tier int // of its source
	// rest is what has not been processed, from offset next on.
	rest    []byte
	next    int64
	aborted abortedTransactions
	// bytes is its size when it was fetched.
	bytes int
	buf   *buffer
}

type orderKind uint8

const (
	orderProcess orderKind = iota
	// orderFinish ends what waits for external enrichers.
	orderFinish
	orderSeal
	orderCommit
	orderRollback
	// orderStop ends the worker after what was ordered before.
	orderStop
)

// order is what the loop tells a worker to do.
type order struct {
	kind  orderKind
	nowMs int64
	// chunk is what to process.
	chunk *chunk
	// owner and next go with orderSeal: the owner record to write, and the
	// offsets after the batch.
	owner ownerRecord
	next  offsets
	// freeSince goes with orderProcess of a tier: lateness counts from then at the
	// earliest.
	freeSince time.Time
	// answered goes with orderCommit: every request had its answer, so that
	// none can still hold the batches.
	answered bool
	// refused goes with orderRollback: what the broker would not take.
	refused *refusal
}

// ordersCapacity: one order that changes the batch, the commit or rollback of
// the transaction before, and the stop. The loop never waits for a worker.
const ordersCapacity = 3

func (t *task) order(o order) {
	if o.kind == orderProcess || o.kind == orderFinish || o.kind == orderSeal {
		t.working = true
		t.processing = o.chunk
	}
	select {
	case t.orders <- o:
	default:
		panic(fmt.Sprintf("task %d: more orders outstanding than the protocol between loop and worker allows", t.id))
	}
}

// stop ends a claim or a restore of the task.
func (t *task) stop() { t.cancel(errReleased) }

// abandon leaves a worker that does not answer to itself. Should it ever come back
// from the record path, it ends.
func (t *task) abandon() {
	t.stop()
	close(t.abandoned)
}

var errReleased = errors.New("task released")

// dropQueues gives back everything that was fetched and not processed.
func (t *task) dropQueues() {
	for s := range t.each() {
		s.dropQueue(t.processing)
	}
}

// dropWaiting gives back what no worker has begun with. The chunk
// under way stays: what the worker computes of it is in its batch, and the
// offset that the batch commits must cover it
// (TestDrain_CommitsTheOffsetOfWhatIsUnderWay).
func (t *task) dropWaiting() {
	for s := range t.each() {
		s.dropWaiting(t.processing)
	}
}

// rewind makes the task go on where nothing was computed yet, dropping all that was.
func (t *task) rewind() {
	for s := range t.each() {
		s.rewind(t.processing)
	}
	t.open = openBatch{}
	t.sealedOldest, t.held, t.full, t.crowded = 0, false, false, false
}

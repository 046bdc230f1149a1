package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	id    int32
	phase phase
	// since is the generation from which on it has been ours without a break.
	since int32

	// position is the next offset to fetch, committed the group's offset, base
	// where reading goes on when nothing more is committed: the group's offset,
	// unless that one is of no use in the log there is.
	position, committed, base int64
	// ids are the topics that the task was taken with.
	ids topicIDs
	// epoch grows when positions are reset; older fetch answers are void.
	epoch    int
	fetching bool
	queue    []*chunk
	queued   int // bytes in queue
	// working is true while an order that changes the batch is with the
	// worker; the batch must not be sealed then.
	working bool
	open    openBatch
	// sequence counts the task's transactions.
	sequence int64
	// end is the high watermark last seen, stable the last stable offset; -1
	// when they are not known.
	end, stable int64
	// sealedOldest is the timestamp of the oldest record that is in a
	// transaction, 0 for none; behindSince is when lag was first seen.
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
	// away: its input's leader cannot be reached, or there is none.
	away bool
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
	// next is the input offset after the batch; -1 when it is empty.
	next int64
	// since is when its first output was computed.
	since time.Time
	// oldestMs is the timestamp of its first record.
	oldestMs int64
}

func (t *task) ready() bool { return t.phase == phaseRunning }

// chunk is the part of a fetch answer that belongs to one task. While an order
// to process it is out it belongs to the worker, else to the loop.
type chunk struct {
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
	// input offset after the batch.
	owner ownerRecord
	next  int64
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
	if o.kind == orderProcess || o.kind == orderSeal {
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

// dropQueue gives fetched input back unprocessed. What a worker is reading
// stays its own until it answers.
func (t *task) dropQueue() {
	for _, c := range t.queue {
		if c != t.processing {
			c.buf.release()
		}
	}
	t.queue, t.queued = nil, 0
	t.epoch++
}

// dropWaiting gives back the input that no worker has begun with. The chunk
// under way stays: what the worker computes of it is in its batch, and the
// offset that the batch commits must cover it
// (TestDrain_CommitsTheOffsetOfWhatIsUnderWay).
func (t *task) dropWaiting() {
	t.queue = slices.DeleteFunc(t.queue, func(c *chunk) bool {
		if c == t.processing {
			return false
		}
		t.queued -= c.bytes
		c.buf.release()
		return true
	})
	t.epoch++
}

// rewind makes the task go on at offset, dropping all that was computed.
func (t *task) rewind(offset int64) {
	t.dropQueue()
	t.position = offset
	t.open = openBatch{next: -1}
	t.sealedOldest = 0
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"pulse-scorer/internal/broker/wire"
)

// What former owners, all fenced by now, have left open though their coordinator has
// ended it (hanging.go). How it ended is not asked, because the last transaction of
// an owner is all that its coordinator remembers, and an earlier one may hang beside
// it: every record tells of which input it was made, and the group's offset whether
// that was committed. Nothing is written for these tasks before this has been done at
// each takeover from a dead owner, so an input offset that was committed was by the
// transaction that hangs, and by none that came after it. What an owner has left that
// lives is looked at only where it holds our own state back: it sees to its own after
// a failure (doubts.go), or when it takes the task again
// (TestLeftovers_EachIsEndedAsItsInput; OfADeadOwner_IsEndedByTheNext and
// OfADeadOwner_ResultsAlone, integration, on three nodes).

// endHeldOffsets ends what holds the tasks' offsets, as the last transaction of
// whoever was fenced has ended: nothing else is known before they are stable.
func (to *takeover) endHeldOffsets(ctx context.Context) error {
	e := to.engine
	for id, f := range to.former {
		if f.ended == endUnknown {
			continue
		}
		_, _, held, err := e.cluster.lookForOpen(ctx, nil, to.ids())
		if err != nil || !held {
			return err
		}
		if err := to.endAgain(ctx, id, f.ended, nil, true); err != nil {
			return err
		}
	}
	return nil
}

// endHanging ends what hangs in the tasks' results, dead letters and state, each as
// the group's stable offsets say.
func (to *takeover) endHanging(ctx context.Context, stable map[int32]groupOffsets) error {
	if len(to.former) == 0 {
		return nil
	}
	e := to.engine
	var partitions []topicPartition
	for task := range stable {
		for _, topic := range e.set.Topics.outputs() {
			partitions = append(partitions, topicPartition{topic, task})
		}
	}
	open, done, _, err := e.cluster.lookForOpen(ctx, partitions, nil)
	if err != nil {
		return err
	}
	for _, tp := range partitions {
		_, isOpen := open[tp]
		if _, isDone := done[tp]; !isOpen && !isDone {
			return fmt.Errorf("a transaction of a former owner may hang in %s-%d: %w", tp.topic, tp.partition, wire.LeaderNotAvailable)
		}
	}
	hanging := make(map[leftover][]topicPartition)
	for tp, at := range open {
		found, err := e.cluster.oldestOpen(ctx, tp, at)
		if err != nil {
			return fmt.Errorf("what hangs in %s-%d: %w", tp.topic, tp.partition, err)
		}
		if found.producer < 0 {
			continue // written without a transaction between two looks
		}
		left := to.leftover(found, stable[tp.partition].offsets())
		if left.end == endUnknown {
			e.log.Error("a transaction is open for long that is none of a former owner's, or nobody knows how it has ended; "+
				"readers of committed records wait: see kafka-transactions.sh find-hanging",
				slog.String("topic", tp.topic), slog.Int("partition", int(tp.partition)), slog.Int64("producer_id", found.producer))
			continue
		}
		hanging[left] = append(hanging[left], tp)
	}
	for left, partitions := range hanging {
		if err := to.endAgain(ctx, left.txnID, left.end, partitions, false); err != nil {
			return err
		}
	}
	return nil
}

// leftover is whose transaction hangs, and how it must be ended.
type leftover struct {
	txnID string
	end   ended
}

// leftover tells by a partition's oldest open record and the stable offsets of its
// task. Where they do not say, the owner's last transaction does.
func (to *takeover) leftover(found openRecord, stable offsets) leftover {
	for id, f := range to.former {
		switch {
		case f.producer.id != found.producer:
		default:
			return leftover{id, found.ended(stable, f.ended)}
		}
	}
	return leftover{}
}

// ended tells by the offsets that a record names how its transaction has ended: with
// all of them, or with none. last is what counts where it names none, or the group has
// none of them.
func (found openRecord) ended(stable offsets, last ended) ended {
	named := false
	for tier, next := range found.next {
		switch at := stable.at(tier); {
		case next < 0:
		case at < 0:
			return last
		case next > at:
			return endAborted
		default:
			named = true
		}
	}
	if !named {
		return last
	}
	return endCommitted
}

func (to *takeover) endAgain(ctx context.Context, id string, end ended, partitions []topicPartition, held bool) error {
	e := to.engine
	err := e.cluster.endAgain(ctx, id, to.former[id].producer, end, partitions, held, e.set.TransactionTimeout)
	if errors.Is(err, wire.InvalidProducerEpoch) || errors.Is(err, wire.ProducerFenced) {
		if err = to.renew(ctx, id); err == nil {
			err = e.cluster.endAgain(ctx, id, to.former[id].producer, end, partitions, held, e.set.TransactionTimeout)
		}
	}
	if err != nil {
		return fmt.Errorf("end a transaction of %s that hangs: %w", id, err)
	}
	noteEndedAgain(e.log, e.metrics, id, end, partitions, held)
	return nil
}

// renew gets a former owner's producer anew: another heir of the same owner has fenced
// it since. While that one is just ending its part we come back later, because to fence
// it now would abort what it is about to commit.
func (to *takeover) renew(ctx context.Context, id string) error {
	e := to.engine
	state, err := e.cluster.transactionState(ctx, id)
	switch {
	case err != nil:
		return err
	case state == wire.TxnOngoing:
		return errBusy
	}
	producer, _, err := e.cluster.fence(ctx, id, e.set.TransactionTimeout)
	if err != nil {
		return err
	}
	to.former[id] = former{producer, to.former[id].ended}
	return nil
}

var errBusy = errors.New("another member is ending what it has left in its own tasks")

// repairTask does for a task that is being restored what a claim does for its tasks:
// an owner that lives, and had it before, may have left its state hanging. Nobody
// else writes for this task, which is ours and does not run yet.
func (to *takeover) repairTask(ctx context.Context, task int32) error {
	if err := to.engine.beginRepair(ctx); err != nil {
		return err
	}
	defer to.engine.endRepair()
	if err := to.fenceOpen(ctx); err != nil {
		return err
	}
	stable, err := to.engine.cluster.offsets(ctx, []int32{task}, true)
	if err != nil {
		return fmt.Errorf("stable offset: %w", err)
	}
	return to.endHanging(ctx, stable)
}

// beginRepair waits until nobody else of this process fences or ends.
func (e *Engine) beginRepair(ctx context.Context) error {
	select {
	case e.repair <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *Engine) endRepair() { <-e.repair }

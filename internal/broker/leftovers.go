package broker

import (
	"context"
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
// transaction that hangs, and by none that came after it
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
func (to *takeover) endHanging(ctx context.Context, stable map[int32]committedOffset) error {
	if len(to.former) == 0 {
		return nil
	}
	e := to.engine
	var partitions []topicPartition
	for _, t := range to.tasks {
		for _, topic := range []string{e.set.Topics.Results, e.set.Topics.DeadLetters, e.set.Topics.State} {
			partitions = append(partitions, topicPartition{topic, t.id})
		}
	}
	open, done, _, err := e.cluster.lookForOpen(ctx, partitions, nil)
	switch {
	case err != nil:
		return err
	case len(open)+len(done) < len(partitions):
		return fmt.Errorf("a transaction of a former owner may hang: %w", wire.LeaderNotAvailable)
	}
	hanging := make(map[leftover][]topicPartition)
	for tp, at := range open {
		found, err := e.cluster.oldestOpen(ctx, tp, at)
		if err != nil {
			return fmt.Errorf("what hangs in %s-%d: %w", tp.topic, tp.partition, err)
		}
		left := to.leftover(found, stable[tp.partition].offset)
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

// leftover tells by a partition's oldest open record and the stable offset of its
// task. Where they do not say, the owner's last transaction does.
func (to *takeover) leftover(found openRecord, stable int64) leftover {
	for id, f := range to.former {
		switch {
		case f.producer.id != found.producer:
		case found.next < 0 || stable < 0:
			return leftover{id, f.ended}
		case found.next <= stable:
			return leftover{id, endCommitted}
		default:
			return leftover{id, endAborted}
		}
	}
	return leftover{}
}

func (to *takeover) endAgain(ctx context.Context, id string, end ended, partitions []topicPartition, held bool) error {
	e := to.engine
	if err := e.cluster.endAgain(ctx, id, to.former[id].producer, end, partitions, held); err != nil {
		return fmt.Errorf("end a transaction of %s that hangs: %w", id, err)
	}
	noteEndedAgain(e.log, e.metrics, id, end, partitions, held)
	return nil
}

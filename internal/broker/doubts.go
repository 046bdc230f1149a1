package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"pulse-scorer/internal/broker/wire"
)

// What a committer does about transactions that hang (hanging.go). It cannot help
// where records of a transaction that failed stand in a partition behind those of one
// that committed and hangs: a marker ends both, and the committed one is taken back
// there with the other. Where that takes its offsets back as well it is computed again,
// may stand twice elsewhere, and settle says so; where it does not, audit tells. It
// takes a broker that loses a marker, and a failure in the first transaction that
// writes to that partition afterwards.

// doubt is what is known about a partition in which a transaction may hang.
type doubt struct {
	// ended is how the transaction that failed has ended.
	ended ended
	// kept is the last offset of the one before it, which has committed; -1 when
	// it wrote nothing there, or is known to be whole.
	kept int64
}

// end is how what hangs in a partition must be ended: what has committed alone as
// committed, everything else as the transaction that failed.
func (d doubt) end(s span) ended {
	if s.end == d.kept+1 {
		return endCommitted
	}
	return d.ended
}

// doubtAll notes every partition that the transaction that failed, or the one that
// committed before it, may hang in.
func (c *committer) doubtAll(parts []*part) {
	for tp, offset := range c.kept {
		c.doubts[tp] = doubt{c.ended, offset}
	}
	for _, p := range parts {
		for _, b := range p.batches {
			tp := topicPartition{c.cluster.topology.topic(b.to), p.task}
			if _, noted := c.doubts[tp]; !noted {
				c.doubts[tp] = doubt{c.ended, -1}
			}
		}
	}
}

// endEmpty commits a transaction that failed before anything was written into it,
// in place of having it aborted. It makes no difference to itself; but if the one
// before it hangs, that one is ended with it, and it has committed.
func (c *committer) endEmpty(ctx context.Context, g *generation) error {
	if c.fresh || !c.opened || c.sent || len(c.kept) == 0 || c.txnID != g.txnID {
		return nil
	}
	err := retry(ctx, func() error { return c.cluster.endTransaction(ctx, c.txnID, c.producer, true) })
	if code := wire.ErrorCode(0); err == nil || errors.As(err, &code) {
		return nil // none is open, or it was aborted for its age
	}
	return fmt.Errorf("end an empty transaction: %w", err)
}

// clearDoubts looks at the partitions in doubt among those asked for, all for nil,
// and ends what hangs in them. Tasks are those whose offsets may hang as well. One
// that cannot be looked at stays in doubt, and that is an error: nothing is written
// to it, and no verdict given on what was, before. Its task may be another member's
// by the next transaction, and then nobody would know any more how to end what hangs
// (TestSettle_WaitsForAPartitionInDoubt).
func (c *committer) clearDoubts(ctx context.Context, among map[topicPartition]bool, tasks []int32) error {
	var look []topicPartition
	for tp := range c.doubts {
		if among == nil || among[tp] {
			look = append(look, tp)
		}
	}
	if len(look) == 0 {
		return nil
	}
	open, done, held, err := c.cluster.lookForOpen(ctx, look, tasks)
	if err != nil {
		return fmt.Errorf("look for transactions that hang: %w", err)
	}
	for _, end := range []ended{endCommitted, endAborted} {
		if err := c.endAgain(ctx, end, open, held && c.offsetsEnd() == end); err != nil {
			return err
		}
	}
	for tp := range open {
		if c.doubts[tp].end(open[tp]) == endUnknown {
			c.log.Error("a transaction is open, and nobody knows how it has ended; readers of committed records wait: see kafka-transactions.sh find-hanging",
				slog.String("topic", tp.topic), slog.Int("partition", int(tp.partition)))
		}
		delete(c.doubts, tp)
	}
	for tp := range done {
		delete(c.doubts, tp)
	}
	for _, tp := range look {
		if _, still := c.doubts[tp]; still {
			return fmt.Errorf("a transaction may hang in %s-%d: %w", tp.topic, tp.partition, wire.LeaderNotAvailable)
		}
	}
	return nil
}

// offsetsEnd is how offsets that hang must be ended: if the transaction that failed
// sent none, they are those of the one before it.
func (c *committer) offsetsEnd() ended {
	if !c.offered && len(c.kept) > 0 {
		return endCommitted
	}
	return c.ended
}

// endAgain ends what hangs in those of the open partitions that must be ended so.
func (c *committer) endAgain(ctx context.Context, end ended, open map[topicPartition]span, held bool) error {
	var hanging []topicPartition
	for tp, s := range open {
		if c.doubts[tp].end(s) == end {
			hanging = append(hanging, tp)
		}
	}
	if len(hanging) == 0 && !held {
		return nil
	}
	c.fresh = false // should this fail, nobody knows what is open
	err := c.cluster.endAgain(ctx, c.txnID, c.producer, end, hanging, held, c.set.TransactionTimeout)
	if err != nil {
		return fmt.Errorf("end a transaction that hangs: %w", err)
	}
	c.fresh = true
	noteEndedAgain(c.log, c.metrics, c.txnID, end, hanging, held)
	return nil
}

func noteEndedAgain(log *slog.Logger, m *metrics, txnID string, end ended, hanging []topicPartition, held bool) {
	m.hanging.Inc()
	names := make([]string, len(hanging))
	for i, tp := range hanging {
		names[i] = fmt.Sprintf("%s-%d", tp.topic, tp.partition)
	}
	log.Warn("a broker had lost the end of a transaction (as Apache Kafka does in KAFKA-20734); it is ended again",
		slog.String("transactional_id", txnID), slog.Bool("committed", end == endCommitted),
		slog.Any("partitions", names), slog.Bool("offsets", held))
}

// lookForOpen looks until nothing is open in any of the partitions and the tasks'
// offsets are stable, or for as long as a transaction may reasonably be: what is open
// then hangs. Whoever else may have one open has been fenced, or is a member that ends
// it. A partition that has had no leader for all that time is neither open nor done.
func (c *cluster) lookForOpen(ctx context.Context, partitions []topicPartition, tasks []int32) (open, done map[topicPartition]span, held bool, err error) {
	patience, cancel := context.WithTimeout(ctx, unstablePatience)
	defer cancel()
	for pause := newBackoff(); ; {
		if open, done, err = c.openIn(ctx, partitions); err != nil {
			return nil, nil, false, err
		}
		if held = false; len(tasks) > 0 {
			_, err = c.offsets(ctx, tasks, true)
			held = errors.Is(err, wire.UnstableOffsetCommit)
		}
		switch {
		case err != nil && !held:
			return nil, nil, false, err
		case len(done) == len(partitions) && !held, patience.Err() != nil:
			return open, done, held, nil
		}
		pause.wait(patience)
		if ctx.Err() != nil {
			return nil, nil, false, context.Cause(ctx)
		}
	}
}

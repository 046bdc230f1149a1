package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"pulse-scorer/internal/broker/wire"
)

// A transaction hangs in a partition when its coordinator has ended it and the
// partition holds no marker that says so (KIP-664): nobody who reads committed
// records gets past it, and offsets that it holds never become stable. Brokers can
// lose markers: to Apache Kafka 4.3.1 a partition without a leader is a deleted one,
// and gets none (KAFKA-20734). So it is whenever the last replica of a partition
// stops in order.
//
// A marker ends everything that its producer has open in a partition. Two things
// follow. A hanging transaction must be ended before its producer writes to the
// partition again, or it ends as the next one does. And it can be: by an empty
// transaction of the same producer over the same partitions, ended as the
// coordinator has ended the one that hangs
// (TestHanging_TransactionsAreEndedAsTheyWere, integration, on three nodes).

// ended is how a transaction has ended, as its coordinator knows it.
type ended uint8

const (
	// endUnknown: nothing of it is known any more, or there was none.
	endUnknown ended = iota
	endCommitted
	endAborted
)

// lastEnd is how the last transaction of a transactional ID has ended, or will have
// when its producer is initialised anew: InitProducerID aborts one that is open, and
// waits for one that is being ended. Afterwards nobody can tell any more.
func (c *cluster) lastEnd(ctx context.Context, txnID string) (ended, error) {
	state, err := c.transactionState(ctx, txnID)
	if err != nil {
		return endUnknown, err
	}
	switch state {
	case wire.TxnPrepareCommit, wire.TxnCompleteCommit:
		return endCommitted, nil
	case wire.TxnOngoing, wire.TxnPrepareAbort, wire.TxnCompleteAbort:
		return endAborted, nil
	}
	return endUnknown, nil
}

// transactionState is what the coordinator says of a transactional ID; empty when the
// ID is new, or we may not ask.
func (c *cluster) transactionState(ctx context.Context, txnID string) (string, error) {
	var res wire.DescribeTransactionsResponse
	req := &wire.DescribeTransactionsRequest{TransactionalIDs: []string{txnID}}
	err := retry(ctx, func() error {
		return c.ask(ctx, wire.TransactionCoordinator, txnID, req, &res, func() error {
			if len(res.Transactions) != 1 {
				return fmt.Errorf("answer describes %d transactions", len(res.Transactions))
			}
			return res.Transactions[0].Code.Err()
		})
	})
	if code := wire.ErrorCode(0); errors.As(err, &code) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return res.Transactions[0].State, nil
}

// span is what is not decided in a partition: offsets from the last stable one up
// to the high watermark.
type span struct{ stable, end int64 }

// openIn tells in which of the partitions a transaction is open. Those that have no
// leader are in neither map.
func (c *cluster) openIn(ctx context.Context, partitions []topicPartition) (open, done map[topicPartition]span, err error) {
	spans := make([]span, len(partitions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookUpsAtOnce)
	for i, tp := range partitions {
		group.Go(func() (err error) {
			spans[i], err = c.spanOf(ctx, tp)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	open, done = make(map[topicPartition]span), make(map[topicPartition]span)
	for i, tp := range partitions {
		switch s := spans[i]; {
		case s == leaderless:
		case s.stable < s.end:
			open[tp] = s
		default:
			done[tp] = s
		}
	}
	return open, done, nil
}

// lookUpsAtOnce bounds how many partitions are asked for at the same time.
const lookUpsAtOnce = 8

// leaderless is the span of a partition that has no leader to ask.
var leaderless = span{-1, -1}

func (c *cluster) spanOf(ctx context.Context, tp topicPartition) (span, error) {
	stable, err := c.listOffset(ctx, tp.topic, tp.partition, wire.LatestOffset, true)
	if err == nil {
		var end int64
		// Asked for second: it is never behind.
		if end, err = c.listOffset(ctx, tp.topic, tp.partition, wire.LatestOffset, false); err == nil {
			return span{stable, end}, nil
		}
	}
	for _, reason := range []error{wire.LeaderNotAvailable, wire.NotLeaderOrFollower, wire.UnknownTopicOrPartition, errUnknownBroker} {
		if errors.Is(err, reason) {
			c.forgetLeader(tp)
			return leaderless, nil
		}
	}
	return span{}, err
}

// endAgain ends what a producer, which must be initialised, has open in partitions
// and, with held, in the group's offsets. What it begins it ends, whoever cancels ctx
// and whether the first answers come or not: to initialise the producer instead would
// abort its transaction, and what hangs with it (TestEndAgain_EndsWhatItHasBegun).
// The bound is what the coordinator lets a transaction live. That the process dies
// between the requests cannot be helped.
func (c *cluster) endAgain(ctx context.Context, txnID string, p producerID, end ended, partitions []topicPartition, held bool, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), within, errTransactionTimeout)
	defer cancel()
	added := c.addAgain(ctx, txnID, p, partitions, held)
	for pause := newBackoff(); ; {
		err := retry(ctx, func() error { return c.endTransaction(ctx, txnID, p, end == endCommitted) })
		if code := wire.ErrorCode(0); err == nil || errors.As(err, &code) || ctx.Err() != nil {
			return errors.Join(added, err)
		}
		pause.wait(ctx)
	}
}

// addAgain adds them to the producer's transaction. One that was refused may be open
// all the same, for what came before.
func (c *cluster) addAgain(ctx context.Context, txnID string, p producerID, partitions []topicPartition, held bool) error {
	if len(partitions) > 0 {
		if err := retry(ctx, func() error { return c.addPartitions(ctx, txnID, p, partitions) }); err != nil {
			return fmt.Errorf("add partitions to transaction: %w", err)
		}
	}
	if held {
		if err := retry(ctx, func() error { return c.addOffsets(ctx, txnID, p) }); err != nil {
			return fmt.Errorf("add offsets to transaction: %w", err)
		}
	}
	return nil
}

func (c *cluster) addPartitions(ctx context.Context, txnID string, p producerID, partitions []topicPartition) error {
	byTopic := make(map[string][]int32)
	for _, tp := range partitions {
		byTopic[tp.topic] = append(byTopic[tp.topic], tp.partition)
	}
	req := &wire.AddPartitionsToTxnRequest{TransactionalID: txnID, ProducerID: p.id, ProducerEpoch: p.epoch}
	for _, topic := range slices.Sorted(maps.Keys(byTopic)) {
		req.Topics = append(req.Topics, wire.TopicPartitions{Topic: topic, Partitions: byTopic[topic]})
	}
	var res wire.AddPartitionsToTxnResponse
	return c.ask(ctx, wire.TransactionCoordinator, txnID, req, &res, res.Err)
}

func (c *cluster) addOffsets(ctx context.Context, txnID string, p producerID) error {
	var res wire.AddOffsetsToTxnResponse
	req := &wire.AddOffsetsToTxnRequest{TransactionalID: txnID, ProducerID: p.id, ProducerEpoch: p.epoch, Group: c.group}
	return c.ask(ctx, wire.TransactionCoordinator, txnID, req, &res, func() error { return res.Code.Err() })
}

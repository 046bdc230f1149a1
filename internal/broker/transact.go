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

// fence initialises a transactional ID: whatever transaction is open under it
// is ended first, and whoever used it cannot commit any more. That holds only
// when the answer is 0; CONCURRENT_TRANSACTIONS says that it is under way.
// Producer ID and epoch are −1: zero values would name a producer that was
// never there, and are refused for an existing ID. The answer comes with how the
// ID's last transaction has ended, which only can be asked before.
func (c *cluster) fence(ctx context.Context, txnID string, timeout time.Duration) (producerID, ended, error) {
	last, err := c.lastEnd(ctx, txnID)
	if err != nil {
		return producerID{}, endUnknown, err
	}
	var res wire.InitProducerIDResponse
	req := &wire.InitProducerIDRequest{
		TransactionalID: txnID, TransactionTimeoutMs: int32(timeout.Milliseconds()), ProducerID: -1, ProducerEpoch: -1,
	}
	err = retry(ctx, func() error {
		return c.ask(ctx, wire.TransactionCoordinator, txnID, req, &res, func() error { return res.Code.Err() })
	})
	return producerID{res.ProducerID, res.ProducerEpoch}, last, err
}

// openTransaction adds partitions and the group's offsets to the transaction,
// both in one exchange. With clock it asks there too when the coordinator has begun the
// transaction by its own clock, in milliseconds since 1970; else, and where the
// coordinator does not say, that is -1.
func (c *cluster) openTransaction(
	ctx context.Context, txnID string, p producerID, group string, topics map[string][]int32, clock bool,
) (begunMs int64, err error) {
	add := &wire.AddPartitionsToTxnRequest{TransactionalID: txnID, ProducerID: p.id, ProducerEpoch: p.epoch}
	for _, t := range slices.Sorted(maps.Keys(topics)) {
		add.Topics = append(add.Topics, wire.TopicPartitions{Topic: t, Partitions: topics[t]})
	}
	offsets := &wire.AddOffsetsToTxnRequest{TransactionalID: txnID, ProducerID: p.id, ProducerEpoch: p.epoch, Group: group}
	node, err := c.coordinator(ctx, wire.TransactionCoordinator, txnID)
	if err != nil {
		return unknownTime, err
	}
	first, second := c.correlation.Add(1), c.correlation.Add(1)
	frame := add.Append(make([]byte, 0, 2*usualFrame), first, c.clientID)
	frame = offsets.Append(frame, second, c.clientID)
	x, third := &exchange{api: int16(add.API()), node: node, count: 2}, int32(0)
	if clock {
		third, x.count = c.correlation.Add(1), 3
		frame = (&wire.DescribeTransactionsRequest{TransactionalIDs: []string{txnID}}).Append(frame, third, c.clientID)
	}
	x.frames = [][]byte{frame}
	answers, err := c.send(ctx, x)
	if err == nil {
		err = openAnswers(group, first, second, answers)
	}
	if moved(err) {
		c.forget(coordinatorKey{wire.TransactionCoordinator, txnID})
	}
	if err != nil || !clock {
		return unknownTime, err
	}
	return begun(third, answers[2]), nil
}

// unknownTime is a time, in milliseconds, that nobody has told.
const unknownTime = -1

// begun is when a transaction has begun. That it is not told, for whatever reason, is
// no reason not to go on: it is a figure for people.
func begun(id int32, answer []byte) int64 {
	var res wire.DescribeTransactionsResponse
	if res.Decode(id, answer) == nil && len(res.Transactions) == 1 && res.Transactions[0].Code == 0 {
		return res.Transactions[0].StartMs
	}
	return unknownTime
}

func openAnswers(group string, first, second int32, answers [][]byte) error {
	var added wire.AddPartitionsToTxnResponse
	if err := added.Decode(first, answers[0]); err != nil {
		return err
	}
	if err := added.Err(); err != nil {
		return err
	}
	var offsets wire.AddOffsetsToTxnResponse
	if err := offsets.Decode(second, answers[1]); err != nil {
		return err
	}
	return wire.Denied(wire.AddOffsetsToTxn, offsets.Code, group)
}

// commitOffsets puts the group's offsets into the transaction, by task, under a
// generation. The metadata names us to whoever takes the tasks next.
func (c *cluster) commitOffsets(ctx context.Context, txnID string, p producerID, f fence, next map[int32]offsets) error {
	var topics []wire.TxnOffsetTopic
	tasks := slices.Sorted(maps.Keys(next))
	for tier := range c.topology.sources() {
		topic := wire.TxnOffsetTopic{Topic: c.topology.source(tier)}
		for _, task := range tasks {
			if offset := next[task].at(tier); offset >= 0 {
				topic.Partitions = append(topic.Partitions, wire.TxnOffset{Partition: task, Offset: offset, Metadata: txnID})
			}
		}
		if len(topic.Partitions) > 0 {
			topics = append(topics, topic)
		}
	}
	var res wire.TxnOffsetCommitResponse
	req := &wire.TxnOffsetCommitRequest{
		TransactionalID: txnID, Group: f.group, ProducerID: p.id, ProducerEpoch: p.epoch,
		Generation: f.generation, MemberID: f.memberID, InstanceID: f.instanceID,
		Topics: topics,
	}
	return c.ask(ctx, wire.GroupCoordinator, f.group, req, &res, res.Err)
}

// endTransaction commits, or aborts.
func (c *cluster) endTransaction(ctx context.Context, txnID string, p producerID, commit bool) error {
	var res wire.EndTxnResponse
	req := &wire.EndTxnRequest{TransactionalID: txnID, ProducerID: p.id, ProducerEpoch: p.epoch, Commit: commit}
	return c.ask(ctx, wire.TransactionCoordinator, txnID, req, &res, func() error { return res.Code.Err() })
}

// write is one batch for one partition.
type write struct {
	topicPartition

	bytes []byte
	part  *part
	batch outBatch
}

// written is the broker's answer to a write.
type written struct {
	code       wire.ErrorCode
	baseOffset int64
}

// produce writes batches, which are stamped, and waits for all answers. The
// order within a partition is kept. An error says that some answer is missing:
// nobody knows what was written. Results are in the order of writes.
func (c *cluster) produce(ctx context.Context, txnID string, writes []write) ([]written, error) {
	results := make([]written, len(writes))
	byLeader := make(map[int32][]int)
	for i, w := range writes {
		node, err := c.leaderNow(ctx, w.topic, w.partition)
		if err != nil {
			return nil, err
		}
		byLeader[node] = append(byLeader[node], i)
	}
	group, ctx := errgroup.WithContext(ctx)
	for node, mine := range byLeader {
		group.Go(func() error { return c.produceTo(ctx, node, txnID, writes, mine, results) })
	}
	if err := group.Wait(); err != nil {
		c.refresh()
		return nil, err
	}
	for i, r := range results {
		if r.code != 0 {
			// The next attempt must not go to the same broker again, sooner than
			// the refresh: each one costs a producer epoch.
			c.forgetLeader(writes[i].topicPartition)
			c.refresh()
		}
	}
	return results, nil
}

// produceTo writes what belongs to one leader. A request may hold one batch a
// partition, so a partition's second batch goes with a second request; all of
// them are pipelined on one connection, which the broker works off in order.
func (c *cluster) produceTo(ctx context.Context, node int32, txnID string, writes []write, mine []int, results []written) error {
	rounds := inRounds(writes, mine)
	x := &exchange{api: int16(wire.Produce), node: node, count: len(rounds)}
	ids := make([]int32, len(rounds))
	for i, round := range rounds {
		ids[i] = c.correlation.Add(1)
		req := produceRequest(txnID, writes, round)
		// Each request has pieces of its own: all of them are in use until the
		// last answer (TestProduce_SeveralBatchesForAPartition).
		pieces, _ := req.Pieces(nil, nil, ids[i], c.clientID)
		x.frames = append(x.frames, pieces...)
	}
	answers, err := c.send(ctx, x)
	if err != nil {
		return fmt.Errorf("broker %d: %w", node, err)
	}
	for i, round := range rounds {
		if err := produceAnswer(ids[i], answers[i], writes, round, results); err != nil {
			return fmt.Errorf("broker %d: %w", node, err)
		}
	}
	return nil
}

// inRounds divides writes so that no round has two batches for a partition,
// nor more than a request may hold, and the order within a partition stays.
func inRounds(writes []write, mine []int) [][]int {
	var rounds [][]int
	var sizes []int
	last := make(map[topicPartition]int)
	for _, i := range mine {
		w := writes[i]
		r := last[w.topicPartition]
		for r < len(rounds) && sizes[r]+len(w.bytes) > maxRequestBytes {
			r++
		}
		if r == len(rounds) {
			rounds, sizes = append(rounds, nil), append(sizes, 0)
		}
		rounds[r] = append(rounds[r], i)
		sizes[r] += len(w.bytes)
		last[w.topicPartition] = r + 1
	}
	return rounds
}

// maxRequestBytes keeps requests far below the broker's socket.request.max.bytes
// (100 MiB by default), and one leader from being busy with us for long.
const maxRequestBytes = 16 << 20

func produceRequest(txnID string, writes []write, round []int) *wire.ProduceRequest {
	req := &wire.ProduceRequest{TransactionalID: txnID, TimeoutMs: int32(requestTimeout.Milliseconds())}
	at := make(map[string]int)
	for _, i := range round {
		w := writes[i]
		t, ok := at[w.topic]
		if !ok {
			t = len(req.Topics)
			at[w.topic] = t
			req.Topics = append(req.Topics, wire.ProduceTopic{Topic: w.topic})
		}
		req.Topics[t].Partitions = append(req.Topics[t].Partitions, wire.ProducePartition{Partition: w.partition, Batch: w.bytes})
	}
	return req
}

var errAnswerIncomplete = errors.New("answer to Produce lacks a partition")

func produceAnswer(id int32, payload []byte, writes []write, round []int, results []written) error {
	var res wire.ProduceResponse
	if err := res.Decode(id, payload); err != nil {
		return err
	}
	byPartition := make(map[topicPartition]written, len(res.Partitions))
	for _, p := range res.Partitions {
		byPartition[topicPartition{p.Topic, p.Partition}] = written{p.Code, p.BaseOffset}
	}
	for _, i := range round {
		w, ok := byPartition[writes[i].topicPartition]
		if !ok {
			return fmt.Errorf("%w: %s-%d", errAnswerIncomplete, writes[i].topic, writes[i].partition)
		}
		results[i] = w
	}
	return nil
}

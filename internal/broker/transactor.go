package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/pipeline"
)

// Transactor writes records in transactions, and with them the offsets that a
// group of its own has come to in one topic. It is for commands: it is no member of
// a group, and what keeps two of them apart is the transactional ID, which Begin
// takes over. It is for one goroutine.
type Transactor struct {
	cluster *cluster
	set     TransactorSettings
	topicID wire.TopicID

	producer  producerID
	sequences map[topicPartition]int32
	building  map[topicPartition]*batch.Builder
	full      []write
	fenced    bool
}

// TransactorSettings say what a Transactor writes to.
type TransactorSettings struct {
	// Group is whose offsets are committed; the transactional ID is the same.
	Group string
	// From is the topic whose offsets they are. It is written to as well.
	From string
	// To are the other topics that are written to, two at most.
	To          []string
	Timeout     time.Duration
	Compression batch.Compression
}

// ErrTakenOver says that another Transactor has begun under the same transactional ID, or
// the broker has given up a transaction for its time-out. Nothing of the
// transaction that failed is visible.
var ErrTakenOver = errors.New("another one has taken over the transactional ID, or the transaction took too long")

// ErrRefusedForSize says that the broker does not take a batch of this size. Nothing of the
// transaction is visible.
var ErrRefusedForSize = errors.New("the broker refuses it for its size")

// ErrUnknownOutcome says that nobody has said whether the transaction is committed. Begin
// makes it final; what is visible then has happened.
var ErrUnknownOutcome = errors.New("the outcome of the transaction is not known")

// NewTransactor prepares a Transactor. Begin comes next.
func NewTransactor(conn Connection, set TransactorSettings) (*Transactor, error) {
	m, err := newMemory(set.Compression)
	if err != nil {
		return nil, err
	}
	// To the cluster the roles of topics are names to look up, and offsets are
	// those of the first.
	topics := Topology{Input: set.From}
	if len(set.To) > 0 {
		topics.Results = set.To[0]
	}
	if len(set.To) > 1 {
		topics.DeadLetters = set.To[1]
	}
	c, err := newCluster(conn, set.Group, topics, m)
	if err != nil {
		return nil, err
	}
	return &Transactor{cluster: c, set: set, building: make(map[topicPartition]*batch.Builder)}, nil
}

// Close ends the connections. What is not committed is dropped: an open transaction
// is aborted by the next Begin, or by the broker after its time-out.
func (t *Transactor) Close() { t.cluster.close() }

// Partitions is how many partitions one of its topics has, 0 for a topic that there
// is not.
func (t *Transactor) Partitions(ctx context.Context, topic string) (int32, error) {
	n, err := t.cluster.partitions(ctx, topic)
	if errors.Is(err, wire.UnknownTopicOrPartition) {
		return 0, nil
	}
	return n, err
}

// Begin takes the transactional ID: what is open under it is aborted, what was
// being committed is committed, and whoever used it cannot any more. It can be
// called again after any error; what was appended is dropped.
func (t *Transactor) Begin(ctx context.Context) error {
	t.drop()
	waiting, cancel := context.WithTimeoutCause(ctx, scanPatience, errNoProgress)
	defer cancel()
	for pause := newBackoff(); ; {
		err := t.begin(waiting)
		if err == nil || !passing(err) {
			return err
		}
		pause.wait(waiting)
		if waiting.Err() != nil {
			return fmt.Errorf("transactional ID %s: %w: %w", t.set.Group, context.Cause(waiting), err)
		}
	}
}

func (t *Transactor) begin(ctx context.Context) (err error) {
	if err := t.cluster.lookUp(ctx); err != nil {
		return err
	}
	if t.topicID, err = t.cluster.topicID(t.set.From); err != nil {
		return err
	}
	if t.producer, _, err = t.cluster.fence(ctx, t.set.Group, t.set.Timeout); err != nil {
		return fmt.Errorf("init producer %s: %w", t.set.Group, err)
	}
	t.sequences, t.fenced = make(map[topicPartition]int32), true
	return nil
}

// Committed is the offset that the group has committed for a partition of From;
// NoOffset when there is none, or when it belongs to a topic of that name that was
// deleted since.
func (t *Transactor) Committed(ctx context.Context, partition int32) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, scanPatience, errNoProgress)
	defer cancel()
	got, err := t.cluster.stableOffsets(ctx, []int32{partition})
	switch {
	case errors.Is(err, wire.GroupIDNotFound):
		return NoOffset, nil
	case err != nil:
		return NoOffset, fmt.Errorf("offsets of group %s: %w", t.set.Group, err)
	case got[partition].input().metadata != t.mine():
		return NoOffset, nil
	}
	return got[partition].input().offset, nil
}

// mine tells offsets of this topic from those of one that had its name before.
func (t *Transactor) mine() string { return fmt.Sprintf("topic %x", t.topicID[:]) }

// Append adds a record to the next transaction. It copies what it is given.
func (t *Transactor) Append(topic string, partition int32, timestampMs int64, key, value []byte, headers []pipeline.Header) {
	tp := topicPartition{topic, partition}
	b := t.building[tp]
	if b != nil && b.Size()+batch.RecordBound(key, value, headers) > batchBytes {
		t.seal(tp)
		b = nil
	}
	if b == nil {
		b = t.cluster.memory.builder()
		t.building[tp] = b
	}
	b.Append(timestampMs, key, value, headers)
}

func (t *Transactor) seal(tp topicPartition) {
	bytes := t.cluster.memory.seal(t.building[tp])
	delete(t.building, tp)
	seq := t.sequences[tp]
	batch.Stamp(bytes, t.producer.id, t.producer.epoch, seq, true)
	t.sequences[tp] = batch.NextSequence(seq, batch.Count(bytes))
	t.full = append(t.full, write{topicPartition: tp, bytes: bytes})
}

func (t *Transactor) drop() {
	clear(t.building)
	t.full, t.fenced = nil, false
}

// Commit writes what was appended, and the offset of a partition of From, in one
// transaction. It is not to be interrupted: ctx bounds it, and should not end with
// the command. After an error Begin must be called; only after nil everything is
// visible, and only after ErrUnknownOutcome it may be.
func (t *Transactor) Commit(ctx context.Context, partition int32, offset int64) error {
	if !t.fenced {
		return errors.New("broken order of calls: Commit without Begin")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.set.Timeout, errTransactionTimeout)
	defer cancel()
	for tp := range t.building {
		t.seal(tp)
	}
	err := t.write(ctx, partition, offset)
	if err == nil {
		err = t.end(ctx)
	}
	if err != nil {
		t.drop()
		return err
	}
	t.full = nil
	return nil
}

// write is all of a transaction but its end. The order of requests is that of the
// engine, for its reasons (committer).
func (t *Transactor) write(ctx context.Context, partition int32, offset int64) error {
	topics := make(map[string][]int32)
	for _, w := range t.full {
		if !slices.Contains(topics[w.topic], w.partition) {
			topics[w.topic] = append(topics[w.topic], w.partition)
		}
	}
	err := retry(ctx, func() error {
		_, err := t.cluster.openTransaction(ctx, t.set.Group, t.producer, t.set.Group, topics, false)
		return err
	})
	if err != nil {
		return undone("add partitions to transaction", err)
	}
	results, err := t.cluster.produce(ctx, t.set.Group, t.full)
	if err != nil {
		return undone("produce", err)
	}
	for i, r := range results {
		if r.code != 0 {
			w := t.full[i]
			return undone(fmt.Sprintf("produce to %s-%d", w.topic, w.partition), wire.DeniedTopic(wire.Produce, r.code, w.topic))
		}
	}
	req := &wire.TxnOffsetCommitRequest{
		TransactionalID: t.set.Group, Group: t.set.Group, ProducerID: t.producer.id, ProducerEpoch: t.producer.epoch,
		Generation: -1, // no member: the group has none, and the broker refuses this while it has
		Topics: []wire.TxnOffsetTopic{{Topic: t.set.From, Partitions: []wire.TxnOffset{
			{Partition: partition, Offset: offset, Metadata: t.mine()},
		}}},
	}
	err = retry(ctx, func() error {
		var res wire.TxnOffsetCommitResponse
		return t.cluster.ask(ctx, wire.GroupCoordinator, t.set.Group, req, &res, res.Err)
	})
	if err != nil {
		return undone("commit offsets", err)
	}
	return nil
}

// end commits. When it had to be asked twice the producer is not used again
// before Begin: the second request may arrive late.
func (t *Transactor) end(ctx context.Context) error {
	asked := 0
	err := retry(ctx, func() error {
		asked++
		return t.cluster.endTransaction(ctx, t.set.Group, t.producer, true)
	})
	switch {
	case err == nil && asked > 1:
		t.fenced = false
		return t.begin(ctx)
	case err == nil:
		return nil
	}
	if err := undone("end transaction", err); errors.Is(err, ErrTakenOver) {
		return err // refused for the epoch: it was aborted before
	}
	return fmt.Errorf("end transaction: %w: %w", ErrUnknownOutcome, err)
}

// undone says why a transaction has failed before its end: it is or will be
// aborted.
func undone(doing string, err error) error {
	code, _ := errors.AsType[wire.ErrorCode](err)
	if code == wire.ProducerFenced || code == wire.InvalidProducerEpoch {
		err = fmt.Errorf("%w: %w", ErrTakenOver, err)
	}
	if code == wire.MessageTooLarge || code == wire.RecordListTooLarge {
		err = fmt.Errorf("%w: %w", ErrRefusedForSize, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Passing tells errors of a Transactor after which it is worth to Begin again.
func (t *Transactor) Passing(err error) bool {
	if errors.Is(err, ErrTakenOver) || errors.Is(err, ErrRefusedForSize) {
		return false
	}
	code, answered := errors.AsType[wire.ErrorCode](err)
	return !answered || code.Retriable() || code == wire.UnknownServerError || code == wire.InvalidTxnState ||
		code == wire.OutOfOrderSequenceNumber || code == wire.UnknownProducerID || code == wire.TransactionAbortable ||
		errors.Is(err, ErrUnknownOutcome)
}

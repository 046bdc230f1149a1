package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// committer executes transactions, one after the other, under one
// transactional ID. Its fields belong to the goroutine that runs it.
//
// The order of requests is the protocol's, and each step has a test that goes
// red when it is left out (brokertest on a real broker; doc.go there has the table):
//
//  1. AddPartitionsToTxn answered 0 before any Produce: directly after an
//     EndTxn a Produce would land in the transaction that has just ended.
//  2. every Produce answered before TxnOffsetCommit and EndTxn.
//  3. TxnOffsetCommit with the current generation and member ID: this is the
//     fence. Refused, the transaction is not ended with commit; the broker
//     would obey.
//  4. EndTxn(commit).
type committer struct {
	set     Settings
	cluster *cluster
	member  *member
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time
	clock   *brokerClock // shared, has its own lock

	requests chan *transaction

	txnID    string
	producer producerID
	// fresh is true when the producer may open a transaction. It is false
	// before the first InitProducerID and after every unknown outcome.
	fresh     bool
	sequences map[topicPartition]int32

	// What must be known should a transaction hang (doubts.go): how the one
	// before the last InitProducerID has ended; the offsets of the last records
	// that the attempt under way and the last committed one have written; whether
	// the attempt has opened one, sent records, and offsets; and the partitions in doubt.
	ended        ended
	wrote, kept  map[topicPartition]int64
	moves        moves
	opened, sent bool
	offered      bool
	doubts       map[topicPartition]doubt

	// pause comes before the next attempt; nil when the last one committed.
	pause *backoff

	// lastEnd is when the last transaction was told to commit, zero when that was
	// with another producer; markers is what the attempt has seen of its markers.
	lastEnd time.Time
	markers markersSeen
}

// producerID is what InitProducerID hands out.
type producerID struct {
	id    int64
	epoch int16
}

type topicPartition struct {
	topic     string
	partition int32
}

func newCommitter(c *cluster, set Settings, m *member, deps Deps, mt *metrics) *committer {
	return &committer{
		set: set, cluster: c, member: m, log: deps.Log, metrics: mt, now: deps.Now, clock: &brokerClock{},
		requests: make(chan *transaction), doubts: make(map[topicPartition]doubt),
	}
}

func (c *committer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case tx := <-c.requests:
			c.execute(ctx, tx)
			select {
			case tx.done <- tx:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// execute runs a transaction until each of its parts has a verdict.
func (c *committer) execute(ctx context.Context, tx *transaction) {
	if c.pause != nil {
		c.pause.wait(ctx)
	}
	select {
	case <-tx.void:
		// A newer takeover may have its stable offsets already: ours are old,
		// and would move the group back. One that begins after this look has its
		// requests behind ours (TestCommitter_LeavesAVoidTakeover).
		if guardVoid {
			tx.decide(rolledBack)
			return
		}
	default:
	}
	start := c.now()
	g := c.member.generation()
	if tx.producerOnly {
		tx.err = c.prepare(ctx, g, tx.tasks)
		return
	}
	tx.disown(g)
	parts := tx.undecided()
	if len(parts) == 0 {
		return
	}
	err := c.attempt(ctx, g, parts)
	result := resultCommitted
	c.pauseAfter(err, parts)
	if err == nil {
		tx.decide(committed)
		tx.answered = true
		tx.ended, tx.markers = c.lastEnd, c.markers
		c.keep()
	} else {
		result = resultSettled
		c.log.Warn("transaction did not end as asked; finding out what became of it", slog.Any("err", err))
		c.fresh = c.fresh && !guardReinit
		tx.err = c.settle(ctx, tx)
		// What is refused for want of an ACL is named by the request that needed it: those
		// that find out what became of the transaction are refused then too, for less.
		if (tx.err == nil && (final(err) || errors.Is(err, ErrFatal))) || (denied(tx.err) && denied(err)) {
			tx.err = fatalf("transaction: %w", err)
		}
	}
	c.metrics.transactions.WithLabelValues(result).Observe(c.now().Sub(start).Seconds())
}

// pauseAfter makes the next attempt wait after a failure that may last: each one
// costs a producer epoch (TestCommitter_PausesBetweenFailures). A refusal for
// size makes the next attempt another one.
func (c *committer) pauseAfter(err error, parts []*part) {
	refused := slices.ContainsFunc(parts, func(p *part) bool { return p.refused != nil })
	switch {
	case err == nil || refused:
		c.pause = nil
	case c.pause == nil:
		c.pause = newBackoff()
	}
}

// attempt runs the requests of one transaction. Any error leaves its outcome
// open.
func (c *committer) attempt(ctx context.Context, g *generation, parts []*part) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.set.TransactionTimeout, errTransactionTimeout)
	defer cancel()
	c.opened, c.sent, c.offered, c.wrote = false, false, false, make(map[topicPartition]int64)
	if err := c.ensureProducer(ctx, g); err != nil {
		return err
	}
	c.ended = endUnknown
	if err := c.doubtMoved(ctx); err != nil {
		return err
	}
	if err := c.clearDoubts(ctx, c.destinations(parts), nil); err != nil {
		return err
	}
	began := c.now()
	if !guardAddedFirst {
		go func() { _ = c.open(ctx, parts) }()
	} else if err := c.open(ctx, parts); err != nil {
		return err
	}
	if err := c.openedInTime(began); err != nil {
		return err
	}
	if err := c.produce(ctx, parts); err != nil && guardAnswered {
		return err
	}
	if err := c.commitOffsets(ctx, g, parts); err != nil && guardRefusedOffsets {
		return err
	}
	return c.end(ctx)
}

var errTransactionTimeout = errors.New("transaction time-out (PULSE_TRANSACTION_TIMEOUT)")

// prepare ends what an earlier process with the same transactional ID has left
// open. A static member does so before it asks for offsets: those that the
// transaction holds would not come before it times out, or change afterwards.
// What hangs of it is ended now too: our next transaction would end it in its own way.
func (c *committer) prepare(ctx context.Context, g *generation, tasks []int32) error {
	if g == nil {
		return errNotJoined
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.set.TransactionTimeout, errTransactionTimeout)
	defer cancel()
	if err := c.ensureProducer(ctx, g); err != nil || c.ended == endUnknown {
		return err
	}
	for _, topic := range c.set.Topics.outputs() {
		for _, task := range tasks {
			c.doubts[topicPartition{topic, task}] = doubt{c.ended, -1}
		}
	}
	if err := c.clearDoubts(ctx, nil, tasks); err != nil {
		return err // and it is still known how to end what hangs
	}
	c.ended = endUnknown
	return nil
}

// ensureProducer makes the transactional ID of the generation usable:
// InitProducerID with −1/−1 until it answers 0. That ends whatever transaction
// is open under the ID, and fences everybody else who uses it.
func (c *committer) ensureProducer(ctx context.Context, g *generation) error {
	if c.fresh && c.txnID == g.txnID {
		return nil
	}
	if c.txnID != g.txnID {
		c.ended, c.kept = endUnknown, nil
		clear(c.doubts)
	}
	p, last, err := c.cluster.fence(ctx, g.txnID, c.set.TransactionTimeout)
	if err != nil {
		return fmt.Errorf("init producer %s: %w", g.txnID, err)
	}
	if c.ended == endUnknown {
		// Not from what is done about a failure: that has transactions of its own.
		c.ended = last
	}
	c.txnID, c.producer, c.fresh, c.lastEnd = g.txnID, p, true, time.Time{}
	// Sequences start at 0 with every epoch (KIP-98).
	c.sequences = make(map[topicPartition]int32)
	return nil
}

// destinations are the partitions that the parts write to.
func (c *committer) destinations(parts []*part) map[topicPartition]bool {
	to := make(map[topicPartition]bool)
	for _, p := range parts {
		for _, b := range p.batches {
			to[topicPartition{c.cluster.topology.topic(b.to), p.task}] = true
		}
	}
	return to
}

// open adds every partition that the parts write to, and the group's offsets.
func (c *committer) open(ctx context.Context, parts []*part) error {
	topics := make(map[string][]int32)
	for _, p := range parts {
		seen := make(map[string]bool)
		for _, b := range p.batches {
			topic := c.cluster.topology.topic(b.to)
			if !seen[topic] {
				seen[topic] = true
				topics[topic] = append(topics[topic], p.task)
			}
		}
	}
	c.opened = true
	asked, other := 0, c.lastEnd.IsZero()
	// One moment for all tries: the transaction may have begun with the first, whatever that
	// one was told.
	sent := c.now()
	err := retryMarkers(ctx, func() error {
		asked++
		begunMs, err := c.cluster.openTransaction(ctx, c.txnID, c.producer, c.set.Group, topics, c.clock.due(sent))
		c.clock.read(begunMs, sent, c.now())
		other = other || err != nil && !errors.Is(err, wire.ConcurrentTransactions)
		return err
	})
	if err != nil {
		return fmt.Errorf("add partitions to transaction: %w", err)
	}
	if c.markers = (markersSeen{}); !other {
		c.markers = markersSeen{after: c.now().Sub(c.lastEnd), asked: asked}
	}
	return nil
}

// produce writes all batches and waits for every answer.
func (c *committer) produce(ctx context.Context, parts []*part) error {
	var writes []write
	for _, p := range parts {
		for _, b := range p.batches {
			tp := topicPartition{c.cluster.topology.topic(b.to), p.task}
			seq := c.sequences[tp]
			batch.Stamp(b.bytes, c.producer.id, c.producer.epoch, seq, true)
			c.sequences[tp] = batch.NextSequence(seq, batch.Count(b.bytes))
			writes = append(writes, write{topicPartition: tp, bytes: b.bytes, part: p, batch: b})
		}
	}
	for _, w := range writes {
		if err := c.cluster.reachable(ctx, w.topicPartition); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
	}
	c.sent = true
	results, err := c.cluster.produce(ctx, c.txnID, writes)
	if err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	for i, r := range results {
		w := writes[i]
		if r.code != 0 {
			if c.noteRefusal(w, r.code); guardStateRefusal && w.part.refused != nil && w.topic == c.set.Topics.State && w.part.refused.alone {
				err = errors.Join(err, fatalf("topic %s takes no state record of %d bytes: raise its max.message.bytes", w.topic, len(w.bytes)))
			}
			err = errors.Join(err, fmt.Errorf("produce to %s-%d: %w", w.topic, w.partition, wire.DeniedTopic(wire.Produce, r.code, w.topic)))
			continue
		}
		last := r.baseOffset + int64(batch.Count(w.bytes)) - 1
		c.wrote[w.topicPartition] = max(c.wrote[w.topicPartition], last)
		if w.topic == c.set.Topics.State {
			w.part.stateEnd = last
		}
	}
	return err
}

// noteRefusal remembers what was too large, so that the next attempt does
// otherwise.
func (c *committer) noteRefusal(w write, code wire.ErrorCode) {
	if code != wire.MessageTooLarge && code != wire.RecordListTooLarge {
		return
	}
	c.metrics.refusals.Inc()
	c.log.Error("the broker refuses a batch for its size: raise the topic's max.message.bytes; it is written otherwise",
		slog.String("topic", w.topic), slog.Int("partition", int(w.partition)), slog.Int("bytes", len(w.bytes)),
		slog.Int("records", int(batch.Count(w.bytes))), slog.Int("tier", w.batch.origin.tier), slog.Int64("offset", w.batch.origin.offset))
	w.part.refused = &refusal{to: w.batch.to, origin: w.batch.origin, alone: batch.Count(w.bytes) == 1, size: w.batch.size}
}

// commitOffsets sends the offsets under the current generation. While the
// group rebalances, the generation in hand is accepted until the new one is
// made; then the new one is used, if it still holds every task of the
// transaction. Nothing is sent under a generation whose assignment is not in
// hand: between JoinGroup's and SyncGroup's answer the broker would accept
// offsets for anybody's partition.
func (c *committer) commitOffsets(ctx context.Context, g *generation, parts []*part) error {
	next := make(map[int32]offsets, len(parts))
	for _, p := range parts {
		next[p.task] = p.next
	}
	c.offered = true
	for {
		err := retry(ctx, func() error {
			return c.cluster.commitOffsets(ctx, c.txnID, c.producer, c.fenceOf(g), next)
		})
		if err == nil {
			return nil
		}
		if !errors.Is(err, wire.IllegalGeneration) && !errors.Is(err, wire.RebalanceInProgress) {
			return fmt.Errorf("commit offsets: %w", err)
		}
		later, waitErr := c.member.after(ctx, g)
		if waitErr != nil {
			return fmt.Errorf("commit offsets: %w, and no new generation: %w", err, waitErr)
		}
		if later == nil || later.txnID != c.txnID || !holdsAll(later, parts) {
			return fmt.Errorf("commit offsets: %w: the group has given tasks of this transaction away", err)
		}
		g = later
	}
}

func (c *committer) fenceOf(g *generation) fence {
	if !guardGeneration {
		return fence{group: c.set.Group, generation: -1}
	}
	return fence{group: c.set.Group, generation: g.id, memberID: g.memberID, instanceID: c.set.InstanceID}
}

// end commits. A repeated EndTxn may reach the broker late, when the next
// transaction is open already; so after a second attempt the producer must be
// initialised anew before it opens one.
func (c *committer) end(ctx context.Context) error {
	attempts := 0
	err := retry(ctx, func() error {
		attempts++
		return c.cluster.endTransaction(ctx, c.txnID, c.producer, true)
	})
	if guardRepeatedEnd && attempts > 1 {
		c.fresh = false
	}
	if err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	c.lastEnd = c.now()
	return nil
}

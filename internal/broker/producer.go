package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/codec"
)

// Producer writes records to one topic, each partition's in order and none
// twice: an idempotent producer without transactions (KIP-98). A batch whose
// answer was lost is sent again with the same sequence, and the broker knows
// it by that. It is not for concurrent use.
type Producer struct {
	cluster    *cluster
	topic      string
	partitions []int
	balancer   kafka.Murmur2Balancer
	memory     *memory

	producer  producerID
	sequences map[topicPartition]int32
	building  map[int32]*batch.Builder
	full      []write
	bytes     int
}

// flushBytes is how much is collected before it is sent.
const flushBytes = 4 << 20

// sendPatience bounds how long a batch is tried again.
const sendPatience = 30 * time.Second

// NewProducer connects to the cluster and prepares to write to topic.
func NewProducer(ctx context.Context, conn Connection, topic string, c batch.Compression) (*Producer, error) {
	m, err := newMemory(c)
	if err != nil {
		return nil, err
	}
	cl, err := newCluster(conn, "", Topology{Input: topic}, m)
	if err != nil {
		return nil, err
	}
	p := &Producer{
		cluster: cl, topic: topic, memory: m,
		// Kafka's own clients put records without a key anywhere; Consistent
		// makes an absent key go where an empty one does.
		balancer:  kafka.Murmur2Balancer{Consistent: true},
		sequences: make(map[topicPartition]int32),
		building:  make(map[int32]*batch.Builder),
	}
	n, err := cl.partitions(ctx, topic)
	if err != nil {
		cl.close()
		return nil, err
	}
	for i := range int(n) {
		p.partitions = append(p.partitions, i)
	}
	if p.producer, err = cl.idempotentID(ctx); err != nil {
		cl.close()
		return nil, err
	}
	return p, nil
}

// idempotentID asks for a producer ID without a transactional one.
func (c *cluster) idempotentID(ctx context.Context) (producerID, error) {
	var res wire.InitProducerIDResponse
	req := &wire.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1}
	err := retry(ctx, func() error {
		if err := c.do(ctx, anyNode, req, &res); err != nil {
			return err
		}
		return wire.Denied(wire.InitProducerID, res.Code, "")
	})
	if err != nil {
		return producerID{}, fmt.Errorf("init producer: %w", err)
	}
	return producerID{res.ProducerID, res.ProducerEpoch}, nil
}

// Close ends the connections. What was not flushed is not sent.
func (p *Producer) Close() { p.cluster.close() }

// Append adds a record to the partition that Kafka's murmur2 partitioner gives
// its key. It is sent at the latest with Flush.
func (p *Producer) Append(ctx context.Context, timestampMs int64, key, value []byte, headers []codec.Header) error {
	partition := int32(p.balancer.Balance(kafka.Message{Key: key}, p.partitions...))
	b := p.building[partition]
	size := batch.RecordBound(key, value, headers)
	if b != nil && b.Size()+size > batchBytes {
		p.close(partition)
		b = nil
	}
	if b == nil {
		b = p.memory.builder()
		p.building[partition] = b
	}
	b.Append(timestampMs, key, value, headers)
	if p.bytes += size; p.bytes >= flushBytes {
		return p.Flush(ctx)
	}
	return nil
}

// close ends the batch of a partition.
func (p *Producer) close(partition int32) {
	b := p.building[partition]
	delete(p.building, partition)
	tp := topicPartition{p.topic, partition}
	bytes := p.memory.seal(b)
	seq := p.sequences[tp]
	batch.Stamp(bytes, p.producer.id, p.producer.epoch, seq, false)
	p.sequences[tp] = batch.NextSequence(seq, batch.Count(bytes))
	p.full = append(p.full, write{topicPartition: tp, bytes: bytes})
}

// Flush sends everything and waits until the brokers have it.
func (p *Producer) Flush(ctx context.Context) error {
	for partition := range p.building {
		p.close(partition)
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	waiting := p.full
	for pause := newBackoff(); len(waiting) > 0; {
		rest, err := p.send(ctx, waiting)
		if err == nil && len(rest) == 0 {
			break
		}
		var code wire.ErrorCode
		if errors.As(err, &code) && !code.Retriable() {
			return fmt.Errorf("produce to %s: %w", p.topic, err)
		}
		pause.wait(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("produce to %s: %w, last: %w", p.topic, context.Cause(ctx), err)
		}
		waiting = rest
	}
	p.full, p.bytes = nil, 0
	return nil
}

// send returns what has to be sent again. A partition is taken up where its
// first failure was: what came after it was refused for its sequence.
func (p *Producer) send(ctx context.Context, waiting []write) (rest []write, err error) {
	results, err := p.cluster.produce(ctx, "", waiting)
	if err != nil {
		return waiting, err // sequences tell the broker what it has already
	}
	failed := make(map[topicPartition]bool)
	for i, r := range results {
		w := waiting[i]
		done := r.code == 0 || r.code == wire.DuplicateSequenceNumber
		if done && !failed[w.topicPartition] {
			continue
		}
		if !failed[w.topicPartition] {
			err = errors.Join(err, fmt.Errorf("%s-%d: %w", w.topic, w.partition, wire.DeniedTopic(wire.Produce, r.code, w.topic)))
		}
		failed[w.topicPartition] = true
		rest = append(rest, w)
	}
	return rest, err
}

package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// isolation of a fetch.
type isolation bool

const (
	readUncommitted isolation = false
	readCommitted   isolation = true
)

// fetch performs one long poll. The result's buffer has one reference, unless
// there is an error.
func (c *cluster) fetch(ctx context.Context, plan fetchPlan) fetchResult {
	var topics []wire.FetchTopic
	for _, p := range plan.partitions {
		// By the ID with which the task was taken, not by that of the topic
		// there is now (Changes_InputMadeAgainIsReadFromItsStart).
		if n := len(topics); n == 0 || topics[n-1].Topic != p.topic {
			topics = append(topics, wire.FetchTopic{Topic: p.topic})
		}
		last := &topics[len(topics)-1]
		last.Partitions = append(last.Partitions, wire.FetchPartition{
			Partition: p.task.id, Offset: p.offset, MaxBytes: partitionBytes,
		})
	}
	req := &wire.FetchRequest{
		MaxWaitMs: int32(plan.wait.Milliseconds()), MinBytes: 1, MaxBytes: plan.maxBytes,
		Committed: bool(readCommitted) && guardReadCommitted, Topics: topics,
	}
	r := fetchResult{plan: plan}
	r.parts, r.buf, r.err = c.fetchFrom(ctx, plan.leader, req)
	return r
}

// fetchOne reads from one partition, wherever its leader is. The ID keeps it from
// reading on in a successor of the topic.
func (c *cluster) fetchOne(ctx context.Context, topic string, id wire.TopicID, partition int32, offset int64, level isolation) (fetchedPartition, error) {
	node, err := c.leaderNow(ctx, topic, partition)
	if err != nil {
		return fetchedPartition{}, err
	}
	parts, _, err := c.fetchFrom(ctx, node, oneFetch(id, partition, offset, level, fetchBytes))
	switch {
	case err != nil:
		return fetchedPartition{}, err
	case len(parts) != 1:
		return fetchedPartition{}, fmt.Errorf("%s-%d: answer has %d partitions", topic, partition, len(parts))
	case parts[0].code != 0:
		return fetchedPartition{}, fmt.Errorf("fetch %s-%d: %w", topic, partition, wire.DeniedTopic(wire.Fetch, parts[0].code, topic))
	}
	return parts[0], nil
}

// oneFetch asks for records of one partition, up to a number of bytes or one batch.
func oneFetch(topic wire.TopicID, partition int32, offset int64, level isolation, most int32) *wire.FetchRequest {
	return &wire.FetchRequest{
		MaxWaitMs: int32(fetchWait.Milliseconds()), MinBytes: 1, MaxBytes: most, Committed: bool(level),
		Topics: []wire.FetchTopic{{Topic: topic, Partitions: []wire.FetchPartition{
			{Partition: partition, Offset: offset, MaxBytes: most},
		}}},
	}
}

func (c *cluster) fetchFrom(ctx context.Context, node int32, req *wire.FetchRequest) ([]fetchedPartition, *buffer, error) {
	id := c.correlation.Add(1)
	var buf *buffer
	answers, err := c.send(ctx, &exchange{
		api: int16(req.API()), node: node, count: 1,
		frames: [][]byte{req.Append(make([]byte, 0, 2*usualFrame), id, c.clientID)},
		grab: func(n int) []byte {
			buf = c.memory.buffer(n)
			return buf.bytes
		},
	})
	if err != nil {
		// A time-out leaves the connection writing into the buffer: it is
		// left to the garbage collector.
		return nil, nil, err
	}
	var res wire.FetchResponse
	if err := res.Decode(id, answers[0]); err != nil {
		return nil, nil, err
	}
	if res.Code != 0 {
		return nil, nil, res.Code
	}
	parts := make([]fetchedPartition, len(res.Partitions))
	for i, p := range res.Partitions {
		slices.SortFunc(p.Aborted, func(a, b wire.AbortedTransaction) int {
			return cmp.Compare(a.FirstOffset, b.FirstOffset)
		})
		parts[i] = fetchedPartition{
			topic: p.Topic, partition: p.Partition, code: p.Code, end: p.HighWatermark, stable: p.LastStable, set: p.Records, aborted: p.Aborted,
		}
	}
	return parts, buf, nil
}

// wholeBatches cuts off the partial batch that an answer may end with. next is
// the offset after the last whole one. Checksums are left to the worker.
func wholeBatches(set []byte) (next int64, whole []byte, err error) {
	for at := 0; ; {
		last, size, err := batch.Peek(set[at:])
		if errors.Is(err, io.EOF) {
			return next, set[:at], nil
		}
		if err != nil {
			return next, set[:at], err
		}
		next = last + 1
		at += size
	}
}

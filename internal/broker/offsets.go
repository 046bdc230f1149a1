package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// committedOffset is what the group has committed for a task, −1 for nothing.
// metadata is the transactional ID of who committed it.
type committedOffset struct {
	offset   int64
	metadata string
}

// groupOffsets are what the group has committed for a task, by tier.
type groupOffsets []committedOffset

// input is that of the input.
func (g groupOffsets) input() committedOffset { return g[0] }

// offsets are those alone.
func (g groupOffsets) offsets() offsets {
	o := make(offsets, len(g))
	for tier, c := range g {
		o[tier] = c.offset
	}
	return o
}

// none is that nothing is committed of n topics.
func none(n int) groupOffsets {
	return slices.Repeat(groupOffsets{{offset: noOffset}}, n)
}

// offsets asks what the group has committed. With stable, the broker answers
// UNSTABLE_OFFSET_COMMIT while a transaction holds an offset that is not
// decided yet (KIP-447); without it the old offset comes, and to go on from
// that one doubles what the transaction commits.
func (c *cluster) offsets(ctx context.Context, tasks []int32, stable bool) (map[int32]groupOffsets, error) {
	var res wire.OffsetFetchResponse
	req := &wire.OffsetFetchRequest{
		Group: c.group, Stable: stable && guardStableOffsets,
	}
	for tier := range c.topology.sources() {
		req.Topics = append(req.Topics, wire.TopicPartitions{Topic: c.topology.source(tier), Partitions: tasks})
	}
	err := c.ask(ctx, wire.GroupCoordinator, c.group, req, &res, func() error {
		if res.Code != 0 {
			return res.Code
		}
		for _, o := range res.Offsets {
			if o.Code != 0 {
				return wire.DeniedTopic(wire.OffsetFetch, o.Code, o.Topic)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return byTask(c.topology, tasks, res.Offsets)
}

func byTask(topology Topology, tasks []int32, answer []wire.CommittedOffset) (map[int32]groupOffsets, error) {
	out := make(map[int32]groupOffsets, len(tasks))
	for _, t := range tasks {
		out[t] = none(topology.sources())
	}
	answered := 0
	for _, o := range answer {
		if tier := topology.sourceTier(o.Topic); tier >= 0 && out[o.Partition] != nil {
			out[o.Partition][tier] = committedOffset{o.Offset, o.Metadata}
			answered++
		}
	}
	if want := len(tasks) * topology.sources(); answered != want {
		return nil, fmt.Errorf("the answer has %d committed offsets, %d were asked for", answered, want)
	}
	return out, nil
}

// stableOffsets waits until no transaction holds any of the offsets.
func (c *cluster) stableOffsets(ctx context.Context, tasks []int32) (map[int32]groupOffsets, error) {
	var got map[int32]groupOffsets
	err := retry(ctx, func() (err error) {
		got, err = c.offsets(ctx, tasks, true)
		return err
	})
	return got, err
}

// listOffset asks a partition's leader for an offset: wire.EarliestOffset,
// wire.LatestOffset. With committed the latest is the last stable offset.
func (c *cluster) listOffset(ctx context.Context, topic string, partition int32, at int64, committed bool) (int64, error) {
	node, err := c.leaderNow(ctx, topic, partition)
	if err != nil {
		return 0, err
	}
	var res wire.ListOffsetsResponse
	err = c.do(ctx, node, &wire.ListOffsetsRequest{
		Committed: committed,
		Topics: []wire.ListOffsetsTopic{{Topic: topic, Partitions: []wire.ListOffsetsPartition{
			{Partition: partition, TimestampMs: at},
		}}},
	}, &res)
	switch {
	case err != nil:
		return 0, err
	case len(res.Offsets) != 1:
		return 0, fmt.Errorf("%s-%d: ListOffsets answered for %d partitions", topic, partition, len(res.Offsets))
	case res.Offsets[0].Code != 0:
		c.refresh()
		return 0, fmt.Errorf("%s-%d: ListOffsets: %w", topic, partition, wire.DeniedTopic(wire.ListOffsets, res.Offsets[0].Code, topic))
	}
	return res.Offsets[0].Offset, nil
}

// logStart is the first offset of a partition.
func (c *cluster) logStart(ctx context.Context, topic string, partition int32) (int64, error) {
	return c.listOffset(ctx, topic, partition, wire.EarliestOffset, false)
}

// startOffset is where a group without a committed offset begins.
func (c *cluster) startOffset(ctx context.Context, topic string, partition int32, at StartOffset) (int64, error) {
	var offset int64
	err := retry(ctx, func() (err error) {
		offset, err = c.listOffset(ctx, topic, partition, int64(at), false)
		return err
	})
	return offset, err
}

// openOwners are the transactional IDs of all who have a transaction open on a
// task's state: owner records above its last stable offset.
func (c *cluster) openOwners(ctx context.Context, task int32) ([]string, error) {
	next, err := c.listOffset(ctx, c.topology.State, task, wire.LatestOffset, true)
	if err != nil {
		return nil, err
	}
	end, err := c.listOffset(ctx, c.topology.State, task, wire.LatestOffset, false)
	if err != nil {
		return nil, err
	}
	topic, err := c.topicID(c.topology.State)
	if err != nil {
		return nil, err
	}
	var ids []string
	for next < end {
		got, err := c.fetchOne(ctx, c.topology.State, topic, task, next, readUncommitted)
		if err != nil {
			return nil, err
		}
		before := next
		got.aborted = nil
		err = eachCommitted(got, next, func(rec *batch.Record) error {
			if rec.Value == nil || !slices.Contains([]string{claimKey, ownerKey}, string(rec.Key)) {
				return nil
			}
			o, err := decodeOwner(rec.Value)
			if err != nil {
				// Trying again would read the same record for ever
				// (TestEngine_EndsAtAnOwnerRecordOfANewerFormat).
				return fatalf("state of task %d at offset %d: %w", task, rec.Offset, err)
			}
			ids = append(ids, o.Owner)
			return nil
		}, &next)
		if err != nil {
			return nil, err
		}
		if next == before {
			return nil, errors.New("state partition gives nothing below its end")
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

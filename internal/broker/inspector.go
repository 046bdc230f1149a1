package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	kafka "github.com/segmentio/kafka-go"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// Inspector looks at topics and at the group from outside: it joins nothing,
// commits nothing and can run beside the service. It is for one goroutine at a
// time.
type Inspector struct {
	cluster *cluster
	set     InspectorSettings
}

// InspectorSettings say what an Inspector looks at.
type InspectorSettings struct {
	Group  string
	Topics Topology
	// MaxRecordBytes is how long a value may be to be shown; a longer one
	// is withheld.
	MaxRecordBytes int
}

// NewInspector prepares an Inspector. It does not connect.
func NewInspector(conn Connection, set InspectorSettings) (*Inspector, error) {
	m, err := newMemory(batch.None)
	if err != nil {
		return nil, err
	}
	c, err := newCluster(conn, set.Group, set.Topics, m)
	if err != nil {
		return nil, err
	}
	return &Inspector{cluster: c, set: set}, nil
}

// Close ends the connections.
func (i *Inspector) Close() { i.cluster.close() }

// Partitions is how many partitions the input has. The other topics must exist
// and have as many. It does not wait for what is not there.
func (i *Inspector) Partitions(ctx context.Context, others ...string) (int32, error) {
	input := i.set.Topics.Input
	n, err := i.cluster.partitions(ctx, input)
	if errors.Is(err, wire.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("topic %s does not exist: are PULSE_TOPIC_INPUT and PULSE_BROKERS those of the service?", input)
	}
	if Refused(err) {
		return 0, bare(err)
	}
	if err != nil {
		return 0, fmt.Errorf("ask the brokers for topic %s: is PULSE_BROKERS right, and are they up?: %w", input, err)
	}
	for _, topic := range others {
		if err := i.cluster.allowed(topic); err != nil {
			return 0, err
		}
		switch has := i.cluster.known(topic); {
		case has == 0:
			return 0, fmt.Errorf("topic %s does not exist: has the service run, and are its group and topics those of this environment?", topic)
		case has < n:
			return 0, fmt.Errorf("topic %s has %d partitions, the input %s has %d: they must be equal", topic, has, input, n)
		}
	}
	return n, nil
}

// NoOffset is what Committed gives where nothing is committed.
const NoOffset int64 = -1

// Committed is what the group has committed of the input, by partition. A
// transaction that is about to commit an offset has no part in it: what went
// with the offset that is given is decided.
func (i *Inspector) Committed(ctx context.Context, partitions int32) ([]int64, error) {
	all, err := i.CommittedOfAll(ctx, partitions)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// Has tells whether a topic exists, as of the last look (Partitions).
func (i *Inspector) Has(topic string) bool { return i.cluster.known(topic) > 0 }

// CommittedOfAll is what Committed is for the input and each retry tier, by tier and
// partition; 0 is the input.
func (i *Inspector) CommittedOfAll(ctx context.Context, partitions int32) ([][]int64, error) {
	tasks := make([]int32, partitions)
	for p := range tasks {
		tasks[p] = int32(p)
	}
	var got map[int32]groupOffsets
	err := i.patiently(ctx, func() (err error) {
		got, err = i.cluster.offsets(ctx, tasks, false)
		return err
	})
	gone := errors.Is(err, wire.GroupIDNotFound) // some brokers say so, others that there is no offset
	if err != nil && !gone {
		return nil, fmt.Errorf("offsets of group %s: %w", i.set.Group, err)
	}
	out := make([][]int64, i.set.Topics.sources())
	for tier := range out {
		out[tier] = make([]int64, partitions)
		for p := range out[tier] {
			out[tier][p] = NoOffset
			if !gone {
				out[tier][p] = got[int32(p)][tier].offset
			}
		}
	}
	return out, nil
}

// Start is a partition's first offset that is still in the log.
func (i *Inspector) Start(ctx context.Context, topic string, partition int32) (int64, error) {
	return i.offset(ctx, topic, partition, wire.EarliestOffset)
}

// End is the offset after a partition's last record that is on all in-sync
// replicas, undecided ones included.
func (i *Inspector) End(ctx context.Context, topic string, partition int32) (int64, error) {
	return i.offset(ctx, topic, partition, wire.LatestOffset)
}

// OffsetAt is the first offset whose record is not older than a time, in
// milliseconds since 1970; NoOffset when all are older.
func (i *Inspector) OffsetAt(ctx context.Context, topic string, partition int32, atMs int64) (int64, error) {
	return i.offset(ctx, topic, partition, max(0, atMs))
}

func (i *Inspector) offset(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	var offset int64
	err := i.patiently(ctx, func() (err error) {
		offset, err = i.cluster.listOffset(ctx, topic, partition, at, false)
		return err
	})
	return offset, err
}

// PartitionOf is the partition that Kafka's murmur2 partitioner gives a key.
func (i *Inspector) PartitionOf(key string, partitions int32) int32 {
	all := make([]int, partitions)
	for p := range all {
		all[p] = p
	}
	balancer := kafka.Murmur2Balancer{Consistent: true}
	return int32(balancer.Balance(kafka.Message{Key: []byte(key)}, all...))
}

// Group is the consumer group as its coordinator describes it.
type Group struct {
	// Exists is false for a group without members and offsets.
	Exists bool
	// Owners names the member that has each partition of the input, as
	// member@host; a partition that nobody has is absent. During a rebalance
	// nobody has any.
	Owners map[int32]string
}

// Group asks who is in the group.
func (i *Inspector) Group(ctx context.Context) (Group, error) {
	var res wire.DescribeGroupsResponse
	req := &wire.DescribeGroupsRequest{Groups: []string{i.set.Group}}
	err := i.patiently(ctx, func() error {
		return i.cluster.ask(ctx, wire.GroupCoordinator, i.set.Group, req, &res, func() error {
			if len(res.Groups) != 1 {
				return fmt.Errorf("answer has %d groups", len(res.Groups))
			}
			return res.Groups[0].Code.Err()
		})
	})
	if err != nil {
		return Group{}, fmt.Errorf("group %s: %w", i.set.Group, err)
	}
	described := res.Groups[0]
	g := Group{Exists: described.State != wire.GroupDead, Owners: make(map[int32]string)}
	if described.ProtocolType != wire.ConsumerProtocol {
		return g, nil // nobody is in it
	}
	for _, m := range described.Members {
		var a wire.Assignment
		if err := a.Decode(m.Assignment); err != nil {
			return Group{}, fmt.Errorf("group %s: member %s: %w", i.set.Group, m.MemberID, err)
		}
		for _, t := range a.Topics {
			if t.Topic != i.set.Topics.Input {
				continue
			}
			for _, p := range t.Partitions {
				g.Owners[p] = m.MemberID + "@" + strings.TrimPrefix(m.Host, "/")
			}
		}
	}
	return g, nil
}

package brokertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"pulse-scorer/internal/broker"
)

// bundle is what one case works on: topics and a group of its own, and a
// client that is not ours to write and judge with.
type bundle struct {
	t        *testing.T
	cluster  Cluster
	client   *kgo.Client
	topology broker.Topology
	group    string
	tasks    int32
	// ahead is how far the clocks of engines that are started are before this machine's.
	ahead time.Duration
	// inputs are the records that must be processed, in order, by task.
	inputs map[int32][]*kgo.Record
}

// layout of a bundle's topics.
type layout struct {
	tasks                      int32
	input, results, deadLetter map[string]string
}

// largeRecords lets a topic take what the tests send.
func largeRecords() map[string]string { return map[string]string{"max.message.bytes": "8388608"} }

// newBundle makes the topics.
func newBundle(t *testing.T, c Cluster, l layout) *bundle {
	t.Helper()
	b := emptyBundle(t, c)
	if l.tasks == 0 {
		l.tasks = 4
	}
	b.tasks = l.tasks
	b.createTopic(b.topology.Input, l.tasks, l.input)
	b.createTopic(b.topology.Results, l.tasks, l.results)
	b.createTopic(b.topology.DeadLetters, l.tasks, l.deadLetter)
	b.createTopic(b.topology.State, l.tasks, map[string]string{"cleanup.policy": "compact"})
	return b
}

// emptyBundle has names and no topics.
func emptyBundle(t *testing.T, c Cluster) *bundle {
	t.Helper()
	name := "suite-" + strings.ToLower(rand.Text()[:10])
	b := &bundle{
		t: t, cluster: c, group: name, tasks: 4, inputs: make(map[int32][]*kgo.Record),
		topology: broker.Topology{Input: name + ".in", Results: name + ".out", DeadLetters: name + ".dlq", State: name + ".state"},
	}
	b.client = b.newClient()
	return b
}

// newClient is a producer that numbers partitions by hand.
func (b *bundle) newClient(options ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	all := append([]kgo.Opt{
		kgo.SeedBrokers(b.cluster.Brokers...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.DefaultProduceTopic(b.topology.Input),
		kgo.ProducerBatchMaxBytes(16 << 20), kgo.BrokerMaxWriteBytes(32 << 20),
		// The oldest brokers that are supported; later requests name topics by ID.
		kgo.MaxVersions(kversion.V3_7_0()),
	}, options...)
	client, err := kgo.NewClient(all...)
	if err != nil {
		b.t.Fatalf("client: %v", err)
	}
	b.t.Cleanup(client.Close)
	return client
}

func (b *bundle) createTopic(name string, partitions int32, config map[string]string) {
	b.t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, -1
	b.createThis(topic, config)
	b.awaitTopic(name, partitions)
}

func (b *bundle) createThis(topic kmsg.CreateTopicsRequestTopic, config map[string]string) {
	b.t.Helper()
	for _, key := range slices.Sorted(maps.Keys(config)) {
		entry := kmsg.NewCreateTopicsRequestTopicConfig()
		entry.Name, entry.Value = key, new(config[key])
		topic.Configs = append(topic.Configs, entry)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 30_000
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(b.t.Context(), b.client)
	b.done("create topic "+topic.Topic, err, func() int16 { return res.Topics[0].ErrorCode })
}

// done ends the test if a request got no answer or the code of its answer, asked
// for only where there is one, is an error.
func (b *bundle) done(what string, err error, code func() int16) {
	b.t.Helper()
	if err == nil {
		err = kerr.ErrorForCode(code())
	}
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// awaitTopic waits until the cluster tells of a topic that it has made, leaders
// and all.
func (b *bundle) awaitTopic(name string, partitions int32) {
	b.t.Helper()
	eventually(b.t, func() string {
		got, err := b.describe(name)
		if err != nil {
			return err.Error()
		}
		if got.ErrorCode != 0 || len(got.Partitions) != int(partitions) {
			return fmt.Sprintf("topic %s: error %d, %d partitions", name, got.ErrorCode, len(got.Partitions))
		}
		for _, p := range got.Partitions {
			if p.ErrorCode != 0 || p.Leader < 0 {
				return fmt.Sprintf("%s-%d: error %d, leader %d", name, p.Partition, p.ErrorCode, p.Leader)
			}
		}
		return ""
	})
}

// describe is what the cluster tells of a topic.
func (b *bundle) describe(name string) (kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(b.t.Context(), b.client)
	if err != nil {
		return kmsg.MetadataResponseTopic{}, err
	}
	return res.Topics[0], nil
}

// send produces records and expects them to be processed.
func (b *bundle) send(records ...*kgo.Record) {
	b.t.Helper()
	b.sendWith(b.client, records...)
	b.expect(records...)
}

func (b *bundle) sendWith(client *kgo.Client, records ...*kgo.Record) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		b.t.Fatalf("produce: %v", err)
	}
}

// expect adds produced records to those that must be processed.
func (b *bundle) expect(records ...*kgo.Record) {
	for _, r := range records {
		b.inputs[r.Partition] = append(b.inputs[r.Partition], r)
	}
	for _, list := range b.inputs {
		slices.SortStableFunc(list, func(x, y *kgo.Record) int { return int(x.Offset - y.Offset) })
	}
}

// plain makes n records, spread over the partitions and over a few keys.
func (b *bundle) plain(n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{
			Partition: int32(i) % b.tasks,
			Key:       fmt.Appendf(nil, "key-%d", i%7), Value: fmt.Appendf(nil, "value-%d", i),
		}
	}
	return records
}

// listOffsets asks for an offset of every partition of a topic: −1 for the end,
// −2 for the start. With committed the end is the last stable offset.
func (b *bundle) listOffsets(topic string, at int64, committed bool) []int64 {
	b.t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	if req.ReplicaID = -1; committed {
		req.IsolationLevel = 1
	}
	ask := kmsg.NewListOffsetsRequestTopic()
	ask.Topic = topic
	for p := range b.tasks {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p, at
		ask.Partitions = append(ask.Partitions, partition)
	}
	req.Topics = append(req.Topics, ask)
	offsets := make([]int64, b.tasks)
	for _, shard := range b.client.RequestSharded(b.t.Context(), req) {
		if shard.Err != nil {
			b.t.Fatalf("list offsets of %s: %v", topic, shard.Err)
		}
		for _, p := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions { //nolint:forcetypeassert // what was asked for
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				b.t.Fatalf("list offsets of %s-%d: %v", topic, p.Partition, err)
			}
			offsets[p.Partition] = p.Offset
		}
	}
	return offsets
}

// ends are the log ends of the input, markers included.
func (b *bundle) ends() []int64 { b.t.Helper(); return b.listOffsets(b.topology.Input, -1, false) }

// committed is what the group has committed, −1 for nothing. It does not wait
// for open transactions.
func (b *bundle) committed() []int64 {
	b.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = b.group
	ask := kmsg.NewOffsetFetchRequestTopic()
	ask.Topic = b.topology.Input
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = b.group
	groupTopic := kmsg.NewOffsetFetchRequestGroupTopic()
	groupTopic.Topic = b.topology.Input
	for p := range b.tasks {
		ask.Partitions = append(ask.Partitions, p)
	}
	groupTopic.Partitions = ask.Partitions
	group.Topics = append(group.Topics, groupTopic)
	req.Topics, req.Groups = append(req.Topics, ask), append(req.Groups, group)
	res, err := req.RequestWith(b.t.Context(), b.client)
	if err != nil {
		b.t.Fatalf("fetch offsets: %v", err)
	}
	offsets := slices.Repeat([]int64{-1}, int(b.tasks))
	for _, topic := range res.Topics {
		for _, p := range topic.Partitions {
			offsets[p.Partition] = p.Offset
		}
	}
	for _, g := range res.Groups {
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				offsets[p.Partition] = p.Offset
			}
		}
	}
	return offsets
}

// awaitCommitted waits until the group has committed the whole input.
func (b *bundle) awaitCommitted() {
	b.t.Helper()
	eventually(b.t, func() string {
		// Markers of upstream transactions may come late: ask each time.
		return differ("committed offsets", b.committed(), b.ends())
	})
}

// read returns what a read_committed reader sees of a topic, by partition, when
// no transaction is open on it. Brokers end a transaction in each partition by
// itself, so offsets may be committed before results are visible.
func (b *bundle) read(topic string) map[int32][]*kgo.Record {
	b.t.Helper()
	var ends []int64
	eventually(b.t, func() string {
		ends = b.listOffsets(topic, -1, true)
		return differ("last stable offsets of "+topic, ends, b.listOffsets(topic, -1, false))
	})
	starts := b.listOffsets(topic, -2, false)
	from := make(map[int32]kgo.Offset)
	open := 0
	for p := range b.tasks {
		if starts[p] < ends[p] {
			from[p] = kgo.NewOffset().At(starts[p])
			open++
		}
	}
	seen := make(map[int32][]*kgo.Record)
	if open == 0 {
		return seen
	}
	reader := b.newClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)
	defer reader.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for open > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			b.t.Fatalf("read %s: %v; %d partitions not read to the end", topic, err, open)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset == ends[r.Partition]-1 {
				open--
			}
			if !r.Attrs.IsControl() && r.Offset < ends[r.Partition] {
				seen[r.Partition] = append(seen[r.Partition], r)
			}
		})
	}
	return seen
}

// on moves records to some of the partitions.
func on(records []*kgo.Record, tasks ...int32) []*kgo.Record {
	for i, r := range records {
		r.Partition = tasks[i%len(tasks)]
	}
	return records
}

// awaitCommittedOf waits until the group has committed the whole input of tasks.
func (b *bundle) awaitCommittedOf(tasks ...int32) {
	b.t.Helper()
	eventually(b.t, func() string {
		committed, ends := b.committed(), b.ends()
		for _, id := range tasks {
			if committed[id] != ends[id] {
				return fmt.Sprintf("task %d is committed to %d of %d", id, committed[id], ends[id])
			}
		}
		return ""
	})
}

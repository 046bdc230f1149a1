package broker_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/faultnet"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// faultsAtOnce: the cases wait for time-outs most of their time.
const faultsAtOnce = 24

// Every request of the engine loses its answer, has it stalled, is lost itself or
// comes late. The engine finds out what has happened and goes on: nothing is lost
// or doubled. The same matrix runs on a real broker (integration, TestFaults_EachRequest).
func TestSettle_LostAnswerOfEachRequest(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{}, faultsAtOnce)
	var running sync.WaitGroup
	for _, fault := range faultnet.Matrix() { //nolint:paralleltest // the gate decides how many run at once
		running.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			t.Run(fault.String(), func(t *testing.T) { surviveFault(t, fault) })
		})
	}
	running.Wait()
}

// The size of a case: enough transactions for the later occurrences.
const (
	faultPartitions = 2
	faultRounds     = 8
	faultPerRound   = 40
)

// hangGuard ends a test that would never end by itself. It is no measure of
// speed: under the race detector, beside the other tests of this package, a
// slow machine needs a minute for what takes two seconds alone.
const hangGuard = 4 * time.Minute

func surviveFault(t *testing.T, fault faultnet.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	lab := newFaultLab(t)
	network := faultnet.New(fault)
	defer func() { _ = network.Close() }()
	stop := lab.serve(ctx, t, network)
	ids := lab.produce(ctx, t, network)
	lab.awaitCommitted(ctx, t)
	if err := stop(); err != nil {
		t.Errorf("engine ended with %v, want nil", err)
	}
	if fault.Kind == faultnet.DelayRequest && len(network.Delivered()) == 0 {
		t.Errorf("the delayed request was never delivered")
	}
	for _, a := range network.Delivered() {
		t.Logf("delivered late: %v, answer %x", a.API, a.Payload)
	}
	lab.expectOnceEach(ctx, t, ids)
}

// faultLab is an in-process broker with the topics of one case.
type faultLab struct {
	addrs  []string
	topics broker.Topology
	client *kgo.Client
	ends   map[int32]int64 // of the input

	registry *prometheus.Registry // of the engine
}

const faultGroup = "faults"

func newFaultLab(t *testing.T) *faultLab {
	t.Helper()
	topics := broker.Topology{Input: "in", Results: "out", DeadLetters: "dead", State: "state"}
	settings := devbroker.Settings{}
	for _, name := range []string{topics.Input, topics.Results, topics.DeadLetters, topics.State} {
		settings.Topics = append(settings.Topics, devbroker.Topic{Name: name, Partitions: faultPartitions})
	}
	b, err := devbroker.Start(settings)
	if err != nil {
		t.Fatalf("start the broker: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return newFaultLabAt(t, b.Addrs(), topics)
}

// newFaultLabAt is one on brokers that have the topics.
func newFaultLabAt(t *testing.T, addrs []string, topics broker.Topology) *faultLab {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(client.Close)
	return &faultLab{addrs: addrs, topics: topics, client: client, ends: make(map[int32]int64)}
}

// serve runs an engine with the real record path. stop drains it.
func (l *faultLab) serve(ctx context.Context, t *testing.T, network *faultnet.Net) (stop func() error) {
	t.Helper()
	l.registry = prometheus.NewRegistry()
	metrics := pipeline.NewMetrics(l.registry)
	engine, err := broker.New(
		broker.Connection{Brokers: l.addrs, ClientID: "faults", Dial: network.Dial},
		broker.Settings{
			Group: faultGroup, Topics: l.topics, Start: broker.Earliest,
			CommitInterval: 20 * time.Millisecond, TransactionTimeout: 2 * time.Second,
			SessionTimeout: 6 * time.Second, HeartbeatInterval: 100 * time.Millisecond,
			StallTimeout: 30 * time.Second, DrainTimeout: 15 * time.Second,
			MaxRecordBytes: 1 << 20, MaxInflightBytes: 16 << 20, Compression: batch.LZ4,
		},
		broker.Deps{
			Log:      slog.New(slog.NewTextHandler(t.Output(), nil)),
			Registry: l.registry, Now: time.Now,
			NewTask: func(int32) broker.Task { return newFaultTask(t, metrics) },
		})
	if err != nil {
		t.Fatalf("make an engine: %v", err)
	}
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- engine.Run(run) }()
	return func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return errors.New("the engine does not stop")
		}
	}
}

func newFaultTask(t *testing.T, metrics *pipeline.Metrics) broker.Task {
	t.Helper()
	var key [16]byte
	_, _ = rand.Read(key[:])
	task, err := pipeline.New(pipeline.Settings{
		Group: faultGroup, ScorerVersion: "test", DefaultSource: "unknown", MaxRecordBytes: 1 << 20,
		State: state.Settings{DedupeWindow: time.Hour, DedupeMaxIDs: 10000, WindowSize: 50, MemorySize: 100},
	}, pipeline.Deps{Profile: scoring.Parity(), Metrics: metrics, HashKey: key, Now: time.Now})
	if err != nil {
		t.Errorf("make a record path: %v", err)
	}
	return task
}

// produce writes the input in rounds with pauses, so that it takes several
// transactions, and until the fault is over. It returns the distinct IDs.
func (l *faultLab) produce(ctx context.Context, t *testing.T, network *faultnet.Net) map[string]bool {
	t.Helper()
	ids := make(map[string]bool)
	pause := time.NewTicker(60 * time.Millisecond)
	defer pause.Stop()
	// Two rounds come after the fault: the last offsets cannot have been committed
	// before it, so that what it has done is done with when they are.
	for round, after := 0, 0; round < faultRounds || after < 2; round++ {
		if network.Over() {
			after++
		}
		if err := l.client.ProduceSync(ctx, l.round(round, ids)...).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			t.Fatalf("fired %v, but the fault is not over", network.Fired())
		}
	}
	return ids
}

// round makes the records of one round; two in ten repeat an ID of the same
// partition.
func (l *faultLab) round(round int, ids map[string]bool) []*kgo.Record {
	var records []*kgo.Record
	for n := round * faultPerRound; n < (round+1)*faultPerRound; n++ {
		partition, id := int32(n%faultPartitions), n
		if n%10 >= 8 && n >= 20 {
			id = n - 20
		}
		value := fmt.Appendf(nil, `{"id":"%d","name":"s%d","value":%d,"source":"t"}`, id, partition, id)
		records = append(records, &kgo.Record{Topic: l.topics.Input, Partition: partition, Value: value})
		ids[strconv.Itoa(id)] = true
		l.ends[partition]++
	}
	return records
}

// awaitCommitted waits until the group has committed the end of the input.
func (l *faultLab) awaitCommitted(ctx context.Context, t *testing.T) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got := l.committed(ctx, t)
		if maps.Equal(got, l.ends) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("committed offsets are %v, want %v", got, l.ends)
		}
	}
}

func (l *faultLab) committed(ctx context.Context, t *testing.T) map[int32]int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = faultGroup
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic = l.topics.Input
	for p := range l.ends {
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = faultGroup
	group.Topics = append(group.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic.Topic, Partitions: topic.Partitions})
	req.Groups = append(req.Groups, group)
	res, err := req.RequestWith(ctx, l.client)
	if err != nil {
		t.Fatalf("fetch the group's offsets: %v", err)
	}
	offsets := make(map[int32]int64)
	for _, g := range res.Groups {
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				offsets[p.Partition] = p.Offset
			}
		}
	}
	return offsets
}

// expectOnceEach reads the results with a client of another make.
func (l *faultLab) expectOnceEach(ctx context.Context, t *testing.T, ids map[string]bool) {
	t.Helper()
	if got := l.committed(ctx, t); !maps.Equal(got, l.ends) {
		t.Errorf("after the stop committed offsets are %v, want %v", got, l.ends)
	}
	seen := make(map[string]int)
	for _, record := range l.read(ctx, t, l.topics.Results) {
		var result struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(record.Value, &result); err != nil {
			t.Fatalf("result at offset %d: %v", record.Offset, err)
		}
		seen[result.ID]++
	}
	for id := range ids {
		if seen[id] != 1 {
			t.Errorf("signal %s has %d results, want 1", id, seen[id])
		}
		delete(seen, id)
	}
	if len(seen) > 0 {
		t.Errorf("results of signals that were never sent: %v", seen)
	}
	if dead := l.read(ctx, t, l.topics.DeadLetters); len(dead) > 0 {
		t.Errorf("%d dead letters, want none", len(dead))
	}
}

// read returns what a read_committed reader sees of a topic up to its end.
func (l *faultLab) read(ctx context.Context, t *testing.T, topic string) []*kgo.Record {
	t.Helper()
	starts := make(map[int32]kgo.Offset)
	left := make(map[int32]int64)
	for p := range int32(faultPartitions) {
		if end := l.end(ctx, t, topic, p); end > 0 {
			starts[p], left[p] = kgo.NewOffset().AtStart(), end
		}
	}
	if len(left) == 0 {
		return nil
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(l.addrs...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	if err != nil {
		t.Fatalf("make a reader: %v", err)
	}
	defer reader.Close()
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return records
}

func (l *faultLab) end(ctx context.Context, t *testing.T, topic string, partition int32) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = partition, -1
	req.Topics = append(req.Topics, kmsg.ListOffsetsRequestTopic{
		Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{part},
	})
	for _, shard := range l.client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			t.Fatalf("end of %s-%d: %v", topic, partition, shard.Err)
		}
		if res, ok := shard.Resp.(*kmsg.ListOffsetsResponse); ok && len(res.Topics) == 1 {
			return res.Topics[0].Partitions[0].Offset
		}
	}
	t.Fatalf("end of %s-%d is not known", topic, partition)
	return 0
}

package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// newControlledLab is a lab whose broker answers as a test says.
func newControlledLab(t *testing.T) (*faultLab, *kfake.Cluster) {
	t.Helper()
	topics := broker.Topology{Input: "in", Results: "out", DeadLetters: "dead", State: "state"}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(faultPartitions, topics.Input, topics.Results, topics.DeadLetters, topics.State))
	if err != nil {
		t.Fatalf("start the broker: %v", err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(client.Close)
	return &faultLab{addrs: cluster.ListenAddrs(), topics: topics, client: client, ends: make(map[int32]int64)}, cluster
}

// run starts an engine and returns what it ends with.
func (l *faultLab) run(ctx context.Context, t *testing.T) <-chan error {
	t.Helper()
	metrics := pipeline.NewMetrics(prometheus.NewRegistry())
	return l.runWith(ctx, t, func(int32) broker.Task { return newFaultTask(t, metrics) })
}

// runWith does the same with other tasks.
func (l *faultLab) runWith(ctx context.Context, t *testing.T, newTask func(int32) broker.Task) <-chan error {
	t.Helper()
	engine, err := broker.New(
		broker.Connection{Brokers: l.addrs, ClientID: "refusals"},
		broker.Settings{
			Group: faultGroup, Topics: l.topics, Start: broker.Earliest,
			CommitInterval: 20 * time.Millisecond, TransactionTimeout: 2 * time.Second,
			SessionTimeout: 30 * time.Second, HeartbeatInterval: 100 * time.Millisecond,
			StallTimeout: 30 * time.Second, DrainTimeout: 15 * time.Second,
			MaxRecordBytes: 1 << 20, MaxInflightBytes: 16 << 20, Compression: batch.LZ4,
		},
		broker.Deps{
			Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Now: time.Now,
			NewTask: newTask,
		})
	if err != nil {
		t.Fatalf("make an engine: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx) }()
	return done
}

// produceAnswer refuses every partition of a Produce.
func produceAnswer(req *kmsg.ProduceRequest, code int16) kmsg.Response {
	res, _ := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range req.Topics {
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode = p.Partition, code
			answer.Partitions = append(answer.Partitions, part)
		}
		res.Topics = append(res.Topics, answer)
	}
	return res
}

// What the service is not allowed to do does not become allowed by trying again.
// It says so and ends, and leaves the group at once, in place of keeping tasks
// that it cannot work on.
func TestEngine_EndsWhenItIsNotAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		api    kmsg.Key
		says   string
		answer func(r kmsg.Request, ids map[string][16]byte) kmsg.Response
	}{
		{"transactional ID", kmsg.InitProducerID, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", func(r kmsg.Request, _ map[string][16]byte) kmsg.Response {
			res, _ := r.ResponseKind().(*kmsg.InitProducerIDResponse)
			res.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
			return res
		}},
		{"write", kmsg.Produce, "TOPIC_AUTHORIZATION_FAILED", func(r kmsg.Request, _ map[string][16]byte) kmsg.Response {
			req, _ := r.(*kmsg.ProduceRequest)
			if req.TransactionID == nil {
				return nil
			}
			return produceAnswer(req, kerr.TopicAuthorizationFailed.Code)
		}},
		{"read the state", kmsg.Fetch, "TOPIC_AUTHORIZATION_FAILED", refuseFetchOf("state")},
		{"read the input", kmsg.Fetch, "TOPIC_AUTHORIZATION_FAILED", refuseFetchOf("in")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
			defer cancel()
			lab, cluster := newControlledLab(t)
			ids := lab.topicIDs(ctx, t)
			cluster.ControlKey(c.api.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				res := c.answer(r, ids)
				return res, nil, res != nil
			})
			err := <-lab.run(ctx, t)
			if !errors.Is(err, broker.ErrFatal) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("ended with %v, want a fatal %s", err, c.says)
			}
			if n := lab.members(ctx, t); n != 0 {
				t.Errorf("%d members are left in the group, want none", n)
			}
		})
	}
}

// topicIDs are the topics by name.
func (l *faultLab) topicIDs(ctx context.Context, t *testing.T) map[string][16]byte {
	t.Helper()
	res, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, l.client)
	if err != nil {
		t.Fatalf("topic IDs: %v", err)
	}
	ids := make(map[string][16]byte)
	for _, topic := range res.Topics {
		ids[*topic.Topic] = topic.TopicID
	}
	return ids
}

func refuseFetchOf(name string) func(kmsg.Request, map[string][16]byte) kmsg.Response {
	return func(r kmsg.Request, ids map[string][16]byte) kmsg.Response {
		req, _ := r.(*kmsg.FetchRequest)
		if len(req.Topics) != 1 || req.Topics[0].TopicID != ids[name] {
			return nil
		}
		return answerFetch(req, kerr.TopicAuthorizationFailed.Code)
	}
}

// answerFetch gives no records of a request's one topic, and the same code for
// each partition.
func answerFetch(req *kmsg.FetchRequest, code int16) kmsg.Response {
	res, _ := req.ResponseKind().(*kmsg.FetchResponse)
	topic := kmsg.NewFetchResponseTopic()
	topic.TopicID = req.Topics[0].TopicID
	for _, p := range req.Topics[0].Partitions {
		part := kmsg.NewFetchResponseTopicPartition()
		part.Partition, part.ErrorCode = p.Partition, code
		topic.Partitions = append(topic.Partitions, part)
	}
	res.Topics = append(res.Topics, topic)
	return res
}

func (l *faultLab) members(ctx context.Context, t *testing.T) int {
	t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{faultGroup}
	for _, shard := range l.client.RequestSharded(context.WithoutCancel(ctx), req) {
		if shard.Err != nil {
			t.Fatalf("describe the group: %v", shard.Err)
		}
		if res, ok := shard.Resp.(*kmsg.DescribeGroupsResponse); ok && len(res.Groups) == 1 {
			return len(res.Groups[0].Members)
		}
	}
	t.Fatal("the group is not described")
	return 0
}

// Partitions that cannot be written for a while (too few replicas, an election)
// once made the engine try as fast as it could: hundreds of new producer epochs a
// second, each of them written to the cluster's transaction log.
func TestCommitter_PausesBetweenFailures(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	lab, cluster := newControlledLab(t)
	var failing atomic.Bool
	var attempts atomic.Int32
	cluster.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, _ := r.(*kmsg.ProduceRequest)
		if req.TransactionID == nil || !failing.Load() {
			return nil, nil, false //nolint:nilnil // kfake: not handled here
		}
		return produceAnswer(req, kerr.NotEnoughReplicas.Code), nil, true
	})
	cluster.ControlKey(kmsg.InitProducerID.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if failing.Load() {
			attempts.Add(1)
		}
		return nil, nil, false //nolint:nilnil // kfake: not handled here
	})
	run, stop := context.WithCancel(ctx)
	done := lab.run(run, t)
	ids := make(map[string]bool)
	if err := lab.client.ProduceSync(ctx, lab.round(0, ids)...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	lab.awaitCommitted(ctx, t)
	failing.Store(true)
	// New input ends each poll at once.
	for round, began := 1, time.Now(); time.Since(began) < 2*time.Second; round++ {
		if err := lab.client.ProduceSync(ctx, lab.round(round, ids)...).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
	}
	if n := attempts.Load(); n < 3 || n > 20 {
		t.Errorf("%d producer epochs within 2 s, want a few", n)
	}
	failing.Store(false)
	lab.awaitCommitted(ctx, t)
	stop()
	if err := <-done; err != nil {
		t.Errorf("engine ended with %v, want nil", err)
	}
	lab.expectOnceEach(ctx, t, ids)
}

package broker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/faultnet"
)

// The leaders of all partitions and the coordinators of the group and of the
// transaction move from broker to broker under load; one EndTxn loses its answer as
// well. The engine's caches are wrong again and again, in the middle of a
// transaction too: it goes on, and loses and doubles nothing. On a real cluster,
// with brokers that die, integration's TestCluster_Chaos.
func TestEngine_LeadersAndCoordinatorsMove(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	topics := broker.Topology{Input: "in", Results: "out", DeadLetters: "dead", State: "state"}
	names := []string{topics.Input, topics.Results, topics.DeadLetters, topics.State}
	cluster := newMovingCluster(t, names)
	lab := newFaultLabAt(t, cluster.ListenAddrs(), topics)
	network := faultnet.New(faultnet.Fault{Kind: faultnet.LoseAnswer, API: faultnet.EndTxn, Occurrence: 10})
	defer func() { _ = network.Close() }()
	stop := lab.serve(ctx, t, network)

	ids := make(map[string]bool)
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	moved := 0
	for round := 0; round < movingRounds || !network.Over(); round++ {
		if err := lab.client.ProduceSync(ctx, lab.round(round, ids)...).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
		moved += cluster.move(names, round)
		select {
		case <-pause.C:
		case <-ctx.Done():
			t.Fatalf("round %d: %v", round, context.Cause(ctx))
		}
	}
	lab.awaitCommitted(ctx, t)
	if err := stop(); err != nil {
		t.Errorf("engine ended with %v, want nil", err)
	}
	lab.expectOnceEach(ctx, t, ids)
	t.Logf("%d leaders moved; the engine asked for a coordinator %d times and for leaders %d times",
		moved, cluster.coordinators.Load(), cluster.leaders.Load())
	if moved < movingRounds || cluster.coordinators.Load() < movingRounds/rehashEvery/2 {
		t.Error("too little has moved to prove anything")
	}
}

// movingRounds of moves; some of them fall into a transaction.
const (
	movingRounds = 60
	rehashEvery  = 3
)

// movingCluster is three brokers in this process.
type movingCluster struct {
	*kfake.Cluster

	coordinators, leaders atomic.Int64 // how often somebody has asked for them
}

func newMovingCluster(t *testing.T, topics []string) *movingCluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.BrokerConfigs(map[string]string{"default.replication.factor": "3"}))
	if err != nil {
		t.Fatalf("start the brokers: %v", err)
	}
	t.Cleanup(cluster.Close)
	m := &movingCluster{Cluster: cluster}
	m.count(kmsg.FindCoordinator, &m.coordinators)
	m.count(kmsg.Metadata, &m.leaders)
	for _, topic := range topics {
		if err := cluster.CreateTopic(topic, faultPartitions, nil); err != nil {
			t.Fatalf("create topic %s: %v", topic, err)
		}
	}
	return m
}

func (m *movingCluster) count(key kmsg.Key, asked *atomic.Int64) {
	m.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		m.KeepControl()
		asked.Add(1)
		return nil, nil, false //nolint:nilnil // kfake: false leaves the request to the broker
	})
}

// move gives one topic's partitions other leaders, and in other rounds the group and
// all transactional IDs other coordinators. It returns how many leaders have moved.
func (m *movingCluster) move(topics []string, round int) int {
	if round%rehashEvery == 0 {
		m.RehashCoordinators()
	}
	topic, moved := topics[round%len(topics)], 0
	for p := range int32(faultPartitions) {
		before := m.LeaderFor(topic, p)
		if m.MoveTopicPartition(topic, p, (before+1)%3) == nil && m.LeaderFor(topic, p) != before {
			moved++
		}
	}
	return moved
}

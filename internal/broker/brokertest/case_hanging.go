package brokertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
)

// Nodes are the brokers of a cluster that can lose one and go on.
type Nodes interface {
	// Stop ends a node in order, Start starts those that do not run. Both return
	// when it is done.
	Stop(ctx context.Context, node int32) error
	Start(ctx context.Context) error
}

// RunHanging holds the engine to its promises on a cluster that loses the end of
// transactions: Apache Kafka writes no marker to a partition that has no leader at
// the moment, and calls the transaction ended (KAFKA-20734).
func RunHanging(t *testing.T, c Cluster, n Nodes) {
	t.Helper()
	// One after the other: each needs all nodes.
	t.Run("OfOurOwn_IsEndedAsItWas", func(t *testing.T) { hangingOfOurOwn(t, c, n) })
	t.Run("OfADeadOwner_IsEndedByTheNext", func(t *testing.T) { hangingOfTheDead(t, c, n, true) })
	t.Run("OfADeadOwner_ResultsAlone", func(t *testing.T) { hangingOfTheDead(t, c, n, false) })
}

// hangingOfOurOwn: a transaction commits while the results have no leader. The next
// one fails, and to abort it would take back what has committed.
func hangingOfOurOwn(t *testing.T, c Cluster, n Nodes) {
	b, victim := newHanging(t, c)
	b.createOn(victim, b.topology.Results)
	b.createTopic(b.topology.State, 1, map[string]string{"cleanup.policy": "compact"})
	w := b.start(asInstance("first"))
	b.commitLeaderless(w, n, victim)

	init := w.network.arm(initProducerID, holdBefore)
	b.sendSome()
	await(t, "the transaction after it did not fail", init.fired)
	b.bringBack(n)
	init.release()
	b.awaitCommitted()
	b.verify()
	b.expectEndedAgain(w)
}

// hangingOfTheDead: the owner dies before it hears of it, and the state hangs too, or
// nothing but the results does.
func hangingOfTheDead(t *testing.T, c Cluster, n Nodes, state bool) {
	b, victim := newHanging(t, c)
	b.createOn(victim, b.topology.Results)
	if state {
		b.createOn(victim, b.topology.State)
	} else {
		b.createTopic(b.topology.State, 1, map[string]string{"cleanup.policy": "compact"})
	}
	w := b.start(asInstance("first"))
	b.commitLeaderless(w, n, victim)
	w.kill()
	b.bringBack(n)
	b.sendSome()
	next := b.start(asInstance("second"))
	b.awaitCommitted()
	b.verify()
	b.expectEndedAgain(next)
}

func asInstance(name string) func(*broker.Settings) {
	return func(set *broker.Settings) { set.InstanceID = name }
}

// newHanging makes input and dead letters of one partition, and picks a node that the
// coordinators can do without.
func newHanging(t *testing.T, c Cluster) (b *bundle, victim int32) {
	t.Helper()
	b = emptyBundle(t, c)
	b.tasks = 1
	b.createTopic(b.topology.Input, 1, nil)
	b.createTopic(b.topology.DeadLetters, 1, nil)
	group, txn := b.coordinator(0, b.group), b.coordinator(1, b.group+"-first")
	for victim == group || victim == txn {
		victim++
	}
	return b, victim
}

// createOn makes a topic whose only replica is on a node.
func (b *bundle) createOn(node int32, name string) {
	b.t.Helper()
	at := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
	at.Replicas = []int32{node}
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	topic.ReplicaAssignment = append(topic.ReplicaAssignment, at)
	config := map[string]string{"min.insync.replicas": "1"}
	if name == b.topology.State {
		config["cleanup.policy"] = "compact"
	}
	b.createThis(topic, config)
	b.awaitTopic(name, 1)
}

func (b *bundle) coordinator(kind int8, key string) (node int32) {
	b.t.Helper()
	eventually(b.t, func() string {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = kind, key, []string{key}
		res, err := req.RequestWith(b.t.Context(), b.client)
		if err == nil {
			node, err = res.Coordinators[0].NodeID, kerr.ErrorForCode(res.Coordinators[0].ErrorCode)
		}
		if err != nil {
			return fmt.Sprintf("coordinator of %s: %v", key, err)
		}
		return ""
	})
	return node
}

func (b *bundle) sendSome() {
	b.t.Helper()
	b.send(b.plain(10)...)
}

// commitLeaderless has a transaction written and committed, and the leader of its
// results stopped in between.
func (b *bundle) commitLeaderless(w *worker, n Nodes, victim int32) {
	b.t.Helper()
	b.sendSome()
	b.awaitCommitted()
	before := w.transactions("committed")
	end := w.network.arm(endTxn, holdBefore)
	b.sendSome()
	await(b.t, "no transaction was about to end", end.fired)
	if err := n.Stop(b.t.Context(), victim); err != nil {
		b.t.Fatalf("stop node %d: %v", victim, err)
	}
	eventually(b.t, func() string {
		if got, err := b.describe(b.topology.Results); err != nil || got.Partitions[0].Leader >= 0 {
			return fmt.Sprintf("results have a leader still (%v)", err)
		}
		return ""
	})
	end.release()
	eventually(b.t, func() string {
		if w.transactions("committed") == before {
			return "the transaction has not committed"
		}
		return ""
	})
}

// startPatience is how long a node may take to start and to lead.
const startPatience = time.Minute

func (b *bundle) bringBack(n Nodes) {
	b.t.Helper()
	if err := n.Start(b.t.Context()); err != nil {
		b.t.Fatalf("start the node: %v", err)
	}
	eventuallyWithin(b.t, startPatience, func() string {
		if got, err := b.describe(b.topology.Results); err != nil || got.Partitions[0].Leader < 0 {
			return fmt.Sprintf("results have no leader (%v)", err)
		}
		return ""
	})
}

// expectEndedAgain is the proof that a transaction did hang.
func (b *bundle) expectEndedAgain(w *worker) {
	b.t.Helper()
	if n, _ := w.metric("pulse_hanging_transactions_total"); n == 0 {
		b.t.Error("no transaction has hung, this test shows nothing: has the broker stopped losing markers (KAFKA-20734)?")
	}
}

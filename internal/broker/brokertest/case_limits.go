package brokertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
)

// refused: what the broker takes as too large is written in smaller batches;
// a single result that is too large becomes a dead letter, and a dead letter
// that is too large a description of one. The task goes on.
func refused(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{
		tasks:      1,
		results:    map[string]string{"max.message.bytes": "2000"},
		deadLetter: map[string]string{"max.message.bytes": "3000"},
	})
	records := mark("result", 0, 60)
	records[20].Value = []byte(asksLarge)
	records[30].Value = []byte(asksDeadLetter + noise(1, 5000))
	records[31].Value = []byte(asksDeadLetter + "small")
	records[45].Value = []byte(asksLarge + noise(2, 5000))
	b.send(records...)
	w := b.start(func(s *broker.Settings) { s.Compression = batch.None })
	b.judge(judgement{
		refused:  map[int32][]int64{0: {20}},
		withheld: map[int32][]int64{0: {30, 45}},
	})
	if n, _ := w.metric("pulse_refused_batches_total"); n == 0 {
		t.Error("nothing was counted as refused, although it is an alarm")
	}
	b.send(mark("after", 0, 5)...)
	b.judge(judgement{
		refused:  map[int32][]int64{0: {20}},
		withheld: map[int32][]int64{0: {30, 45}},
	})
}

// backpressure: while the record path stands still, no more is fetched than may
// be in memory; then everything is processed.
func backpressure(t *testing.T, c Cluster) {
	const inflight, value = 4 << 20, 4000
	b := newBundle(t, c, layout{})
	for round := range 8 {
		records := make([]*kgo.Record, 1000)
		for i := range records {
			records[i] = &kgo.Record{
				Partition: int32(i) % b.tasks, Key: []byte("k"),
				Value: []byte(noise(int64(round*1000+i), value)),
			}
		}
		b.send(records...)
	}
	const backlog = 8 * 1000 * value
	recorder := newRecorder()
	release := recorder.hold()
	w := b.startWith(func(id int32) broker.Task { return newTask(recorder, id) }, func(s *broker.Settings) {
		s.MaxInflightBytes = inflight
	})
	eventually(t, func() string {
		if w.network.bytesReceived() < inflight/4 {
			return "nothing is fetched"
		}
		return ""
	})
	most := 0
	throughout(t, 2*time.Second, func() string {
		most = max(most, w.network.bytesReceived())
		// One answer may go over: its first batch comes whole.
		if limit := inflight + 2<<20; most > limit {
			return fmt.Sprintf("%d bytes fetched while nothing is processed, at most %d may be in memory", most, limit)
		}
		return ""
	})
	t.Logf("%d of %d bytes fetched while the record path stood still", most, backlog)
	release()
	b.verify()
}

// largeOutputs: when the outputs of one input batch are more than may be in
// memory, the batch is worked off in parts, each record once.
func largeOutputs(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	records := b.plain(1000)
	for _, r := range records {
		r.Value = []byte(asksLarge)
	}
	b.send(records...)
	w := b.start(func(s *broker.Settings) { s.MaxInflightBytes = 4 << 20 })
	b.verify()
	if n, _ := w.metric("pulse_transaction_duration_seconds"); n < 5 {
		t.Errorf("%v transactions, want several: the test proves nothing", n)
	}
}

// topicFaults: topics that do not belong together keep the service from
// starting.
func topicFaults(t *testing.T, c Cluster) {
	b := emptyBundle(t, c)
	b.createTopic(b.topology.Input, 4, map[string]string{"max.message.bytes": "2097152"})
	b.createTopic(b.topology.Results, 3, map[string]string{"max.message.bytes": "1000000"})
	b.createTopic(b.topology.DeadLetters, 4, map[string]string{"max.message.bytes": "2000000", "retention.ms": "86400000"})
	b.createTopic(b.topology.State, 4, map[string]string{"cleanup.policy": "delete"})
	states := b.plan(broker.TopicSettings{Partitions: 8, Replication: -1})
	want := map[string]int{b.topology.Input: 0, b.topology.Results: 1, b.topology.DeadLetters: 2, b.topology.State: 1}
	for _, s := range states {
		if !s.Exists {
			t.Errorf("topic %s is not found", s.Name)
		}
		if len(s.Faults) != want[s.Name] {
			t.Errorf("topic %s (%s) has faults %q, want %d", s.Name, s.Role, s.Faults, want[s.Name])
		}
	}
	if broker.Faults(states) == nil {
		t.Error("no fault keeps the service from starting")
	}
}

// plan asks what the topics must be and are.
func (b *bundle) plan(set broker.TopicSettings) []broker.TopicState {
	b.t.Helper()
	admin := broker.NewAdmin(broker.Connection{Brokers: b.cluster.Brokers, ClientID: "suite"}, b.topology, set)
	states, err := admin.Plan(b.t.Context())
	if err != nil {
		b.t.Fatalf("plan: %v", err)
	}
	return states
}

// topicsCreated: missing topics follow the input's partition count and can be
// used at once.
func topicsCreated(t *testing.T, c Cluster) {
	b := emptyBundle(t, c)
	b.createTopic(b.topology.Input, b.tasks, nil)
	set := broker.TopicSettings{Partitions: 8, Replication: -1}
	states := b.plan(set)
	if err := broker.Faults(states); err != nil {
		t.Fatalf("missing topics are faults: %v", err)
	}
	admin := broker.NewAdmin(broker.Connection{Brokers: c.Brokers, ClientID: "suite"}, b.topology, set)
	if err := admin.Create(t.Context(), states); err != nil {
		t.Fatalf("create: %v", err)
	}
	if err := admin.Create(t.Context(), states); err != nil {
		t.Errorf("creating again what another process has just made: %v", err)
	}
	w := b.start()
	b.send(b.plain(100)...)
	b.verify()
	w.stop()
	eventually(t, func() string {
		for _, s := range b.plan(set) {
			if !s.Exists || s.Partitions != int(b.tasks) || len(s.Faults) > 0 || len(s.Warnings) > 0 {
				return fmt.Sprintf("after creating: %+v", s)
			}
		}
		return ""
	})
}

// topicsCreatedLate: the input was made after the plan, or before it and no broker had
// heard of it yet. The other topics follow what it is, not what the plan would have made.
func topicsCreatedLate(t *testing.T, c Cluster) {
	b := emptyBundle(t, c)
	b.topology.Retry = []broker.RetryTier{{Topic: b.topology.Input + ".again.1", Delay: time.Second}}
	set := broker.TopicSettings{Partitions: int(b.tasks) + 3, Replication: -1}
	states := b.plan(set)
	b.createTopic(b.topology.Input, b.tasks, nil)
	admin := broker.NewAdmin(broker.Connection{Brokers: c.Brokers, ClientID: "suite"}, b.topology, set)
	if err := admin.Create(t.Context(), states); err != nil {
		t.Fatalf("create: %v", err)
	}
	eventually(t, func() string {
		for _, s := range b.plan(set) {
			if !s.Exists || s.Partitions != int(b.tasks) || len(s.Faults) > 0 {
				return fmt.Sprintf("after creating: %+v", s)
			}
		}
		return ""
	})
}

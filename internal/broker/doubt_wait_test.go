package broker

import (
	"errors"
	"log/slog"
	"testing"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/devbroker"
)

// The verdict on a transaction waits for every partition that it may hang in: the
// task may be another member's afterwards, and the next transaction of this producer
// would end what hangs in its own way (nineteen results were lost so when a broker was
// killed in the moment in which a task moved).
func TestSettle_WaitsForAPartitionInDoubt(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "out", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := newCluster(Connection{Brokers: b.Addrs(), ClientID: "test"}, "g", Topology{Input: "in", Results: "out"}, mem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.close)
	seen, unseen := topicPartition{"out", 0}, topicPartition{"out", 1} // there is no partition 1
	c := &committer{
		cluster: cl, log: slog.New(slog.DiscardHandler), ended: endCommitted,
		doubts: map[topicPartition]doubt{seen: {endCommitted, -1}, unseen: {endCommitted, -1}},
	}
	if err := c.clearDoubts(t.Context(), nil, nil); !errors.Is(err, wire.LeaderNotAvailable) {
		t.Fatalf("one of two partitions cannot be looked at, and the answer is %v, want %v", err, wire.LeaderNotAvailable)
	}
	if _, still := c.doubts[unseen]; !still || len(c.doubts) != 1 {
		t.Errorf("in doubt are %v, want %v alone", c.doubts, unseen)
	}
	if err := c.clearDoubts(t.Context(), map[topicPartition]bool{seen: true}, nil); err != nil {
		t.Errorf("what has been looked at keeps others waiting: %v", err)
	}
}

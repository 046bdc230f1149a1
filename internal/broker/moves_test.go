package broker

import (
	"errors"
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/devbroker"
)

// Before the next transaction, the partitions whose leaders have moved since the last
// one are looked at, and no others; and none right after it.
func TestDoubtMoved_OnlyWhatHasMoved(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "in", Partitions: 2}, {Name: "out", Partitions: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := newCluster(Connection{Brokers: b.Addrs()}, "g", Topology{Input: "in", Results: "out"}, mem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.close)
	if err := cl.lookUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &committer{cluster: cl, doubts: make(map[topicPartition]doubt), now: func() time.Time { return now }}
	stays, moved := topicPartition{"out", 0}, topicPartition{"out", 1}
	c.wrote = map[topicPartition]int64{stays: 7, moved: 9}
	c.keep()
	c.moves.epochs[moved]-- // it was another leader's then
	if err := c.doubtMoved(t.Context()); err != nil || len(c.doubts) != 0 {
		t.Fatalf("right after a commit: %v, %v", c.doubts, err)
	}
	now = now.Add(quietFor)
	if err := c.doubtMoved(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.doubts) != 1 || c.doubts[moved] != (doubt{endCommitted, 9}) {
		t.Errorf("in doubt: %v, want the partition that has moved, which ended with commit at 9", c.doubts)
	}
}

// A transaction that had to wait long for the end of the last one is given up before
// anything is sent.
func TestOpenedInTime_GivesUpAfterALongWait(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := &committer{now: func() time.Time { return now }, kept: map[topicPartition]int64{{"out", 0}: 1}}
	if err := c.openedInTime(now.Add(-opensWithin)); err != nil {
		t.Error(err)
	}
	if err := c.openedInTime(now.Add(-opensWithin - 1)); !errors.Is(err, errOpenedLate) {
		t.Errorf("%v, want %v", err, errOpenedLate)
	}
	if c.kept = nil; c.openedInTime(now.Add(-time.Hour)) != nil {
		t.Error("given up although nothing can hang")
	}
}

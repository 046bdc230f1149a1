package broker

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/devbroker"
)

// How what hangs must be ended: a transaction that has committed must not be taken
// back with the one that failed after it, nor the failed one become visible with it.
func TestDoubt_EndsWhatHangsAsItHasEnded(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		doubt doubt
		span  span
		want  ended
	}{
		"only what had committed stands there":              {doubt{endAborted, 19}, span{10, 20}, endCommitted},
		"nothing of a transaction that began is known":      {doubt{endUnknown, 19}, span{10, 20}, endCommitted},
		"the failed one stands behind what had committed":   {doubt{endAborted, 19}, span{10, 30}, endAborted},
		"both have committed":                               {doubt{endCommitted, 19}, span{10, 30}, endCommitted},
		"the failed one alone, aborted":                     {doubt{endAborted, -1}, span{10, 30}, endAborted},
		"the failed one alone, committed without an answer": {doubt{endCommitted, -1}, span{10, 30}, endCommitted},
		"nobody knows": {doubt{endUnknown, -1}, span{10, 30}, endUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.doubt.end(c.span); got != c.want {
				t.Errorf("%+v in %+v is ended as %d, want %d", c.doubt, c.span, got, c.want)
			}
		})
	}
}

// Offsets that hang belong to the last transaction that has sent any.
func TestDoubt_OffsetsAreThoseOfTheLastThatSentAny(t *testing.T) {
	t.Parallel()
	kept := map[topicPartition]int64{{"out", 0}: 1}
	cases := map[string]struct {
		committer committer
		want      ended
	}{
		"the failed one sent none":             {committer{kept: kept, ended: endAborted}, endCommitted},
		"the failed one sent some, aborted":    {committer{kept: kept, ended: endAborted, offered: true}, endAborted},
		"the failed one sent some, committed":  {committer{kept: kept, ended: endCommitted, offered: true}, endCommitted},
		"there was none before":                {committer{ended: endAborted}, endAborted},
		"there was none before, nothing known": {committer{}, endUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.committer.offsetsEnd(); got != c.want {
				t.Errorf("offsets are ended as %d, want %d", got, c.want)
			}
		})
	}
}

// unseenLab is a committer whose results have a partition 0 and no partition 1: what
// may hang in that one cannot be looked at.
func unseenLab(t *testing.T) *committer {
	t.Helper()
	topics := Topology{Input: "in", Results: "out", DeadLetters: "out", State: "out"}
	cl, addrs := embeddedCluster(t, topics, nil, devbroker.Topic{Name: "out", Partitions: 1})
	commitOffset(t, addrs, "out") // there must be a group to ask
	return &committer{
		cluster: cl, set: Settings{Topics: topics, TransactionTimeout: time.Minute}, metrics: newMetrics(prometheus.NewRegistry()),
		log: slog.New(slog.DiscardHandler), ended: endCommitted, doubts: make(map[topicPartition]doubt),
	}
}

// The verdict on a transaction waits for every partition that it may hang in: its
// task may be another member's afterwards, and the next transaction of this producer
// would end what hangs in its own way.
func TestSettle_WaitsForAPartitionInDoubt(t *testing.T) {
	t.Parallel()
	c := unseenLab(t)
	seen, unseen := topicPartition{"out", 0}, topicPartition{"out", 1}
	c.doubts[seen], c.doubts[unseen] = doubt{endCommitted, -1}, doubt{endCommitted, -1}
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

// A task that is taken again after a failure must still find out how to end what an
// earlier process has left.
func TestPrepare_RemembersHowTheLastOneEnded(t *testing.T) {
	t.Parallel()
	c := unseenLab(t)
	c.fresh, c.txnID = true, "g-1"
	for range 2 {
		if err := c.prepare(t.Context(), &generation{txnID: "g-1"}, []int32{1}); !errors.Is(err, wire.LeaderNotAvailable) {
			t.Fatalf("a partition cannot be looked at, and the answer is %v, want %v", err, wire.LeaderNotAvailable)
		}
	}
}

package broker

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// newOfflineCommitter has no cluster: any request panics.
func newOfflineCommitter(g *generation) *committer {
	log := slog.New(slog.DiscardHandler)
	m := newMember(&cluster{}, Settings{Group: "g"}, log, nil, time.Now)
	m.publish(g)
	return newCommitter(nil, Settings{Group: "g", TransactionTimeout: time.Second}, m,
		Deps{Log: log, Now: time.Now}, newMetrics(prometheus.NewRegistry()))
}

// A takeover that a newer one has replaced came late with its owner records. They
// carry the offsets that it had found before: the group went back to them while
// the newer one's tasks were at work already.
func TestCommitter_LeavesAVoidTakeover(t *testing.T) {
	t.Parallel()
	g := &generation{id: 4, txnID: "g-1", tasks: []int32{0}, since: map[int32]int32{0: 4}}
	c := newOfflineCommitter(g)
	c.txnID, c.fresh = g.txnID, true
	void := make(chan struct{})
	close(void)
	tx := &transaction{void: void, parts: []*part{{task: 0, since: 4, before: offsets{10}, next: offsets{10}}}}
	c.execute(t.Context(), tx)
	if got := tx.parts[0].verdict; got != rolledBack || tx.err != nil {
		t.Errorf("verdict %v, error %v; want rolled back without a request", got, tx.err)
	}
}

// A member was expelled and is back under another transactional ID, with a
// transaction of the former one still to settle. The committer waited for offsets
// that the former ID held, and the takeover that fences it waited for the
// committer, until the broker's own time-out.
func TestSettle_GivesUpWhatAFormerIDHolds(t *testing.T) {
	t.Parallel()
	c := newOfflineCommitter(&generation{id: 9, txnID: "g-new", tasks: []int32{0}, since: map[int32]int32{0: 9}})
	c.txnID = "g-old"
	tx := &transaction{parts: []*part{{task: 0, since: 4, before: offsets{10}, next: offsets{20}}}}
	if err := c.settle(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if got := tx.parts[0].verdict; got != unsettled {
		t.Errorf("verdict %v, want unsettled without a request", got)
	}
}

package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The first claim of a new task was aborted, because the group changed meanwhile.
// Its records are in the state's log, and nobody has had the task for all that: a
// group that begins at the end of its input does so.
func TestFooting_AfterAnAbortedFirstClaimIsANewTasks(t *testing.T) {
	t.Parallel()
	lab := newStateLab(t)
	e := lab.engine
	e.set.Start = Latest
	if err := lab.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: []byte("old")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	abortedClaim(t, e.cluster.addr.String())
	to := &takeover{
		engine: e, gen: &generation{id: 2, first: 1}, fresh: make(map[int32]bool), said: make(map[int32]bool),
		topics: topicIDs{State: lab.id},
	}
	at, err := to.footing(t.Context(), 0, committedOffset{offset: -1})
	if err != nil {
		t.Fatal(err)
	}
	if at != 1 || !to.fresh[0] {
		t.Errorf("begins at %d, as a new task: %v; want at the end, 1, as one", at, to.fresh[0])
	}
}

func abortedClaim(t *testing.T, addr string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID("g-1"), kgo.DefaultProduceTopic("state"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	claim := ownerRecord{Owner: "g-1"}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Key: []byte(claimKey), Value: claim.encode()}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}

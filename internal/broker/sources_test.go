package broker

import (
	"slices"
	"strconv"
	"testing"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/pipeline"
)

// What became of a part is told by all offsets that it has moved.
func TestJudge_ByAllThatWasMoved(t *testing.T) {
	t.Parallel()
	before := offsets{10, 20, 30}
	for name, c := range map[string]struct {
		next   offsets
		stable []int64
		want   verdict
	}{
		"a tier alone, moved":              {offsets{-1, 21, -1}, []int64{10, 21, 30}, committed},
		"a tier alone, not moved":          {offsets{-1, 21, -1}, []int64{10, 20, 30}, rolledBack},
		"input and tier, both":             {offsets{11, 21, -1}, []int64{11, 21, 30}, committed},
		"input and tier, none":             {offsets{11, 21, -1}, []int64{10, 20, 30}, rolledBack},
		"input and tier, one of them":      {offsets{11, 21, -1}, []int64{11, 20, 30}, unclear},
		"somebody has moved what it had":   {offsets{-1, 21, -1}, []int64{10, 25, 30}, unclear},
		"others do not count":              {offsets{-1, 21, -1}, []int64{99, 21, 99}, committed},
		"one that was read from its start": {offsets{11, 20, -1}, []int64{11, 20, 30}, committed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stable groupOffsets
			for _, at := range c.stable {
				stable = append(stable, committedOffset{offset: at})
			}
			if got := judge(&part{before: before, next: c.next, records: 5}, stable); got != c.want {
				t.Errorf("from %v to %v, now %v: %v, want %v", before, c.next, c.stable, got, c.want)
			}
		})
	}
}

// Of what a dead owner has left, a record that was tried before does not tell by the
// input's offset whether its transaction committed; the state's owner record does by all.
func TestCommittedWith_AFirstTryOnly(t *testing.T) {
	t.Parallel()
	c := &cluster{topology: Topology{Input: "in", Results: "out", DeadLetters: "dead", State: "state", Retry: []RetryTier{{Topic: "t1"}}}}
	result := func(attempts int) *batch.Record {
		return &batch.Record{Value: []byte(`{"id":"x","input":{"topic":"in","partition":0,"offset":7},"attempts":` + strconv.Itoa(attempts) + `}`)}
	}
	if got := c.committedWith("out", result(1)); !slices.Equal(got, offsets{8}) {
		t.Errorf("a result of a first try: %v, want 8", got)
	}
	if got := c.committedWith("out", result(2)); got != nil {
		t.Errorf("a result of a second try: %v, want nothing", got)
	}
	owner := ownerRecord{Owner: "g-1", Next: map[string]int64{"in": 9, "t1": 4, "t7": 1}}
	if got := c.committedWith("state", &batch.Record{Key: []byte(ownerKey), Value: owner.encode()}); !slices.Equal(got, offsets{9, 4}) {
		t.Errorf("an owner record: %v, want 9 and 4", got)
	}
	c.parks = true
	if got := c.committedWith("out", result(1)); got != nil {
		t.Errorf("a result where records are parked: %v, want nothing", got)
	}
	if got := (openRecord{next: offsets{9, 5}}).ended(offsets{9, 4}, endUnknown); got != endAborted {
		t.Errorf("ahead of one offset: %v, want aborted", got)
	}
	if got := (openRecord{next: offsets{9, 4}}).ended(offsets{9, 4}, endUnknown); got != endCommitted {
		t.Errorf("ahead of none: %v, want committed", got)
	}
}

// Tiers that a larger PULSE_RETRY_DELAYS has left are not passed over in silence.
func TestPlan_TiersThatNobodyReadAreAFault(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "r.1", Partitions: 2}, {Name: "r.3", Partitions: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	for tiers, want := range map[int]int{1: 1, 3: 0} {
		topology := Topology{Input: "in", Results: "out", DeadLetters: "dead", State: "state"}
		for n := range tiers {
			topology.Retry = append(topology.Retry, RetryTier{Topic: "r." + strconv.Itoa(n+1)})
		}
		states, err := NewAdmin(Connection{Brokers: b.Addrs()}, topology, TopicSettings{Partitions: 2, Replication: 1}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		surplus := 0
		for _, s := range states {
			if s.Role == roleSurplus {
				surplus++
				if s.Name != "r.3" || len(s.Faults) != 1 {
					t.Errorf("topic %s has faults %q", s.Name, s.Faults)
				}
			}
		}
		if surplus != want {
			t.Errorf("%d tiers: %d topics that nobody reads, want %d", tiers, surplus, want)
		}
	}
}

// What was refused is known by tier and offset: two topics have the same offsets.
func TestOutput_KnowsWhatWasRefusedByTier(t *testing.T) {
	t.Parallel()
	o := newTestOutput(t)
	o.refused = map[place]pipeline.Destination{{1, 7}: pipeline.Retry(2)}
	if _, ok := o.From(0, 7); ok {
		t.Error("a record of the input is taken for one of a tier")
	}
	if to, ok := o.From(1, 7); !ok || to != pipeline.Retry(2) {
		t.Errorf("refused for %v, %v", to, ok)
	}
}

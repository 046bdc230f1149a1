package brokertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
)

// Numbers of the Kafka APIs that faults are tied to.
const (
	produce            int16 = 0
	fetch              int16 = 1
	offsetFetch        int16 = 9
	heartbeat          int16 = 12
	initProducerID     int16 = 22
	addPartitionsToTxn int16 = 24
	addOffsetsToTxn    int16 = 25
	endTxn             int16 = 26
	txnOffsetCommit    int16 = 28
)

const trafficPause = 5 * time.Millisecond

// traffic produces until it is stopped, so that things happen under load.
func (b *bundle) traffic() (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	sent := make(chan []*kgo.Record, 1)
	client := b.newClient()
	go func() {
		var all []*kgo.Record
		defer func() { sent <- all }()
		pause := time.NewTicker(trafficPause)
		defer pause.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			<-pause.C
			records := b.plain(20)
			for n, r := range records {
				r.Value = fmt.Appendf(nil, "traffic-%d-%d", i, n)
			}
			if err := client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
				b.t.Errorf("traffic: %v", err)
				return
			}
			all = append(all, records...)
		}
	}()
	return func() {
		b.t.Helper()
		cancel()
		b.expect(<-sent...)
	}
}

// awaitTasks waits until each of the workers has as many tasks as said.
func (b *bundle) awaitTasks(workers []*worker, want ...int) {
	b.t.Helper()
	eventually(b.t, func() string {
		got := make([]int, len(workers))
		for i, w := range workers {
			got[i] = w.assigned()
			if err := w.engine.Ready(); err != nil {
				return err.Error()
			}
		}
		return differ("tasks of the members", got, want)
	})
}

// groupOfTwo: tasks are divided, one member leaves and comes back; nothing is
// lost or doubled, and a task that need not move does not.
func groupOfTwo(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	stop := b.traffic()
	one := b.start()
	b.awaitTasks([]*worker{one}, 4)
	two := b.start()
	b.awaitTasks([]*worker{one, two}, 2, 2)
	for id, n := range one.recorder.taken() {
		if n != 1 {
			t.Errorf("the first member restored task %d %d times, want once: what it keeps must not move", id, n)
		}
	}
	two.stop()
	b.awaitTasks([]*worker{one}, 4)
	back := b.start()
	b.awaitTasks([]*worker{one, back}, 2, 2)
	kept := 0
	for _, n := range one.recorder.taken() {
		if n == 1 {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("%d tasks stayed with the first member all the time, want 2: %v", kept, one.recorder.taken())
	}
	stop()
	b.verify()
	one.stop()
	back.stop()
}

// joiningMovesNoOther: members that were there before give tasks to one that
// joins, and take none. The member IDs begin with the instance IDs, so that a
// division by their order would move tasks between the first two.
func joiningMovesNoOther(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 6})
	stop := b.traffic()
	one := b.start(instance("m"))
	b.awaitTasks([]*worker{one}, 6)
	two := b.start(instance("z"))
	b.awaitTasks([]*worker{one, two}, 3, 3)
	before := []map[int32]int{one.recorder.taken(), two.recorder.taken()}
	third := b.start(instance("a"))
	b.awaitTasks([]*worker{one, two, third}, 2, 2, 2)
	for i, old := range []*worker{one, two} {
		if got := old.recorder.taken(); !maps.Equal(got, before[i]) {
			t.Errorf("member %d took tasks when another one joined: times taken %v, before %v", i, got, before[i])
		}
	}
	stop()
	b.verify()
}

// instance makes a static member.
func instance(id string) func(*broker.Settings) {
	return func(s *broker.Settings) { s.InstanceID = id }
}

// staticRestart: a static member that is restarted within its session gets its
// tasks again, and the others do not hear of it.
func staticRestart(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	one := b.start(instance("one"))
	two := b.start(instance("two"))
	b.awaitTasks([]*worker{one, two}, 2, 2)
	b.send(b.plain(200)...)
	b.awaitCommitted()
	rebalances, _ := two.metric("pulse_rebalances_total")
	before := one.recorder.taken()
	one.stop()
	b.send(b.plain(200)...)
	again := b.start(instance("one"))
	b.awaitTasks([]*worker{again, two}, 2, 2)
	b.verify()
	if !c.KeepsStaticMembers {
		return
	}
	if n, _ := two.metric("pulse_rebalances_total"); n != rebalances {
		t.Errorf("the other member saw %v rebalances, want none", n-rebalances)
	}
	for id := range again.recorder.taken() {
		if before[id] == 0 {
			t.Errorf("task %d moved to the restarted member", id)
		}
	}
}

// staticKilled: a static member that was killed inside a transaction whose
// offsets were accepted goes on at once when it is restarted, because it fences
// itself before it asks for the offsets.
func staticKilled(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	one := b.start(instance("one"), longTransactions)
	b.send(b.plain(100)...)
	b.awaitCommitted()
	died := one.network.arm(endTxn, dieBefore)
	b.send(b.plain(100)...)
	await(t, "no transaction ended", died.fired)
	one.kill()
	again := b.start(instance("one"), longTransactions)
	eventually(t, func() string {
		err := again.engine.Ready()
		if n := again.network.sent(offsetFetch); n > mostAsked {
			t.Fatalf("offsets were asked for %d times, want at most %d: %v", n, mostAsked, err)
		}
		if err != nil {
			return err.Error()
		}
		return ""
	})
	b.verify()
}

// mostAsked is how often a process asks for offsets that nothing holds, with
// some to spare for a group that is made anew meanwhile.
const mostAsked = 16

// staticReplaced: of two processes with one instance ID the earlier stops for
// good and says why.
func staticReplaced(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	stop := b.traffic()
	one := b.start(instance("same"))
	b.awaitTasks([]*worker{one}, 4)
	two := b.start(instance("same"))
	await(t, "the replaced member goes on", one.ended)
	if !errors.Is(one.err, broker.ErrFatal) {
		t.Errorf("the replaced member ended with %v, want a fatal error", one.err)
	}
	b.awaitTasks([]*worker{two}, 4)
	stop()
	b.verify()
}

// foreignMember: a group of other consumers is not joined; half the tasks would
// be with somebody who does not know what they are.
func foreignMember(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	other := b.newClient(kgo.ConsumerGroup(b.group), kgo.ConsumeTopics(b.topology.Input))
	eventually(t, func() string {
		ctx, cancel := context.WithTimeout(t.Context(), pollInterval)
		defer cancel()
		other.PollFetches(ctx)
		if _, generation := other.GroupMetadata(); generation < 0 {
			return "the other consumer has not joined"
		}
		return ""
	})
	w := b.start()
	await(t, "a member of a foreign group goes on", w.ended)
	if !errors.Is(w.err, broker.ErrFatal) {
		t.Errorf("ended with %v, want a fatal error", w.err)
	}
	if got := b.committed(); !slices.Equal(got, slices.Repeat([]int64{-1}, len(got))) {
		t.Errorf("offsets were committed: %v", got)
	}
}

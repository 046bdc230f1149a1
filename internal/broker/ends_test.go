package broker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"pulse-scorer/internal/broker/batch"
)

// While a required enricher was down nothing was fetched, so that nobody heard of what
// came meanwhile: lag stood still just when it grew.
func TestEnds_OfAHeldTaskGoOn(t *testing.T) {
	t.Parallel()
	topics := Topology{Input: "in", Retry: []RetryTier{{Topic: "tier"}}}
	brokers, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "in", "tier"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(brokers.Close)
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	e := newIdleEngine(t)
	e.set.Topics, e.ends = topics, make(chan []endOfSource)
	if e.cluster, err = newCluster(Connection{Brokers: brokers.ListenAddrs()}, "g", topics, mem); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.cluster.close)
	ids, err := e.cluster.topicIDsNow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.group, e.work = errgroup.WithContext(t.Context())
	held := e.newTask(1)
	held.phase, held.held, held.ids = phaseRunning, true, ids
	held.begin(0, 0)
	e.tasks[1] = held
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	produce := func(topic string, n int) {
		for range n {
			if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	now := time.Now()
	e.deps.Now = func() time.Time { return now }
	for round := int64(1); round <= 2; round++ {
		produce("in", 3)
		produce("tier", 1)
		e.askEnds(now)
		e.askEnds(now) // nothing: one question is under way
		e.onEnds(<-e.ends)
		if got := held.lag(); got != 3*round {
			t.Errorf("round %d: lag is %d, want %d", round, got, 3*round)
		}
		if got := held.tiers[0].end; got != round {
			t.Errorf("round %d: the tier ends at %d, want %d", round, got, round)
		}
		e.askEnds(now) // nothing: the ends have just been told
		now = now.Add(endTTL + time.Second)
	}
	if err := e.group.Wait(); err != nil {
		t.Fatal(err)
	}
	// An answer about a task that was released meanwhile, or about a topic that was made again, is void.
	e.onEnds([]endOfSource{{task: e.newTask(1), source: &held.source, topic: ids.Input, end: 99}, {task: held, source: &held.source, end: 99}})
	if got := held.end; got != 6 {
		t.Errorf("a void answer moves the end to %d", got)
	}
}

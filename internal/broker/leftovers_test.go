package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/devbroker"
)

// A takeover does not go on while a dead owner's transaction may hang out of sight.
func TestTakeover_WaitsForAPartitionInDoubt(t *testing.T) {
	t.Parallel()
	c := unseenLab(t)
	to := &takeover{
		engine: &Engine{set: c.set, cluster: c.cluster, log: c.log, metrics: c.metrics},
		tasks:  []*task{{id: 1}}, former: map[string]former{"g-dead": {ended: endCommitted}},
	}
	if err := to.endHanging(t.Context(), map[int32]groupOffsets{1: {{}}}); !errors.Is(err, wire.LeaderNotAvailable) {
		t.Fatalf("a partition cannot be looked at, and the answer is %v, want %v", err, wire.LeaderNotAvailable)
	}
}

func TestLeftovers_AreJudgedByOwnerAndOffset(t *testing.T) {
	t.Parallel()
	to := &takeover{former: map[string]former{
		"g-a": {producer: producerID{id: 1}, ended: endAborted},
		"g-b": {producer: producerID{id: 2}, ended: endCommitted},
	}}
	for name, tc := range map[string]struct {
		found  openRecord
		stable int64
		want   leftover
	}{
		"committed before the last one": {openRecord{1, offsets{10}}, 10, leftover{"g-a", endCommitted}},
		"not committed":                 {openRecord{1, offsets{11}}, 10, leftover{"g-a", endAborted}},
		"not committed, the last one":   {openRecord{2, offsets{11}}, 10, leftover{"g-b", endAborted}},
		"a record that does not say":    {openRecord{2, nil}, 10, leftover{"g-b", endCommitted}},
		"a group that does not say":     {openRecord{1, offsets{1}}, -1, leftover{"g-a", endAborted}},
		"somebody else's":               {openRecord{3, offsets{1}}, 10, leftover{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := to.leftover(tc.found, offsets{tc.stable}); got != tc.want {
				t.Errorf("%v with %d committed is %v, want %v", tc.found, tc.stable, got, tc.want)
			}
		})
	}
}

// leftLab is a broker on which transactions can be left open.
type leftLab struct {
	t       *testing.T
	cluster *cluster
	addrs   []string
}

func newLeftLab(t *testing.T) leftLab {
	t.Helper()
	var topics []devbroker.Topic
	for _, name := range []string{"in", "out", "dlq", "state"} {
		topics = append(topics, devbroker.Topic{Name: name, Partitions: 1})
	}
	c, addrs := embeddedCluster(t, Topology{Input: "in", Results: "out", DeadLetters: "dlq", State: "state"}, nil, topics...)
	return leftLab{t, c, addrs}
}

// leave writes records in a transaction that stays open.
func (l leftLab) leave(txnID string, records ...*kgo.Record) former {
	l.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.addrs...), kgo.TransactionalID(txnID), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(client.Close)
	if err := client.BeginTransaction(); err != nil {
		l.t.Fatal(err)
	}
	if err := client.ProduceSync(l.t.Context(), records...).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
	id, epoch, err := client.ProducerID(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return former{producer: producerID{id, epoch}}
}

func letterOf(offset int64) *kgo.Record {
	return &kgo.Record{Topic: "dlq", Value: []byte("bad"), Headers: []kgo.RecordHeader{
		{Key: "__dlq.errors.topic", Value: []byte("in")},
		{Key: "__dlq.errors.partition", Value: []byte("0")},
		{Key: "__dlq.errors.offset", Value: []byte(strconv.FormatInt(offset, 10))},
	}}
}

func resultOf(offset int64) *kgo.Record {
	return &kgo.Record{Topic: "out", Value: fmt.Appendf(nil, `{"id":"x","input":{"topic":"in","partition":0,"offset":%d},"attempts":1}`, offset)}
}

func TestOldestOpen_TellsTheInput(t *testing.T) {
	t.Parallel()
	l := newLeftLab(t)
	owner := ownerRecord{Owner: "g-dead", Next: map[string]int64{"in": 9}}
	left := l.leave("g-dead", letterOf(6), letterOf(7), resultOf(7), resultOf(8),
		&kgo.Record{Topic: "state", Key: []byte("ids/1"), Value: []byte("something")},
		&kgo.Record{Topic: "state", Key: []byte(ownerKey), Value: owner.encode()})
	for topic, next := range map[string]int64{"dlq": 7, "out": 8, "state": 9} {
		tp, want := topicPartition{topic, 0}, openRecord{left.producer.id, offsets{next}}
		open, _, err := l.cluster.openIn(t.Context(), []topicPartition{tp})
		if err != nil || len(open) != 1 {
			t.Fatalf("open in %s: %v, %v", topic, open, err)
		}
		if got, err := l.cluster.oldestOpen(t.Context(), tp, open[tp]); err != nil || got.producer != want.producer || !slices.Equal(got.next, want.next) {
			t.Errorf("the oldest open record of %s: %v, %v; want %v", topic, got, err, want)
		}
	}
}

// What was committed becomes visible, what was not does not, whatever the owners'
// last transactions were.
func TestLeftovers_EachIsEndedAsItsInput(t *testing.T) {
	t.Parallel()
	l := newLeftLab(t)
	a, b := l.leave("g-a", resultOf(7)), l.leave("g-b", letterOf(8))
	a.ended, b.ended = endAborted, endCommitted
	to := l.takeover(map[string]former{"g-a": a, "g-b": b})
	if err := to.endHanging(t.Context(), map[int32]groupOffsets{0: {{offset: 8}}}); err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]int{"out": 1, "dlq": 0} {
		if got := l.visible(topic); got != want {
			t.Errorf("%d records of %s are visible, want %d", got, topic, want)
		}
	}
}

// visible counts what a reader of committed records sees.
func (l leftLab) visible(topic string) (n int) {
	l.t.Helper()
	if _, err := l.cluster.leaderNow(l.t.Context(), topic, 0); err != nil {
		l.t.Fatal(err)
	}
	id, err := l.cluster.topicID(topic)
	if err != nil {
		l.t.Fatal(err)
	}
	got, err := l.cluster.fetchOne(l.t.Context(), topic, id, 0, 0, readCommitted)
	if err != nil {
		l.t.Fatal(err)
	}
	var next int64
	if err := eachCommitted(got, 0, func(*batch.Record) error { n++; return nil }, &next); err != nil {
		l.t.Fatal(err)
	}
	if next == 0 {
		l.t.Errorf("%s is still held back", topic)
	}
	return n
}

// Whoever cancels it: what has been begun is ended, or the next InitProducerID aborts it.
func TestEndAgain_EndsWhatItHasBegun(t *testing.T) {
	t.Parallel()
	l := newLeftLab(t)
	left := l.leave("g-a", resultOf(7))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	err := l.cluster.endAgain(cancelled, "g-a", left.producer, endCommitted, []topicPartition{{"out", 0}}, false, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.visible("out"); got != 1 {
		t.Errorf("%d records are visible, want 1", got)
	}
}

// Another heir of the same owner may have fenced it in the meantime.
func TestLeftovers_AreEndedWithAnEpochThatIsVoid(t *testing.T) {
	t.Parallel()
	l := newLeftLab(t)
	left := l.leave("g-a", resultOf(7))
	to := l.takeover(map[string]former{"g-a": left})
	if _, _, err := l.cluster.fence(t.Context(), "g-a", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := to.endAgain(t.Context(), "g-a", endAborted, []topicPartition{{"out", 0}}, false); err != nil {
		t.Errorf("the owner's producer was not renewed: %v", err)
	}
}

// A living owner may have left the state of a task hanging that is being restored here.
func TestRepairTask_EndsWhatHoldsARestoreBack(t *testing.T) {
	t.Parallel()
	l := newLeftLab(t)
	commitOffset(t, l.addrs, "in")
	to := l.takeover(map[string]former{"g-a": l.leave("g-a", resultOf(7))})
	to.gen = &generation{txnID: "g-own"}
	if err := to.repairTask(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got := l.visible("out"); got != 0 {
		t.Errorf("%d records are visible that were not committed", got)
	}
}

func (l leftLab) takeover(owners map[string]former) *takeover {
	return &takeover{
		engine: &Engine{
			set: Settings{Topics: l.cluster.topology, TransactionTimeout: time.Minute}, cluster: l.cluster,
			log: slog.New(slog.DiscardHandler), metrics: newMetrics(prometheus.NewRegistry()), repair: make(chan struct{}, 1),
		},
		tasks: []*task{{id: 0}}, former: owners, ends: make(map[string]ended),
	}
}

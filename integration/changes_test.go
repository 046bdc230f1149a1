//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
)

// What changes under a running service, on a real Kafka, with the whole service
// and its own record path. What needs a look inside (topics that are made again
// at the worst moment, offsets that are lost) is in the engine's suite, cases
// Changes_*, which runs here as well.
func TestChanges(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Brokers(t)
	for _, c := range []struct {
		name string
		run  func(context.Context, *testing.T, *lab)
	}{
		{"the input grows", changesGrowth},
		{"retention passes the group", changesRetentionPasses},
		{"an operator resets offsets", changesReset},
		{"the input is made again", changesInputMadeAgain},
		{"dead letters are kept too short", changesRetentionGuard},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), changesHangGuard)
			defer cancel()
			c.run(ctx, t, newLab(ctx, t, brokers, kafkatest.Name("changes"), 4))
		})
	}
}

// changesGrowth: the input grows from 4 to 6 partitions under two workers. The
// new partitions' records wait until the results have a place for them; then
// every offset of all six has its outcome.
func changesGrowth(ctx context.Context, t *testing.T, lab *lab) {
	a, b := lab.startService(ctx, t, "PULSE_START_OFFSET=latest"), lab.startService(ctx, t, "PULSE_START_OFFSET=latest")
	for _, s := range []*service{a, b} {
		s.awaitValue(ctx, t, 2, "pulse_assigned_partitions")
		if err := s.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	lab.produceRounds(ctx, t, 0)
	lab.addPartitions(ctx, t, lab.topics.Input, 6)
	lab.partitions = 6
	lab.freshClient(t)
	// Other IDs than before: the same in another partition is another signal there.
	next := lab.produceRounds(ctx, t, 6_000_000)
	lab.awaitPartitions(ctx, t, lab.topics.State, 6)
	lab.awaitPartitions(ctx, t, lab.topics.DeadLetters, 6)
	a.awaitValue(ctx, t, 0, "pulse_health", "topics")
	a.awaitSaid(ctx, t, "health check failed", "kafka-topics.sh", "--topic "+lab.topics.Results+" --partitions 6")
	lab.addPartitions(ctx, t, lab.topics.Results, 6)
	lab.produceRounds(ctx, t, next)
	lab.awaitEnd(ctx, t)
	a.awaitValue(ctx, t, 3, "pulse_assigned_partitions")
	a.awaitValue(ctx, t, 1, "pulse_health", "topics")
	a.stop(t)
	b.stop(t)
	lab.account(ctx, t).expectBalanced(t)
}

// changesRetentionPasses: while nobody serves, retention deletes records that the
// group has not read. The service goes on at the log's start, says which offsets
// are gone, and loses no other.
func changesRetentionPasses(ctx context.Context, t *testing.T, lab *lab) {
	s := lab.startService(ctx, t)
	next := lab.produceRounds(ctx, t, 0)
	lab.awaitEnd(ctx, t)
	s.stop(t)
	read := lab.committed(ctx, t)[1].offset
	lab.produceRounds(ctx, t, next)
	gone := read + (lab.end(ctx, t, lab.topics.Input, 1)-read)/2
	lab.deleteRecords(ctx, t, lab.topics.Input, 1, gone)
	s = lab.startService(ctx, t)
	lab.awaitEnd(ctx, t)
	s.awaitValue(ctx, t, float64(gone-read), "pulse_skipped_offsets_total")
	s.awaitValue(ctx, t, 1, "pulse_offset_resets_total")
	s.awaitSaid(ctx, t, "passed over unread", "partition=1", fmt.Sprintf("from=%d", read), fmt.Sprintf("to=%d", gone-1))
	s.stop(t)
	lab.expectUnread(ctx, t, map[int32][2]int64{1: {read, gone}})
}

// produceRounds produces some rounds of signals and returns how many there are now.
func (l *lab) produceRounds(ctx context.Context, t *testing.T, from int) int {
	t.Helper()
	for range 10 {
		from = l.produceRound(ctx, t, from)
	}
	return from
}

// freshClient replaces the client: one goes by what it once heard of a topic.
func (l *lab) freshClient(t *testing.T) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(client.Close)
	l.client = client
}

// expectUnread fails unless exactly the offsets of the ranges have no outcome.
func (l *lab) expectUnread(ctx context.Context, t *testing.T, ranges map[int32][2]int64) {
	t.Helper()
	var book ledger
	scored, ids := l.scored(ctx, t, &book)
	for partition := range int32(l.partitions) {
		for at, n := range scored {
			r := ranges[partition]
			if at.partition == partition && (n != 1 || at.offset >= r[0] && at.offset < r[1]) {
				t.Errorf("partition %d offset %d has %d results", at.partition, at.offset, n)
			}
		}
		for id, n := range ids[partition] {
			if n > 1 {
				t.Errorf("signal %s has %d results in partition %d", id, n, partition)
			}
		}
	}
	l.each(ctx, t, l.topics.Input, func(r *kgo.Record) {
		gap := ranges[r.Partition]
		skipped := r.Offset >= gap[0] && r.Offset < gap[1]
		known := ids[r.Partition][identity(r.Value)] > 0
		if !known && !skipped {
			t.Errorf("partition %d offset %d has no outcome", r.Partition, r.Offset)
		}
	})
}

// changesReset: with the service stopped, an operator (kafka-consumer-groups
// --reset-offsets sends the same request) sets one partition back to
// its start and another one forward. The group's offset counts: what comes again
// is a duplicate, what is passed over is named, and both are alarms.
func changesReset(ctx context.Context, t *testing.T, lab *lab) {
	s := lab.startService(ctx, t)
	next := lab.produceRounds(ctx, t, 0)
	lab.awaitEnd(ctx, t)
	s.stop(t)
	read := lab.committed(ctx, t)
	lab.produceRounds(ctx, t, next)
	forward := read[2].offset + 17
	lab.commit(ctx, t, 0, 0)
	lab.commit(ctx, t, 2, forward)
	s = lab.startService(ctx, t)
	lab.awaitEnd(ctx, t)
	s.awaitValue(ctx, t, 2, "pulse_offset_mismatches_total")
	s.awaitValue(ctx, t, 17, "pulse_skipped_offsets_total")
	s.awaitSaid(ctx, t, "not the one the state was written with", "partition=0", "committed=0", fmt.Sprintf("state=%d", read[0].offset))
	s.awaitSaid(ctx, t, "passed over unread", "partition=2", fmt.Sprintf("from=%d", read[2].offset), fmt.Sprintf("to=%d", forward-1))
	if n := s.Outcomes().Duplicate; int64(n) < read[0].offset {
		t.Errorf("%d duplicates, want at least the %d records that came again", n, read[0].offset)
	}
	s.stop(t)
	lab.expectUnread(ctx, t, map[int32][2]int64{2: {read[2].offset, forward}})
	s = lab.startService(ctx, t)
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	s.awaitValue(ctx, t, 0, "pulse_offset_mismatches_total")
	s.stop(t)
}

// changesInputMadeAgain: the input is deleted and made again under a service, and
// its producers send what they sent before, and more. Nothing of the new topic is
// lost; what was scored before is known by its ID.
func changesInputMadeAgain(ctx context.Context, t *testing.T, lab *lab) {
	s := lab.startService(ctx, t)
	half := lab.produceRounds(ctx, t, 0)
	lab.awaitEnd(ctx, t)
	before := s.Outcomes()
	lab.deleteTopic(ctx, t, lab.topics.Input)
	if err := lab.createTopics(ctx); err != nil {
		t.Fatalf("make the input again: %v", err)
	}
	lab.awaitPartitions(ctx, t, lab.topics.Input, lab.partitions)
	lab.freshClient(t)
	next := lab.produceRounds(ctx, t, 0)
	lab.produceRounds(ctx, t, next)
	lab.awaitEnd(ctx, t)
	awaitThat(ctx, t, func() string {
		got := s.Outcomes()
		scored, duplicate := got.Scored-before.Scored, got.Duplicate-before.Duplicate
		if scored+duplicate != 2*half || scored >= half || got.Dead != 0 {
			return fmt.Sprintf("%d scored and %d duplicates of the new topic, %d dead; want %d, and all of the first half known",
				scored, duplicate, got.Dead, 2*half)
		}
		return ""
	})
	if s.value(t, "pulse_topics_recreated_total", lab.topics.Input) == 0 {
		t.Error("no alarm says that the input was made again")
	}
	s.stop(t)
}

// changesRetentionGuard: a dead-letter topic that keeps too little keeps the
// service from starting, with the command that mends it; while it serves, it is an
// alarm.
func changesRetentionGuard(ctx context.Context, t *testing.T, lab *lab) {
	month := fmt.Sprint((30 * 24 * time.Hour).Milliseconds())
	lab.setRetention(ctx, t, lab.topics.DeadLetters, "86400000")
	refused, err := lab.newService(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = refused.Run(ctx)
	if err == nil {
		t.Fatal("the service starts although dead letters are deleted after a day")
	}
	for _, part := range []string{lab.topics.DeadLetters, "retention.ms is 86400000", month, "kafka-configs.sh"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the fault does not say %q: %v", part, err)
		}
	}
	lab.setRetention(ctx, t, lab.topics.DeadLetters, month)
	s := lab.startService(ctx, t)
	s.awaitValue(ctx, t, 1, "pulse_health", "topics")
	lab.setRetention(ctx, t, lab.topics.DeadLetters, "86400000")
	s.awaitValue(ctx, t, 0, "pulse_health", "topics")
	s.awaitSaid(ctx, t, "health check failed", "retention.ms is 86400000")
	lab.setRetention(ctx, t, lab.topics.DeadLetters, month)
	s.awaitValue(ctx, t, 1, "pulse_health", "topics")
	s.stop(t)
}

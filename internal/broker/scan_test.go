package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/pipeline"
)

func (l *faultLab) inspector(t *testing.T) *broker.Inspector {
	t.Helper()
	look, err := broker.NewInspector(broker.Connection{Brokers: l.addrs, ClientID: "look"},
		broker.InspectorSettings{Group: faultGroup, Topics: l.topics, MaxRecordBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(look.Close)
	return look
}

// writeTransaction writes records in a transaction of its own and ends it as told;
// "open" leaves it open.
func (l *faultLab) writeTransaction(ctx context.Context, t *testing.T, id, end string, values ...string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.addrs...), kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	err = client.BeginTransaction()
	for _, v := range values {
		if err == nil {
			err = client.ProduceSync(ctx, &kgo.Record{Topic: l.topics.Input, Value: []byte(v), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(v)}}}).FirstErr()
		}
	}
	if err == nil && end != "open" {
		err = client.EndTransaction(ctx, kgo.TransactionEndTry(end == "commit"))
	}
	if err != nil {
		t.Fatalf("transaction %s: %v", id, err)
	}
	return client
}

// scanned reads a range of the input's first partition.
func scanned(ctx context.Context, look *broker.Inspector, from, to int64) (seen []string, passed int64, jumps []string, err error) {
	err = look.Scan(ctx, broker.Scan{
		Topic: "in", From: from, To: to,
		Each: func(r *pipeline.Record) error {
			seen = append(seen, fmt.Sprintf("%d:%s", r.Offset, r.Value))
			for _, h := range r.Headers {
				if h.Key != "h" || !bytes.Equal(h.Value, r.Value) {
					return fmt.Errorf("headers %v of %s", r.Headers, r.Value)
				}
			}
			return nil
		},
		Passed: func(n int64) { passed += n },
		Jumped: func(from, to int64) { jumps = append(jumps, fmt.Sprintf("%d-%d", from, to)) },
	})
	return seen, passed, jumps, err
}

// A scan sees what a read_committed reader sees, between its bounds and in order;
// it waits for an open transaction; and it says what was deleted.
func TestScan_SeesCommittedRecordsBetweenItsBounds(t *testing.T) { //nolint:cyclop // one log, looked at in many ways
	t.Parallel()
	ctx := t.Context()
	lab, _ := newControlledLab(t)
	look := lab.inspector(t)
	lab.writeTransaction(ctx, t, "a", "commit", "0", "1") // marker at 2
	lab.writeTransaction(ctx, t, "b", "abort", "3", "4")  // marker at 5
	if err := lab.client.ProduceSync(ctx, &kgo.Record{Topic: "in", Value: []byte("6")}, &kgo.Record{Topic: "in", Value: []byte("7")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	open := lab.writeTransaction(ctx, t, "c", "open", "8")
	for _, c := range []struct {
		from, to int64
		want     string
	}{
		{0, 8, "0:0 1:1 6:6 7:7"}, {1, 7, "1:1 6:6"}, {3, 6, ""}, {0, 1, "0:0"}, {2, 2, ""}, {5, 3, ""},
	} {
		seen, passed, jumps, err := scanned(ctx, look, c.from, c.to)
		if got := strings.Join(seen, " "); err != nil || got != c.want || passed != max(0, c.to-c.from) || jumps != nil {
			t.Errorf("%d to %d: got %q, %d offsets, jumps %v, %v; want %q", c.from, c.to, got, passed, jumps, err, c.want)
		}
	}
	first := ""
	note := func(r *pipeline.Record) { first = string(r.Value) }
	if err := look.First(ctx, "in", 0, 1, 9, note); err != nil || first != "1" {
		t.Errorf("the first from 1 on is %q, %v", first, err)
	}
	first = "none"
	if err := look.First(ctx, "in", 0, 8, 9, note); err != nil || first != "none" {
		t.Errorf("the first behind an open transaction is %q, %v", first, err)
	}
	done := make(chan error, 1)
	go func() {
		seen, _, _, err := scanned(ctx, look, 7, 9)
		if want := []string{"7:7", "8:8"}; err == nil && !slices.Equal(seen, want) {
			err = fmt.Errorf("got %v, want %v", seen, want)
		}
		done <- err
	}()
	if err := open.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("across the open transaction: %v", err)
	}
	deleteRecords(ctx, t, lab.client, "in", 7)
	seen, passed, jumps, err := scanned(ctx, lab.inspector(t), 0, 9)
	if got := strings.Join(seen, " "); err != nil || got != "7:7 8:8" || passed != 9 || !slices.Equal(jumps, []string{"0-7"}) {
		t.Errorf("after a deletion: got %q, %d offsets, jumps %v, %v", got, passed, jumps, err)
	}
	seen, passed, jumps, err = scanned(ctx, lab.inspector(t), 2, 5)
	if err != nil || seen != nil || passed != 3 || !slices.Equal(jumps, []string{"2-5"}) {
		t.Errorf("all deleted: got %v, %d offsets, jumps %v, %v", seen, passed, jumps, err)
	}
}

func deleteRecords(ctx context.Context, t *testing.T, client *kgo.Client, topic string, before int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	part := kmsg.DeleteRecordsRequestTopicPartition{Offset: before}
	req.Topics = append(req.Topics, kmsg.DeleteRecordsRequestTopic{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{part}})
	for _, shard := range client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			t.Fatalf("delete records: %v", shard.Err)
		}
	}
}

// Ctrl-C ends a scan that waits, and what Each returns ends it at once.
func TestScan_EndsWhenItIsTold(t *testing.T) {
	t.Parallel()
	lab, _ := newControlledLab(t)
	look := lab.inspector(t)
	lab.writeTransaction(t.Context(), t, "a", "commit", "0", "1")
	lab.writeTransaction(t.Context(), t, "b", "open", "3")
	stop := errors.New("enough")
	err := look.Scan(t.Context(), broker.Scan{Topic: "in", To: 4, Each: func(*pipeline.Record) error { return stop }})
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = look.Scan(ctx, broker.Scan{Topic: "in", To: 4, Each: func(r *pipeline.Record) error {
		if r.Offset == 1 {
			cancel()
		}
		return nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

// Topics that are missing or smaller are said at once, and who is there is told.
func TestInspector_AnswersAboutTopicsAndGroup(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	lab, _ := newControlledLab(t)
	look := lab.inspector(t)
	if n, err := look.Partitions(ctx, "out", "dead", "state"); err != nil || n != faultPartitions {
		t.Errorf("%d partitions, %v", n, err)
	}
	group, err := look.Group(ctx)
	if err != nil || group.Exists || len(group.Owners) > 0 {
		t.Errorf("a group that there is not: %+v, %v", group, err)
	}
	other, err := broker.NewInspector(broker.Connection{Brokers: lab.addrs},
		broker.InspectorSettings{Group: "g", Topics: broker.Topology{Input: "in", Results: "nowhere"}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Partitions(ctx, "nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere does not exist") {
		t.Errorf("a missing topic: %v", err)
	}
	// Kafka's own partitioner: murmur2 of the key, positive, by the number of
	// partitions (test vector of Apache Kafka's UtilsTest: "21" has -973932308).
	if got := look.PartitionOf("21", 7); got != int32((-973932308&0x7fffffff)%7) {
		t.Errorf("partition of 21 is %d", got)
	}
}

package brokertest

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
)

// commitAs moves the group's offset of a task, as an operator does while the
// group is empty.
func (b *bundle) commitAs(id int32, offset int64) {
	b.t.Helper()
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset, partition.LeaderEpoch = id, offset, -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = b.topology.Input
	topic.Partitions = append(topic.Partitions, partition)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = b.group, -1
	req.Topics = append(req.Topics, topic)
	eventually(b.t, func() string {
		res, err := req.RequestWith(b.t.Context(), b.client)
		if err == nil {
			err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
		}
		if err != nil {
			return "commit as an operator: " + err.Error()
		}
		return ""
	})
}

// deleteBefore removes the records of a task's input before an offset.
func (b *bundle) deleteBefore(id int32, offset int64) {
	b.t.Helper()
	b.deleteRecords(b.topology.Input, id, offset)
}

// deleteRecords removes what a partition has before an offset.
func (b *bundle) deleteRecords(name string, id int32, offset int64) {
	b.t.Helper()
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Partition, partition.Offset = id, offset
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = name
	topic.Partitions = append(topic.Partitions, partition)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(b.t.Context(), b.client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		b.t.Fatalf("delete records: %v", err)
	}
}

// operatorReset: the group's offset is what counts, and that it is not the
// state's is said.
func operatorReset(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	first := b.start()
	b.send(b.plain(200)...)
	b.verify()
	first.stop()
	b.commitAs(1, 60)
	b.awaitOffset(1, 60)
	again := map[int32][]*kgo.Record{1: b.inputs[1][60:]}
	second := b.start()
	b.judge(judgement{again: again})
	second.awaitMetric("pulse_offset_mismatches_total", 1)
	second.stop()
	third := b.start()
	b.verifyRestored(third, judgement{again: again})
	third.awaitReady()
	third.awaitMetric("pulse_offset_mismatches_total", 0)
}

func (b *bundle) awaitOffset(id int32, want int64) {
	b.t.Helper()
	eventually(b.t, func() string {
		return differ("committed offset", b.committed()[id:id+1], []int64{want})
	})
}

// outOfRange: where retention has passed the group's offset, reading goes on at
// the log's start, loudly.
func outOfRange(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	first := b.start()
	b.send(b.plain(200)...)
	b.awaitCommitted()
	first.stop()
	late := b.plain(100)
	b.sendWith(b.client, late...)
	b.deleteBefore(0, 130)
	for _, r := range late {
		if r.Partition != 0 || r.Offset >= 130 {
			b.expect(r)
		}
	}
	second := b.start()
	b.verify()
	second.awaitMetric("pulse_offset_resets_total", 1)
}

// outOfRangeServing: retention passes a task that is serving and slow. What it has
// fetched is scored; what it has not is gone, which is said and counted to the
// record, and it goes on at the log's start. The other task notices nothing.
func outOfRangeServing(t *testing.T, c Cluster) {
	const sent, start = 64, 60
	b := newBundle(t, c, layout{tasks: 2})
	recorder := newRecorder()
	release := recorder.holdTask(0)
	defer release()
	w := b.startWith(func(id int32) broker.Task { return newTask(recorder, id) }, patient)
	w.awaitReady()
	// Far more than a task holds in memory, so that its fetches stop on the way.
	var slow []*kgo.Record
	for i := range sent {
		slow = append(slow, &kgo.Record{Key: []byte("slow"), Value: []byte(noise(int64(i), 64<<10))})
		b.sendWith(b.client, slow[i])
	}
	b.send(mark("other", 1, 50)...)
	b.awaitCommittedOf(1)
	b.deleteBefore(0, start)
	release()
	b.awaitCommitted()
	scored := len(b.read(b.topology.Results)[0]) - (sent - start)
	if scored < 1 || scored >= start {
		t.Fatalf("%d records were scored before the log's start at %d, want some and not all: the fault has not fired", scored, start)
	}
	b.expect(slow[:scored]...)
	b.expect(slow[start:]...)
	b.verify()
	for name, want := range map[string]float64{
		"pulse_offset_resets_total": 1, "pulse_skipped_offsets_total": float64(start - scored), "pulse_consumer_lag_records": 0,
	} {
		w.awaitMetric(name, want)
	}
}

// patient lets a test hold a task for as long as it needs.
func patient(s *broker.Settings) { s.StallTimeout = 2 * patience }

// nothingLeft: the same when the log has nothing more: the offset moves all the
// same, and there is no lag.
func nothingLeft(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	first := b.start()
	b.send(b.plain(100)...)
	b.awaitCommitted()
	first.stop()
	b.sendWith(b.client, mark("unread", 0, 30)...)
	b.deleteBefore(0, b.ends()[0])
	second := b.start()
	b.verify()
	second.awaitMetric("pulse_consumer_lag_records", 0)
	second.awaitMetric("pulse_offset_resets_total", 1)
}

// startLatest: a new group that starts at the end has said so with its first
// assignment; what comes while it is away is not skipped.
func startLatest(t *testing.T, c Cluster) {
	latest := func(s *broker.Settings) { s.Start = broker.Latest }
	b := newBundle(t, c, layout{tasks: 2})
	b.sendWith(b.client, b.plain(50)...)
	first := b.start(latest)
	first.awaitReady()
	eventually(t, func() string { return differ("offsets after the first assignment", b.committed(), b.ends()) })
	first.stop()
	b.send(b.plain(50)...)
	b.start(latest)
	b.verify()
}

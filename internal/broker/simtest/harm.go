package simtest

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Harm is something wrong that is done on purpose.
type Harm uint8

// What can be done behind the engine's back.
const (
	NoHarm Harm = iota
	// DoubleResult writes a result once more.
	DoubleResult
	// LoseInput produces records that nobody processes.
	LoseInput
	// ChangeLetter writes a dead letter of an input again, with another value.
	ChangeLetter
	// MoveOffsetBack commits an earlier offset.
	MoveOffsetBack
	// WriteState adds an older ledger to the changelog.
	WriteState
	// NoFault puts a fault in place that cannot happen.
	NoFault
)

// doHarm does it when everything has come to rest.
func (w *world) doHarm() {
	switch w.plan.Harm {
	case NoHarm:
	case DoubleResult:
		w.repeat(resultTopic, func(*kgo.Record) bool { return true }, func(*kgo.Record) {})
	case LoseInput:
		w.produce(timedEvery)
	case ChangeLetter:
		w.repeat(letterTopic, func(*kgo.Record) bool { return true }, func(r *kgo.Record) { r.Value = []byte("other") })
	case MoveOffsetBack:
		w.moveBack()
	case WriteState:
		w.repeat(stateTopic, func(r *kgo.Record) bool { return len(r.Key) > 1 && r.Key[0] == 'l' }, func(*kgo.Record) {})
	case NoFault:
		w.mu.Lock()
		w.faults = append(w.faults, &fault{Event: Event{Step: Fetch, Kind: Crash}, world: w})
		w.mu.Unlock()
	}
}

// repeat writes the first record of a topic that is wanted once more.
func (w *world) repeat(topic string, wanted func(*kgo.Record) bool, change func(*kgo.Record)) {
	for _, records := range w.read(topic) {
		for _, r := range records {
			if !wanted(r) {
				continue
			}
			again := &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}
			change(again)
			if err := w.client.ProduceSync(w.t.Context(), again).FirstErr(); err != nil {
				w.t.Fatalf("write to %s: %v", topic, err)
			}
			return
		}
	}
	w.t.Fatalf("%s has no record to repeat", topic)
}

// moveBack commits offset 0, as a worker could that nobody fences, and then the
// end again.
func (w *world) moveBack() {
	for _, offset := range []int64{0, w.ends(inputTopic)[0]} {
		ctx, cancel := context.WithTimeout(w.t.Context(), limit)
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = group, -1
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.TopicID = inputTopic, w.cluster.TopicInfo(inputTopic).TopicID
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Offset = offset
		topic.Partitions = append(topic.Partitions, part)
		req.Topics = append(req.Topics, topic)
		_, err := req.RequestWith(ctx, w.client)
		cancel()
		if err != nil {
			w.t.Fatalf("commit an offset: %v", err)
		}
		wait(time.Second, nil)
	}
}

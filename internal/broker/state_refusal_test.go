package broker_test

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
)

// The state topic refuses a record for its size. Its record cannot be made a dead
// letter, as a result can: the task's memory would be wrong from then on. For a
// while it was taken for a result all the same, and a good signal became a dead
// letter because of a setting of a topic.
func TestCommitter_AStateRecordThatIsRefusedIsFatal(t *testing.T) {
	t.Parallel()
	lab, cluster := newControlledLab(t)
	var refusing atomic.Bool
	cluster.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, _ := r.(*kmsg.ProduceRequest)
		records := recordsFor(req, lab.topics.State)
		if records == 0 || !refusing.Load() {
			return nil, nil, false //nolint:nilnil // kfake: not handled here
		}
		// Batches are made smaller until it is one record that is too large;
		// what comes then is taken, so that an engine that goes on is seen.
		refusing.Store(records > 1)
		return refuseTopic(req, lab.topics.State, kerr.MessageTooLarge.Code), nil, true
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := lab.run(ctx, t)
	lab.send(ctx, t, lab.round(0, make(map[string]bool))...)
	lab.awaitCommitted(ctx, t)
	refusing.Store(true)
	lab.send(ctx, t, &kgo.Record{Topic: lab.topics.Input, Value: []byte(`{"id":"x","name":"s","value":1,"source":"t"}`)})
	lab.ends[0]++
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if !errors.Is(err, broker.ErrFatal) || !strings.Contains(err.Error(), "max.message.bytes") {
				t.Errorf("ended with %v, want a fatal error that says which setting to raise", err)
			}
			return
		case <-tick.C:
			if maps.Equal(lab.committed(ctx, t), lab.ends) {
				t.Fatalf("the service goes on, with %d dead letters of good signals", len(lab.read(ctx, t, lab.topics.DeadLetters)))
			}
		}
	}
}

// recordsFor is how many records a transaction's request has for a topic, in
// its first batch.
func recordsFor(req *kmsg.ProduceRequest, topic string) int {
	const countAt = 57 // of a record batch, format 2
	for _, t := range req.Topics {
		if req.TransactionID != nil && t.Topic == topic {
			return int(binary.BigEndian.Uint32(t.Partitions[0].Records[countAt:]))
		}
	}
	return 0
}

// refuseTopic answers for a request of which one topic takes nothing.
func refuseTopic(req *kmsg.ProduceRequest, topic string, code int16) kmsg.Response {
	res := produceAnswer(req, 0)
	answer, _ := res.(*kmsg.ProduceResponse)
	for i := range answer.Topics {
		if answer.Topics[i].Topic == topic {
			for p := range answer.Topics[i].Partitions {
				answer.Topics[i].Partitions[p].ErrorCode = code
			}
		}
	}
	return res
}

func (l *faultLab) send(ctx context.Context, t *testing.T, records ...*kgo.Record) {
	t.Helper()
	if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

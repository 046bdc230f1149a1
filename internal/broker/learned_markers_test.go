package broker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// slowMarkers has a cluster refuse to open a transaction until a while after the last one
// has ended, as a broker does whose markers are not written yet. It counts how often it
// was asked, and transactions.
func slowMarkers(cluster *kfake.Cluster, take time.Duration) (asked, ended *atomic.Int32) {
	asked, ended = new(atomic.Int32), new(atomic.Int32)
	var written atomic.Int64
	cluster.ControlKey(kmsg.EndTxn.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		ended.Add(1)
		written.Store(time.Now().Add(take).UnixNano())
		return nil, nil, false //nolint:nilnil // kfake: not handled here
	})
	cluster.ControlKey(kmsg.AddPartitionsToTxn.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked.Add(1)
		if time.Now().UnixNano() >= written.Load() {
			return nil, nil, false //nolint:nilnil // the same
		}
		req, _ := r.(*kmsg.AddPartitionsToTxnRequest)
		res, _ := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		for _, topic := range req.Topics {
			refused := kmsg.AddPartitionsToTxnResponseTopic{Topic: topic.Topic}
			for _, p := range topic.Partitions {
				refused.Partitions = append(refused.Partitions,
					kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p, ErrorCode: kerr.ConcurrentTransactions.Code})
			}
			res.Topics = append(res.Topics, refused)
		}
		return res, nil, true
	})
	cluster.ControlKey(kmsg.AddOffsetsToTxn.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if time.Now().UnixNano() >= written.Load() {
			return nil, nil, false //nolint:nilnil // the same
		}
		res, _ := r.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		res.ErrorCode = kerr.ConcurrentTransactions.Code
		return res, nil, true
	})
	return asked, ended
}

// The engine learns it from its own transactions: when they follow each other, it asks
// once or twice each time, where it would ask some twenty times.
func TestMarkers_AreLearnedFromTransactions(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	lab, cluster := newControlledLab(t)
	asked, ended := slowMarkers(cluster, 12*time.Millisecond)
	run, stop := context.WithCancel(ctx)
	done := lab.run(run, t)
	ids := make(map[string]bool)
	round := 0
	transactions := func(n int32) {
		for until := ended.Load() + n; ended.Load() < until; round++ {
			if err := lab.client.ProduceSync(ctx, lab.round(round, ids)...).FirstErr(); err != nil {
				t.Fatalf("produce: %v", err)
			}
		}
	}
	transactions(30)
	askedBefore, endedBefore := asked.Load(), ended.Load()
	transactions(30)
	if n := float64(asked.Load()-askedBefore) / float64(ended.Load()-endedBefore); n > 5 {
		t.Errorf("%.1f questions a transaction", n)
	}
	lab.awaitCommitted(ctx, t)
	stop()
	if err := <-done; err != nil {
		t.Errorf("engine ended with %v, want nil", err)
	}
	lab.expectOnceEach(ctx, t, ids)
}

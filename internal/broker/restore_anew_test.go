package broker_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/pipeline"
)

// restoring counts what a task was restored with.
type restoring struct {
	broker.Task

	partition int32
	records   int
	opened    func(*restoring)
}

// Restore implements broker.Task.
func (r *restoring) Restore(key, value []byte) error {
	r.records++
	return r.Task.Restore(key, value)
}

// Open implements broker.Task.
func (r *restoring) Open() {
	r.Task.Open()
	r.opened(r)
}

// While the state is read its start is deleted (the cleaner has passed it, or an
// operator). What was read until then may be gone from the log: the restore begins
// again, with an empty state.
func TestRestore_BeginsAgainWhenTheLogsStartIsGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lab, cluster := newControlledLab(t)
	ids := make(map[string]bool)
	first, stop := context.WithCancel(ctx)
	ended := lab.run(first, t)
	for round := range 5 { // of a transaction each
		lab.send(ctx, t, lab.round(round, ids)...)
		lab.awaitCommitted(ctx, t)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	want := make(map[int32]int)
	for _, r := range lab.read(ctx, t, lab.topics.State) {
		if r.Key[0] != 0 { // the engine's own
			want[r.Partition]++
		}
	}

	var reads atomic.Int32
	state := lab.topicIDs(ctx, t)[lab.topics.State]
	cluster.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, _ := r.(*kmsg.FetchRequest)
		if len(req.Topics) != 1 || req.Topics[0].TopicID != state || req.Topics[0].Partitions[0].Partition != 0 {
			return nil, nil, false //nolint:nilnil // kfake: not handled here
		}
		// The first two are the claim of the first owner and its marker.
		if n := reads.Add(1); n == 6 {
			return answerFetch(req, kerr.OffsetOutOfRange.Code), nil, true
		}
		// One batch an answer, so that there are several.
		req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 1, 1
		return nil, nil, false //nolint:nilnil // kfake: not handled here
	})
	var mu sync.Mutex
	got := make(map[int32]int)
	opened := make(chan struct{}, faultPartitions)
	metrics := pipeline.NewMetrics(prometheus.NewRegistry())
	lab.runWith(ctx, t, func(partition int32) broker.Task {
		return &restoring{Task: newFaultTask(t, metrics), partition: partition, opened: func(r *restoring) {
			mu.Lock()
			defer mu.Unlock()
			got[r.partition] = r.records
			opened <- struct{}{}
		}}
	})
	for range faultPartitions {
		<-opened
	}
	if reads.Load() < 8 {
		t.Fatalf("the state was read with %d requests: the fault came too late to prove anything", reads.Load())
	}
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if got[p] != want[p] {
			t.Errorf("task %d goes to work with %d records restored, want the %d of its log once each", p, got[p], want[p])
		}
	}
}

package simtest

import (
	"context"
	"fmt"
	"maps"

	"github.com/twmb/franz-go/pkg/kgo"
)

// read returns what a read_committed reader sees of a topic, by partition, once
// no transaction is open on it.
func (w *world) read(topic string) map[int32][]*kgo.Record {
	w.until("transactions on "+topic, func() string {
		for _, p := range w.cluster.PartitionInfos(topic) {
			if p.LastStableOffset != p.HighWatermark {
				return fmt.Sprintf("partition %d is stable up to %d of %d", p.Partition, p.LastStableOffset, p.HighWatermark)
			}
		}
		return ""
	})
	left := w.ends(topic)
	maps.DeleteFunc(left, func(_ int32, end int64) bool { return end == 0 })
	seen := make(map[int32][]*kgo.Record)
	if len(left) == 0 {
		return seen
	}
	from := make(map[int32]kgo.Offset)
	for p := range left {
		from[p] = kgo.NewOffset().AtStart()
	}
	reader := w.newClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer reader.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.failf("read %s: %v", topic, err)
			return seen
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				seen[r.Partition] = append(seen[r.Partition], r)
			}
		})
	}
	return seen
}

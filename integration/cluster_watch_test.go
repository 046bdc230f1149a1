//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/integration/kafkatest"
)

// watch looks at the group's committed offsets all through a run. An offset must
// never go back.
type watch struct {
	lab *lab

	mu      sync.Mutex // guards the rest
	last    map[int32]int64
	names   map[int32]string // who committed last
	back    []string
	looks   int
	refused int // without an answer, while coordinators move
}

// startWatch looks on until ctx ends. each is called after every look.
func (l *lab) startWatch(ctx context.Context, each func()) *watch {
	w := &watch{lab: l, last: make(map[int32]int64), names: make(map[int32]string)}
	go func() {
		pause := time.NewTicker(20 * time.Millisecond)
		defer pause.Stop()
		for ctx.Err() == nil {
			w.look(ctx)
			each()
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
		}
	}()
	return w
}

func (w *watch) look(ctx context.Context) {
	offsets, err := w.lab.askOffsets(ctx, false)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.refused++
		return
	}
	w.looks++
	for _, o := range offsets {
		last, known := w.last[o.Partition]
		if o.ErrorCode != 0 || (o.Offset < 0 && !known) {
			continue // nothing has been committed yet
		}
		if o.Offset < last {
			w.back = append(w.back, fmt.Sprintf("partition %d: offset %d after %d", o.Partition, o.Offset, last))
		}
		w.last[o.Partition] = o.Offset
		if o.Metadata != nil {
			w.names[o.Partition] = *o.Metadata
		}
	}
}

// owner is a transactional ID that works on the first partition.
func (w *watch) owner() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.names[0]
}

// behind are the partitions whose offset is not beyond a mark.
func (w *watch) behind(marks map[int32]int64) []int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(marks)), func(p int32) bool { return w.last[p] > marks[p] })
}

// awaitBeyond waits until every partition has gone beyond its mark.
func (w *watch) awaitBeyond(ctx context.Context, marks map[int32]int64) error {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		left := w.behind(marks)
		if len(left) == 0 {
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return fmt.Errorf("partitions %v do not go on: %w", left, context.Cause(ctx))
		}
	}
}

func (w *watch) report(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("committed offsets: looked at %d times, %d times without an answer, gone back %d times", w.looks, w.refused, len(w.back))
	for _, fault := range w.back {
		t.Errorf("a committed offset has gone back: %s", fault)
	}
	if w.looks == 0 {
		t.Error("committed offsets were never seen")
	}
}

// commitLog reads every commit that the group has ever made from the broker's own
// log, which sees what happens between two looks as well. It returns how many there
// were, and those that took an offset back.
func (l *lab) commitLog(ctx context.Context, t *testing.T) (commits int, back []string) {
	t.Helper()
	last := make(map[int32]int64)
	l.eachOf(ctx, t, "__consumer_offsets", offsetsPartitions, func(r *kgo.Record) {
		var key kmsg.OffsetCommitKey
		var value kmsg.OffsetCommitValue
		if key.ReadFrom(r.Key) != nil || key.Version > 1 || key.Group != l.group || key.Topic != l.topics.Input || r.Value == nil {
			return // a group's metadata, or another group
		}
		if err := value.ReadFrom(r.Value); err != nil {
			t.Errorf("commit at %d-%d: %v", r.Partition, r.Offset, err)
			return
		}
		commits++
		if before, ok := last[key.Partition]; ok && value.Offset < before {
			back = append(back, fmt.Sprintf("record %d of the commit log takes partition %d from %d back to %d, by %s", r.Offset, key.Partition, before, value.Offset, value.Metadata))
		}
		last[key.Partition] = value.Offset
	})
	return commits, back
}

// offsetsPartitions is how many partitions __consumer_offsets has, in kafka/up.sh and
// in kafkatest's container.
const offsetsPartitions = 4

// What judges the others must see an offset go back itself.
func TestWatch_SeesAnOffsetGoBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	lab := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("watch"), 1)
	w := &watch{lab: lab, last: make(map[int32]int64), names: make(map[int32]string)}
	id := lab.topicID(ctx, t, lab.topics.Input)
	for _, offset := range []int64{5, 7, 6} {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Offset = offset
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.Partitions, topic.TopicID = lab.topics.Input, append(topic.Partitions, part), id
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Topics = lab.group, append(req.Topics, topic)
		insist(ctx, t, "commit", func() error {
			res, err := req.RequestWith(ctx, lab.client)
			if err != nil {
				return err
			}
			return kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
		})
		insist(ctx, t, "look", func() error {
			if w.look(ctx); w.last[0] != offset {
				return fmt.Errorf("sees %v", w.last)
			}
			return nil
		})
	}
	if len(w.back) != 1 {
		t.Errorf("the watch has seen %q go back, want 6 after 7", w.back)
	}
	if commits, back := lab.commitLog(ctx, t); commits != 3 || len(back) != 1 {
		t.Errorf("the log has %d commits, of which %q go back, want 3, and 7 back to 6", commits, back)
	}
}

// topicID is what newer requests name a topic by.
func (l *lab) topicID(ctx context.Context, t *testing.T, topic string) (id [16]byte) {
	t.Helper()
	of := kmsg.NewMetadataRequestTopic()
	of.Topic = &topic
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, of)
	insist(ctx, t, "ID of topic "+topic, func() error {
		res, err := req.RequestWith(ctx, l.client)
		if err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		id = res.Topics[0].TopicID
		return kerr.ErrorForCode(res.Topics[0].ErrorCode)
	})
	return id
}

// askOffsets asks for the group's offsets once.
func (l *lab) askOffsets(ctx context.Context, stable bool) ([]kmsg.OffsetFetchResponseGroupTopicPartition, error) {
	topic := kmsg.OffsetFetchRequestGroupTopic{Topic: l.topics.Input}
	for p := range int32(l.partitions) {
		topic.Partitions = append(topic.Partitions, p)
	}
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group, group.Topics = l.group, append(group.Topics, topic)
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Groups, req.RequireStable = append(req.Groups, group), stable
	res, err := req.RequestWith(ctx, l.client)
	switch {
	case err != nil:
		return nil, fmt.Errorf("fetch the group's offsets: %w", err)
	case len(res.Groups) != 1:
		return nil, fmt.Errorf("fetch the group's offsets: answer for %d groups", len(res.Groups))
	case res.Groups[0].ErrorCode != 0:
		return nil, kerr.ErrorForCode(res.Groups[0].ErrorCode)
	case len(res.Groups[0].Topics) != 1:
		return nil, fmt.Errorf("fetch the group's offsets: answer for %d topics", len(res.Groups[0].Topics))
	}
	return res.Groups[0].Topics[0].Partitions, nil
}

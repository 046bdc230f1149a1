package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"pulse-scorer/internal/broker/wire"
)

// warmState is what a task remembered when it was given away, as of its last
// committed transaction. When the task comes back, only what others have
// written since is read, if that is still there (warm.check).
type warmState struct {
	path Task
	// next is the offset in the state topic after the last record that path
	// holds.
	next int64
	// last is the owner record of the newest transaction that path holds.
	last ownerRecord
	// asOf is when it was last sure that nobody else had the task.
	asOf time.Time
}

const (
	// warmKept is how long a state is kept for a task that may come back: a
	// rolling update is over by then.
	warmKept = 10 * time.Minute
	// tombstoneMargin: a state may be as old as this part of
	// delete.retention.ms, for clocks differ.
	tombstoneMargin = 2
)

// errNotWarm says why a kept state is of no use. The whole state is read then.
var errNotWarm = errors.New("the kept state cannot be continued")

// keepWarm keeps the state of a task that was given away. Everything that the
// last transaction left in doubt makes it cold: what a state must be is the
// prefix of its log that next names, to the record
// (TestKeepWarm_OnlyWhatIsCertain).
//
// There are never more states in memory than this process has worked on at
// once: what it had room for then, it has room for now.
func (e *Engine) keepWarm(t *task, path Task) {
	now := e.tasks[t.id]
	if path == nil || t.cold || t.stateNext < 0 || e.draining || (now != nil && now.phase != phaseClaiming) {
		return
	}
	e.warm[t.id] = &warmState{
		path: path, next: t.stateNext, last: t.written, asOf: t.releasedAt,
	}
	e.boundWarm()
}

// boundWarm drops the states that were kept first while there are too many. One
// whose task has come back stands for it: it is about to be continued.
func (e *Engine) boundWarm() {
	for {
		kept := 0
		oldest := int32(-1)
		for id, w := range e.warm {
			if e.tasks[id] != nil {
				continue
			}
			kept++
			if o := e.warm[oldest]; o == nil || w.asOf.Before(o.asOf) || (w.asOf.Equal(o.asOf) && id < oldest) {
				oldest = id
			}
		}
		if kept == 0 || kept+len(e.tasks) <= e.mostTasks {
			return
		}
		delete(e.warm, oldest)
	}
}

// takeWarm hands a kept state out, once. One of a task that was given to us
// anew without it is nothing to keep.
func (e *Engine) takeWarm(task int32) *warmState {
	w := e.warm[task]
	delete(e.warm, task)
	return w
}

func (e *Engine) expireWarm(now time.Time) {
	for id, w := range e.warm {
		if age(w.asOf, now) > warmKept {
			delete(e.warm, id)
			e.log.Debug("kept state dropped, its task has not come back", slog.Int("task", int(id)))
		}
	}
}

// age goes by the clock that says more: the monotonic one stands still while the
// machine sleeps, the wall clock may be set back.
func age(since, now time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}

// check tells whether the log still holds everything that was written after the
// state: the topic is the same one, and no tombstone of that time can have been
// removed. What compaction has removed else was overwritten by something later.
// That the offset lies within the log is for the broker to say at the first fetch.
func (w *warmState) check(ctx context.Context, e *Engine, topic wire.TopicID) error {
	if topic != w.last.Topics.State || topic == (wire.TopicID{}) {
		return fmt.Errorf("%w: the topic was made anew", errNotWarm)
	}
	retention, err := e.cluster.deleteRetention(ctx, e.set.Topics.State)
	if err != nil {
		return fmt.Errorf("%w: delete.retention.ms: %w", errNotWarm, err)
	}
	if gap := age(w.asOf, e.deps.Now()); gap > retention/tombstoneMargin {
		return fmt.Errorf("%w: it is %v old, and tombstones are kept for %v", errNotWarm, gap, retention)
	}
	return nil
}

// followedBy tells whether an owner record that was read after another was
// written after it. A log that lost its end and was written again has others.
func (o ownerRecord) followedBy(next ownerRecord) error {
	if next.Sequence <= o.Sequence {
		return fmt.Errorf("%w: transaction %d of the task was followed by %d", errNotWarm, o.Sequence, next.Sequence)
	}
	return nil
}

// deleteRetention asks how long a compacted topic keeps tombstones at least.
func (c *cluster) deleteRetention(ctx context.Context, topic string) (time.Duration, error) {
	client := &kafka.Client{Addr: c.addr, Transport: c.transport, Timeout: lookUpTimeout}
	res, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{deleteRetentionConfig},
	}}})
	if err != nil {
		return 0, fmt.Errorf("describe configs: %w", err)
	}
	for _, r := range res.Resources {
		if r.Error != nil {
			return 0, r.Error
		}
		for _, entry := range r.ConfigEntries {
			if entry.ConfigName == deleteRetentionConfig {
				ms, err := strconv.ParseInt(entry.ConfigValue, 10, 64)
				if err != nil {
					return 0, fmt.Errorf("value %q: %w", entry.ConfigValue, err)
				}
				return time.Duration(ms) * time.Millisecond, nil
			}
		}
	}
	return 0, errors.New("the broker does not tell")
}

const deleteRetentionConfig = "delete.retention.ms"

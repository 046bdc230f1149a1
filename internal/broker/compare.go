package broker

import (
	"context"
	"fmt"
	"log/slog"

	"pulse-scorer/internal/broker/wire"
)

// compare holds what the state says against the group's offset and the topics
// there are, and decides where the input goes on. The group's offset counts,
// also when it is not the state's: an operator wanted it. Only when it is
// exactly the state's, and the state's is of an input topic that is no more,
// nobody wanted it: it was committed before the topic was deleted, and means
// nothing in the topic of the same name. Then reading goes on at the log's
// start: too early is safe, seen IDs make duplicates of it.
func (r *restore) compare(ctx context.Context) error {
	e := r.engine
	r.base = r.offset
	e.noteRecreated(r.task.id, r.last.Topics, r.ids)
	recorded, known := r.last.Next[e.set.Topics.Input]
	switch {
	case !known:
		return nil
	case recorded == r.offset && another(r.last.Topics.Input, r.ids.Input):
		start, err := e.cluster.startOffset(ctx, e.set.Topics.Input, r.task.id, Earliest)
		if err != nil {
			return fmt.Errorf("start of the log of task %d: %w", r.task.id, err)
		}
		r.base = start
		e.log.Error("the group's offset belongs to an input topic that was deleted; going on at the log's start",
			slog.String("topic", e.set.Topics.Input), slog.Int("partition", int(r.task.id)),
			slog.Int64("committed", r.offset), slog.Int64("offset", start))
	case recorded != r.offset:
		e.metrics.offsetMismatches.Inc()
		e.log.Error("the group's offset is not the one the state was written with; going on at the group's",
			slog.String("topic", e.set.Topics.Input), slog.Int("partition", int(r.task.id)),
			slog.Int64("committed", r.offset), slog.Int64("state", recorded))
		if !another(r.last.Topics.Input, r.ids.Input) && r.offset > recorded {
			e.skipped(r.task.id, recorded, r.offset, "the group's offset was moved forward")
		}
	}
	return nil
}

// noteRecreated says which topics are not those that the state was written
// with. It says so at every takeover until the next batch has been committed.
func (e *Engine) noteRecreated(task int32, written, now topicIDs) {
	for _, topic := range []struct {
		name        string
		before, now wire.TopicID
	}{
		{e.set.Topics.Input, written.Input, now.Input},
		{e.set.Topics.Results, written.Results, now.Results},
		{e.set.Topics.DeadLetters, written.DeadLetters, now.DeadLetters},
		{e.set.Topics.State, written.State, now.State},
	} {
		if !another(topic.before, topic.now) {
			continue
		}
		e.metrics.recreated.WithLabelValues(topic.name).Inc()
		e.log.Error("the topic is not the one the state was written with: it was deleted and made again, or another is named; what it held is gone",
			slog.String("topic", topic.name), slog.Int("partition", int(task)),
			slog.String("before", topic.before.String()), slog.String("now", topic.now.String()))
	}
}

// skipped counts input offsets that nobody will read, and names them.
func (e *Engine) skipped(task int32, from, to int64, why string) {
	e.metrics.skipped.Add(float64(to - from))
	e.log.Error("input offsets are passed over unread", slog.String("topic", e.set.Topics.Input), slog.Int("partition", int(task)),
		slog.Int64("from", from), slog.Int64("to", to-1), slog.Int64("offsets", to-from), slog.String("reason", why))
}

package broker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

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
	r.engine.noteRecreated(r.task.id, r.last.Topics, r.ids)
	r.base = slices.Clone(r.offset)
	for tier := range r.base {
		if err := r.compareSource(ctx, tier); err != nil {
			return err
		}
	}
	return nil
}

func (r *restore) compareSource(ctx context.Context, tier int) error {
	e, committed := r.engine, r.offset[tier]
	topic := e.set.Topics.source(tier)
	recorded, known := r.last.Next[topic]
	isAnother := another(r.last.Topics.source(tier), r.ids.source(tier))
	attrs := []any{slog.String("topic", topic), slog.Int("partition", int(r.task.id)), slog.Int64("committed", committed)}
	switch {
	case !known:
		return nil
	case recorded == committed && isAnother:
		start, err := e.cluster.startOffset(ctx, topic, r.task.id, Earliest)
		if err != nil {
			return fmt.Errorf("start of the log of task %d: %w", r.task.id, err)
		}
		r.base[tier] = start
		e.log.Error("the group's offset belongs to a topic that was deleted; going on at the log's start",
			append(attrs, slog.Int64("offset", start))...)
	case recorded != committed:
		e.metrics.offsetMismatches.Inc()
		e.log.Error("the group's offset is not the one the state was written with; going on at the group's",
			append(attrs, slog.Int64("state", recorded))...)
		if !isAnother && committed > recorded {
			e.skipped(topic, r.task.id, recorded, committed, "the group's offset was moved forward")
		}
	}
	return nil
}

// noteRecreated says which topics are not those that the state was written
// with. It says so at every takeover until the next batch has been committed.
func (e *Engine) noteRecreated(task int32, written, now topicIDs) {
	type change struct {
		name        string
		before, now wire.TopicID
	}
	topics := []change{
		{e.set.Topics.Results, written.Results, now.Results},
		{e.set.Topics.DeadLetters, written.DeadLetters, now.DeadLetters},
		{e.set.Topics.State, written.State, now.State},
	}
	for tier := range e.set.Topics.sources() {
		topics = append(topics, change{e.set.Topics.source(tier), written.source(tier), now.source(tier)})
	}
	for _, topic := range topics {
		if !another(topic.before, topic.now) {
			continue
		}
		e.metrics.recreated.WithLabelValues(topic.name).Inc()
		e.log.Error("the topic is not the one the state was written with: it was deleted and made again, or another is named; what it held is gone",
			slog.String("topic", topic.name), slog.Int("partition", int(task)),
			slog.String("before", topic.before.String()), slog.String("now", topic.now.String()))
	}
}

// skipped counts offsets that nobody will read, and names them.
func (e *Engine) skipped(topic string, task int32, from, to int64, why string) {
	e.metrics.skipped.Add(float64(to - from))
	e.log.Error("offsets are passed over unread", slog.String("topic", topic), slog.Int("partition", int(task)),
		slog.Int64("from", from), slog.Int64("to", to-1), slog.Int64("offsets", to-from), slog.String("reason", why))
}

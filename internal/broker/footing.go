package broker

import (
	"context"
	"fmt"
	"log/slog"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// footing is where a task's input goes on, before anything of its state is
// read: at the group's offset, whoever committed it. Where the group has none,
// it depends on whether anybody has had the task before.
//
//	group's offset  state partition          goes on at
//	there           anything                 the group's offset
//	there           empty                    the same; the state is lost: alarm
//	none            empty, or nothing in     the start of a new task (start)
//	                it was ever committed
//	none            of this input            where the state says: alarm
//	none            of another input, or     the log's start: alarm
//	                an older build's
func (to *takeover) footing(ctx context.Context, task int32, committed committedOffset) (int64, error) {
	e := to.engine
	written, err := e.cluster.listOffset(ctx, e.set.Topics.State, task, wire.LatestOffset, false)
	if err != nil {
		return 0, err
	}
	to.fresh[task] = written == 0
	switch {
	case committed.offset >= 0:
		if written == 0 {
			to.noState(task, committed)
		}
		return committed.offset, nil
	case written == 0:
		return to.start(ctx, task)
	}
	return to.forgotten(ctx, task)
}

// noState says what an empty state beside an offset means: a member of ours has
// committed it and lost the state, or an operator has set it before the group
// began.
func (to *takeover) noState(task int32, committed committedOffset) {
	if to.said[task] {
		return
	}
	to.said[task] = true
	if ours(committed.metadata, to.engine.set.Group) {
		to.engine.stateLost(task, "its partition is empty although the group has worked on it: the topic was deleted and made again")
		return
	}
	to.engine.log.Warn("the group's offset was set by somebody else, and there is no state yet; going on at that offset",
		slog.String("topic", to.engine.set.Topics.Input), slog.Int("partition", int(task)), slog.Int64("offset", committed.offset))
}

// start is where a task begins that nobody has had before. A partition that
// was added to the input after the group had begun is read from its start,
// whatever PULSE_START_OFFSET says: its first records came for a group that was
// there.
func (to *takeover) start(ctx context.Context, task int32) (int64, error) {
	e := to.engine
	at := e.set.Start
	if at == Latest {
		first, err := to.firstTasks(ctx)
		if err != nil {
			return 0, err
		}
		if task >= first {
			at = Earliest
		}
	}
	return e.cluster.startOffset(ctx, e.set.Topics.Input, task, at)
}

// firstTasks is how many partitions the input had when the group began. The
// group's leader says so; one of an older build does not.
func (to *takeover) firstTasks(ctx context.Context) (int32, error) {
	if to.gen.first > 0 {
		return to.gen.first, nil
	}
	return to.engine.cluster.firstTasks(ctx)
}

// firstTasks works it out from what there is: partitions are added at the end,
// so those up to the last one with an offset or a state were there. For a group
// that has neither it is all of them.
func (c *cluster) firstTasks(ctx context.Context) (int32, error) {
	n, err := c.partitions(ctx, c.topology.Input)
	if err != nil {
		return 0, err
	}
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	offsets, err := c.offsets(ctx, all, false)
	if err != nil {
		return 0, err
	}
	for p := n - 1; p >= 0; p-- {
		if offsets[p].input().offset >= 0 {
			return p + 1, nil
		}
		written, err := c.listOffset(ctx, c.topology.State, p, wire.LatestOffset, false)
		if err != nil {
			return 0, err
		}
		if written > 0 {
			return p + 1, nil
		}
	}
	return n, nil
}

// forgotten is where a task goes on that the group has no offset for although
// it had one: it expired, was deleted, or went with the input.
func (to *takeover) forgotten(ctx context.Context, task int32) (int64, error) {
	e := to.engine
	last, begun, err := to.lastWord(ctx, task)
	if err != nil {
		return 0, err
	}
	if !begun {
		// A first claim that was aborted leaves offsets and no word
		// (TestFooting_AfterAnAbortedFirstClaimIsANewTasks).
		to.fresh[task] = true
		return to.start(ctx, task)
	}
	to.last[task] = last
	next, known := last.Next[e.set.Topics.Input]
	attrs := []any{slog.String("topic", e.set.Topics.Input), slog.Int("partition", int(task))}
	say := !to.said[task]
	to.said[task] = true
	if known && last.Topics.Input == to.topics.Input {
		if say {
			e.metrics.offsetMismatches.Inc()
			e.log.Error("the group has no offset any more (expired or deleted); going on where the state was written",
				append(attrs, slog.Int64("state", next))...)
		}
		return next, nil
	}
	start, err := e.cluster.startOffset(ctx, e.set.Topics.Input, task, Earliest)
	if err == nil && say {
		e.log.Error("the group has no offset any more, and the state was not written with this input topic; going on at the log's start",
			append(attrs, slog.Int64("offset", start))...)
	}
	return start, err
}

// lastWord reads the last owner record of a task's state, and tells whether
// anything was ever committed there. It fails while
// somebody's transaction is open on it, for the takeover to try again: it has
// fenced the dead by then.
func (to *takeover) lastWord(ctx context.Context, task int32) (last ownerRecord, begun bool, err error) {
	c := to.engine.cluster
	end, err := c.listOffset(ctx, c.topology.State, task, wire.LatestOffset, false)
	if err != nil {
		return last, begun, err
	}
	stable, err := c.listOffset(ctx, c.topology.State, task, wire.LatestOffset, true)
	if err != nil {
		return last, begun, err
	}
	if stable < end {
		return last, begun, fmt.Errorf("a transaction is open on the state of task %d", task)
	}
	next, err := c.logStart(ctx, c.topology.State, task)
	if err != nil {
		return last, begun, err
	}
	for next < end {
		got, err := c.fetchOne(ctx, c.topology.State, to.topics.State, task, next, readCommitted)
		if err != nil {
			return last, begun, err
		}
		before := next
		err = eachCommitted(got, next, func(rec *batch.Record) (err error) {
			begun = true
			if string(rec.Key) != ownerKey || rec.Value == nil {
				return nil
			}
			if last, err = decodeOwner(rec.Value); err != nil {
				return fatalf("state of task %d at offset %d: %w", task, rec.Offset, err)
			}
			return nil
		}, &next)
		if err != nil {
			return last, begun, err
		}
		if next == before {
			return last, begun, fmt.Errorf("state of task %d gives nothing below its end", task)
		}
	}
	return last, begun, nil
}

// tierFooting is where a tier goes on: at the group's offset, or where the state was
// written with it, or else at its start. To read it again is safe within the dedupe
// window: what has its outcome is a duplicate.
func (to *takeover) tierFooting(ctx context.Context, task int32, tier int, committed committedOffset) (int64, error) {
	if committed.offset >= 0 {
		return committed.offset, nil
	}
	e := to.engine
	topic := e.set.Topics.source(tier)
	last, known := to.last[task]
	if next, written := last.Next[topic]; known && written && last.Topics.source(tier) == to.topics.source(tier) {
		return next, nil
	}
	return e.cluster.startOffset(ctx, topic, task, Earliest)
}

// stateLost says that a task has forgotten what it knew.
func (e *Engine) stateLost(task int32, why string) {
	e.metrics.statesLost.Inc()
	e.log.Error("the state of a task is lost: signals that come again are scored again, and windows begin anew",
		slog.String("topic", e.set.Topics.State), slog.Int("partition", int(task)), slog.String("reason", why))
}

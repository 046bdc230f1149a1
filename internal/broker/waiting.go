package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// waiting looks whether anything that waits comes within a tenth of its
// retention. Two things wait:
//
//   - input that is not committed yet. Deleted, it is lost, and nothing would be
//     left but a gap of offsets. Each member looks at its own tasks, and all of
//     them at partitions that nobody has been given yet.
//   - dead letters, for a person. Nothing says which of them somebody has dealt
//     with, so it is the oldest that counts. An operator who lets them go by age
//     has no alert on this check.
func (w *watch) waiting(ctx context.Context, g *generation, states []TopicState) ([]Check, error) {
	var input, dead []error
	partitions, err := w.partitions(ctx, g)
	if err != nil {
		return nil, err
	}
	committed, err := w.cluster.offsets(ctx, partitions, false)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if s.kept == 0 || !s.Exists {
			continue
		}
		for _, p := range partitions {
			var fault error
			switch {
			case s.Role == roleInput:
				fault, err = w.nearDeletion(ctx, s, p, committed[p].input().offset)
				input = append(input, fault)
			case s.Role == roleDead && int(p) < s.Partitions:
				fault, err = w.nearDeletion(ctx, s, p, 0)
				dead = append(dead, fault)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return []Check{check(checkInputRetention, errors.Join(input...)), check(checkDeadRetention, errors.Join(dead...))}, nil
}

// partitions are our tasks and what has not been divided.
func (w *watch) partitions(ctx context.Context, g *generation) ([]int32, error) {
	n, err := w.cluster.partitions(ctx, w.set.Topics.Input)
	if err != nil {
		return nil, err
	}
	var out []int32
	for p := range n {
		if g.owns(p) || g.partitions > 0 && p >= g.partitions {
			out = append(out, p)
		}
	}
	return out, nil
}

// nearDeletion says which records from an offset on are older than nine tenths
// of what the topic keeps. The first younger one is found by time, so that no
// record has to be read.
func (w *watch) nearDeletion(ctx context.Context, s TopicState, partition int32, from int64) (fault, err error) {
	start, err := w.cluster.logStart(ctx, s.Name, partition)
	if err != nil {
		return nil, err
	}
	from = max(from, start)
	limit := s.kept / 10 * 9
	younger, err := w.cluster.listOffset(ctx, s.Name, partition, w.now().Add(-limit).UnixMilli(), false)
	if err == nil && younger < 0 {
		younger, err = w.cluster.listOffset(ctx, s.Name, partition, wire.LatestOffset, false)
	}
	if err != nil || younger <= from {
		return nil, err
	}
	what, remedy := "records of the input wait unread", "add workers or raise its retention.ms"
	if s.Role != roleInput {
		what, remedy = "dead letters wait for somebody", "deal with them or raise its retention.ms"
	}
	return fmt.Errorf("%s: %s-%d offsets %d to %d are older than nine tenths of its retention of %v and will be deleted; %s",
		what, s.Name, partition, from, younger-1, s.kept.Round(time.Second), remedy), nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/config"
)

// Replay scores the input again under a group of its own, from some point on to the
// ends it has when the replay begins. It is a service like any other, with topics of
// its own for all that it writes.
type Replay struct {
	// Config names the group and the topics of the replay.
	Config config.Config
	Deps   Deps
	// FromTime, if set, is the time of the first records; else FromOffset is the
	// offset they have, in each partition.
	FromTime   time.Time
	FromOffset int64
	// Resume goes on with a replay that did not come to its end.
	Resume bool
	// Progress is told of offsets to read and of offsets that were read.
	Progress func(toRead, read int64)

	look *broker.Inspector
	// from and ends bound the input, by partition.
	from, ends []int64
}

// Replayed is what a replay has done.
type Replayed struct {
	Group     string  `json:"group"`
	Output    string  `json:"output"`
	From      []int64 `json:"from"`
	To        []int64 `json:"to"`
	Scored    int     `json:"scored"`
	Duplicate int     `json:"duplicate"`
	Dead      int     `json:"dead"`
}

// Run replays, and returns when all of it is committed.
func (r *Replay) Run(ctx context.Context) (Replayed, error) {
	if err := r.place(ctx); err != nil {
		return Replayed{}, err
	}
	defer r.look.Close()
	service, err := NewService(ctx, r.Config, r.Deps)
	if err != nil {
		return Replayed{}, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	group, working := errgroup.WithContext(working)
	group.Go(func() error { return service.Run(working) })
	group.Go(func() error {
		defer stop()
		return r.await(working)
	})
	if err := group.Wait(); err != nil {
		return Replayed{}, err
	}
	o := service.Outcomes()
	return Replayed{
		Group: r.Config.Group, Output: r.Config.TopicOutput, From: r.from, To: r.ends, Scored: o.Scored, Duplicate: o.Duplicate, Dead: o.Dead,
	}, nil
}

// place commits where the group begins.
func (r *Replay) place(ctx context.Context) (err error) {
	if r.look, err = newInspector(r.Config); err != nil {
		return err
	}
	if err := r.bounds(ctx); err != nil {
		r.look.Close()
		return err
	}
	committed, err := r.look.Committed(ctx, int32(len(r.ends))) //nolint:gosec // it was one
	if err != nil {
		return err
	}
	for p, offset := range committed {
		if offset == broker.NoOffset {
			continue
		}
		if !r.Resume {
			return fmt.Errorf("group %s has been at work on %s (partition %d is at offset %d): --resume goes on there, --group names another",
				r.Config.Group, r.Config.TopicInput, p, offset)
		}
		copy(r.from, committed)
		return nil
	}
	if r.Resume {
		return fmt.Errorf("group %s has committed nothing on %s, so there is nothing to go on with: look at the name, or leave --resume out to begin",
			r.Config.Group, r.Config.TopicInput)
	}
	conn, err := Connection(r.Config, r.Deps.Log)
	if err != nil {
		return err
	}
	return broker.SetStart(ctx, conn, r.Config.Group, r.Config.TopicInput, r.from)
}

// bounds finds out what is replayed.
func (r *Replay) bounds(ctx context.Context) error {
	n, err := r.look.Partitions(ctx)
	if err != nil {
		return err
	}
	topic := r.Config.TopicInput
	r.from, r.ends = make([]int64, n), make([]int64, n)
	for p := range n {
		start, err := r.look.Start(ctx, topic, p)
		if err != nil {
			return err
		}
		if r.ends[p], err = r.look.End(ctx, topic, p); err != nil {
			return err
		}
		from := r.FromOffset
		if !r.FromTime.IsZero() {
			if from, err = r.look.OffsetAt(ctx, topic, p, r.FromTime.UnixMilli()); err != nil {
				return err
			}
			if from == broker.NoOffset {
				from = r.ends[p]
			}
		}
		r.from[p] = min(max(from, start), r.ends[p])
		r.Progress(r.ends[p]-r.from[p], 0)
	}
	return nil
}

// replayTick is how often it is asked how far the group has come.
const replayTick = 200 * time.Millisecond

// await waits until the group has committed all of the input, and nothing is left in
// its retry tiers.
func (r *Replay) await(ctx context.Context) error {
	ticker := time.NewTicker(replayTick)
	defer ticker.Stop()
	passed := int64(0)
	for {
		left, now, err := r.left(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("stopped with %d records to go; --resume --group %s goes on: %w", left, r.Config.Group, context.Cause(ctx))
		case err != nil:
			return err
		}
		r.Progress(0, now-passed)
		passed = now
		if left == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// left counts what is to be done yet, and what of the input has been.
func (r *Replay) left(ctx context.Context) (left, passed int64, err error) {
	n, err := r.look.Partitions(ctx)
	if err != nil {
		return 0, 0, err
	}
	committed, err := r.look.CommittedOfAll(ctx, n)
	if err != nil {
		return 0, 0, err
	}
	for p := range r.ends {
		at := max(r.from[p], committed[0][p])
		left += max(0, r.ends[p]-at)
		passed += min(at, r.ends[p]) - r.from[p]
	}
	for i, tier := range Topology(r.Config).Retry {
		for p := range n {
			if !r.look.Has(tier.Topic) {
				continue
			}
			end, err := r.look.End(ctx, tier.Topic, p)
			if err != nil {
				return 0, 0, err
			}
			left += max(0, end-max(0, committed[i+1][p]))
		}
	}
	return left, passed, nil
}

// CheckReplay says why a replay must not write where its environment says.
func CheckReplay(c config.Config, service config.Config) error {
	mine, theirs := c.Topics(), service.Topics()
	taken := append([]string{theirs.Input, theirs.Output, theirs.DLQ, theirs.State, theirs.Models}, theirs.Retry...)
	for _, t := range append([]string{mine.Output, mine.DLQ, mine.State, mine.Models}, mine.Retry...) {
		if slices.Contains(taken, t) {
			return fmt.Errorf("topic %s is the service's: a replay needs its own", t)
		}
	}
	if c.Group == service.Group {
		return errors.New("group " + c.Group + " is the service's: a replay needs its own")
	}
	return nil
}

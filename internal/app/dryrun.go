package app

import (
	"context"
	"time"

	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
)

// DryRun is what a redrive would do: the letters that it would send back or hold.
type DryRun struct {
	*deadletter.Histogram

	// Forgettable are those it would send whose signal may be scored twice.
	Forgettable uint64 `json:"older_than_dedupe_window"`
}

// DryRun counts the letters that a redrive would deal with, which it does in the same
// order, so that a limit ends both at the same letter. limit 0 does not.
func (d *DeadLetters) DryRun(ctx context.Context, now time.Time, maxRedrives int, limit uint64) (DryRun, error) {
	f := DryRun{Histogram: deadletter.NewHistogram()}
	sent := uint64(0)
	err := d.Each(ctx, func(_ *pipeline.Record, l *deadletter.Letter, s deadletter.Standing) error {
		if s != deadletter.Open {
			return nil
		}
		if limit > 0 && sent >= limit {
			return ErrEnough
		}
		decision := deadletter.Decide(l, s, maxRedrives, false)
		if decision.Way != deadletter.Hold {
			sent++
			f.Forgettable += d.forgettable(l, now)
		}
		f.Add(l, decision.Standing, now)
		d.act(l.Partition, l.At)
		return nil
	})
	return f, err
}

// forgettable is 1 for a letter older than the time for which IDs are remembered, else
// 0. Had its signal been scored since, that might be forgotten, and sent back it would
// be scored again.
func (d *DeadLetters) forgettable(l *deadletter.Letter, now time.Time) uint64 {
	if now.Sub(time.UnixMilli(l.TimeMs)) > d.config.DedupeWindow {
		return 1
	}
	return 0
}

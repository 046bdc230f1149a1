package app

import (
	"context"
	"time"

	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
)

// Foreseen is what a redrive would do: the letters that it would send back or hold.
type Foreseen struct {
	*deadletter.Histogram
}

// Foresee counts the letters that a redrive would deal with, which it does in the same
// order, so that a limit ends both at the same letter. limit 0 does not.
func (d *DeadLetters) Foresee(ctx context.Context, now time.Time, maxRedrives int, limit uint64) (Foreseen, error) {
	f := Foreseen{Histogram: deadletter.NewHistogram()}
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
		}
		f.Add(l, decision.Standing, now)
		d.act(l.Partition, l.At)
		return nil
	})
	return f, err
}

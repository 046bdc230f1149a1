package app

import (
	"context"

	"pulse-scorer/internal/audit"
	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/state"
)

// tierRange is what waits in one partition of a retry tier.
type tierRange struct {
	topic    string
	from, to int64
}

// tiers notes what is to be read of the retry tiers. One that does not exist holds
// nothing.
func (a *Auditor) tiers(ctx context.Context, c *cut, committed [][]int64) error {
	for i, tier := range a.topics.Retry {
		if !a.look.Has(tier.Topic) {
			continue
		}
		start, err := a.look.Start(ctx, tier.Topic, c.partition)
		if err != nil {
			return err
		}
		end, err := a.look.End(ctx, tier.Topic, c.partition)
		if err != nil {
			return err
		}
		c.tiers = append(c.tiers, tierRange{tier.Topic, max(start, committed[i+1][c.partition]), end})
	}
	return nil
}

// park keeps what a record of the state says about what is parked. After the first
// look nothing is taken away any more: whatever has gone since may have its outcome
// behind the ends that are read.
func (c *cut) park(r *pipeline.Record, first bool) error {
	name, begin, ok, err := state.DecodeParked(r.Key, r.Value)
	switch {
	case err != nil:
		return err
	case !ok:
		return nil
	case begin == nil:
		if first {
			delete(c.parked, name)
		}
		return nil
	}
	p, err := pipeline.ReadParked(begin)
	if err != nil {
		return err
	}
	c.parked[name] = p.Offset
	return nil
}

// waiting books what has no outcome yet, because it waits in a tier or is parked.
func (a *Auditor) waiting(ctx context.Context, c *cut, book *audit.Book) error {
	for _, offset := range c.parked {
		book.Enter(audit.Entry{Outcome: audit.Pending, Offset: offset, Again: true})
	}
	for _, tier := range c.tiers {
		if err := a.tier(ctx, c, tier, book); err != nil {
			return err
		}
	}
	return nil
}

func (a *Auditor) tier(ctx context.Context, c *cut, tier tierRange, book *audit.Book) error {
	a.Progress(max(0, tier.to-tier.from), 0)
	var sig pulse.Signal
	return a.scan(ctx, broker.Scan{
		Topic: tier.topic, Partition: c.partition, From: tier.from, To: tier.to,
		Jumped: func(int64, int64) { book.Truncated(audit.Pending) },
		Each: func(r *pipeline.Record) error {
			letter, err := pipeline.ReadLetter(r.Headers)
			switch {
			case err != nil:
				book.Unreadable(tier.topic, r.Offset, err)
				return nil
			case letter.Topic != a.topics.Input || letter.Partition != c.partition:
				return nil // sent back to the input's successor, or by hand
			}
			id := audit.NoID
			if a.decode.Decode(r.Value, r.Headers, letter.RecordTimeMs, &sig) == nil {
				id = a.hasher.ID(sig.Source, sig.ID)
			}
			book.Enter(audit.Entry{Outcome: audit.Pending, Offset: letter.Offset, ID: id, At: r.Offset, TimeMs: r.TimestampMs, Again: true})
			return nil
		},
	})
}

package app

import (
	"context"

	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
)

// Untouched is a position that Filter names and with which nothing was done.
type Untouched struct {
	deadletter.Position

	// Partitions is how many there are: the position may be in none of them.
	Partitions int32
	// Letter tells whether a letter of this service lies there; if so, Standing is
	// what has been decided about it, and Fits whether the rest of Filter fits it.
	Letter   bool
	Standing deadletter.Standing
	Fits     bool
}

// act notes that something was done with a letter. Only those that are named by
// their positions are asked for, and few.
func (d *DeadLetters) act(p int32, offset int64) {
	if len(d.Filter.Positions) > 0 {
		d.acted[deadletter.Position{Partition: p, Offset: offset}] = true
	}
}

// Untouched looks at what lies at the positions of Filter with which nothing was
// done.
func (d *DeadLetters) Untouched(ctx context.Context) ([]Untouched, error) {
	var all []Untouched
	seen := make(map[deadletter.Position]bool)
	for _, at := range d.Filter.Positions {
		if d.acted[at] || seen[at] {
			continue
		}
		seen[at] = true
		u, err := d.untouched(ctx, at)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func (d *DeadLetters) untouched(ctx context.Context, at deadletter.Position) (Untouched, error) {
	u := Untouched{Position: at}
	var err error
	if u.Partitions, err = d.partitions(ctx); err != nil || at.Partition >= u.Partitions {
		return u, err
	}
	start, err := d.look.Start(ctx, d.topics.DeadLetters, at.Partition)
	if err != nil {
		return u, err
	}
	end, err := d.look.End(ctx, d.topics.DeadLetters, at.Partition)
	if err != nil || at.Offset < start || at.Offset >= end {
		return u, err
	}
	err = d.letters(ctx, at.Partition, at.Offset, at.Offset+1, func(_ *pipeline.Record, l *deadletter.Letter, why error) error {
		u.Letter, u.Fits = why == nil, d.Filter.Fits(l)
		return nil
	})
	if err != nil || !u.Letter {
		return u, err
	}
	book, err := d.book(ctx, at.Partition, at.Offset, end) // marks lie behind their letters
	if err != nil {
		return u, err
	}
	u.Standing = book.Of(at.Offset)
	return u, nil
}

package app

import (
	"context"
	"errors"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
)

// DeadLetters reads the dead letters of an environment's service, with what has
// been decided about them. Each partition is read twice: marks lie behind the
// letters they name. What is kept in memory is the book of one partition.
type DeadLetters struct {
	// Filter says which letters are meant.
	Filter deadletter.Filter
	// Progress is told of offsets to read and of offsets that were read.
	Progress func(toRead, read int64)

	config config.Config
	topics broker.Topology
	look   *broker.Inspector
	reader *deadletter.Reader
	// acted are the positions of Filter with which something was done, or would be.
	acted map[deadletter.Position]bool
}

// NewDeadLetters prepares to look at them.
func NewDeadLetters(c config.Config) (*DeadLetters, error) {
	look, err := newInspector(c)
	if err != nil {
		return nil, err
	}
	return &DeadLetters{
		Progress: func(int64, int64) {}, config: c, topics: Topology(c), look: look,
		reader: deadletter.NewReader(c.TopicInput, c.Group, c.DefaultSource), acted: make(map[deadletter.Position]bool),
	}, nil
}

// Close ends the connections.
func (d *DeadLetters) Close() { d.look.Close() }

// ErrEnough ends a reading early: it is no failure.
var ErrEnough = errors.New("enough")

// Each shows every letter that fits, partition by partition and in order. What it
// is given is valid until it returns; ErrEnough ends the reading.
func (d *DeadLetters) Each(ctx context.Context, each func(*pipeline.Record, *deadletter.Letter, deadletter.Standing) error) error {
	partitions, err := d.partitions(ctx)
	if err != nil {
		return err
	}
	for p := range partitions {
		err := d.eachOf(ctx, p, each)
		if errors.Is(err, ErrEnough) {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *DeadLetters) partitions(ctx context.Context) (int32, error) {
	return d.look.Partitions(ctx, d.topics.DeadLetters)
}

func (d *DeadLetters) eachOf(ctx context.Context, p int32, each func(*pipeline.Record, *deadletter.Letter, deadletter.Standing) error) error {
	if !d.concerns(p) {
		return nil
	}
	from, end, err := d.span(ctx, p)
	if err != nil {
		return err
	}
	book, err := d.book(ctx, p, from, end)
	if err != nil {
		return err
	}
	return d.letters(ctx, p, from, end, func(r *pipeline.Record, l *deadletter.Letter, why error) error {
		if why != nil || !d.Filter.Fits(l) {
			return nil //nolint:nilerr // a record that is no letter of ours is passed over
		}
		return each(r, l, book.Of(l.At))
	})
}

// concerns tells partitions in which a letter can fit.
func (d *DeadLetters) concerns(p int32) bool {
	for _, at := range d.Filter.Positions {
		if at.Partition == p {
			return true
		}
	}
	return len(d.Filter.Positions) == 0
}

// span is where a partition is read. What marks say of letters lies behind them.
func (d *DeadLetters) span(ctx context.Context, p int32) (from, end int64, err error) {
	if from, err = d.look.Start(ctx, d.topics.DeadLetters, p); err != nil {
		return 0, 0, err
	}
	if end, err = d.look.End(ctx, d.topics.DeadLetters, p); err != nil {
		return 0, 0, err
	}
	if !d.Filter.Since.IsZero() {
		since, err := d.look.OffsetAt(ctx, d.topics.DeadLetters, p, d.Filter.Since.UnixMilli())
		if err != nil {
			return 0, 0, err
		}
		if since == broker.NoOffset {
			since = end
		}
		from = max(from, since)
	}
	return from, end, nil
}

// book reads the marks of a range.
func (d *DeadLetters) book(ctx context.Context, p int32, from, end int64) (*deadletter.Book, error) {
	book := deadletter.NewBook()
	d.Progress(2*max(0, end-from), 0)
	err := d.scan(ctx, p, from, end, func(r *pipeline.Record) error {
		if deadletter.IsMark(r.Headers) {
			return book.Take(r)
		}
		return nil
	})
	return book, err
}

// letters shows all of a range but marks; why is what keeps a record from being a
// letter of ours.
func (d *DeadLetters) letters(ctx context.Context, p int32, from, end int64, each func(r *pipeline.Record, l *deadletter.Letter, why error) error) error {
	return d.scan(ctx, p, from, end, func(r *pipeline.Record) error {
		if deadletter.IsMark(r.Headers) {
			return nil
		}
		l, err := d.reader.Read(r)
		return each(r, &l, err)
	})
}

// scan reads a range. What each returns comes back as it is.
func (d *DeadLetters) scan(ctx context.Context, p int32, from, end int64, each func(*pipeline.Record) error) error {
	var own error
	err := scan(ctx, d.look, broker.Scan{Topic: d.topics.DeadLetters, Partition: p, From: from, To: end, Each: func(r *pipeline.Record) error {
		own = each(r)
		return own
	}}, d.Progress)
	if own != nil {
		return own
	}
	return err
}

// Histogram counts the letters that fit.
func (d *DeadLetters) Histogram(ctx context.Context, now time.Time) (*deadletter.Histogram, error) {
	h := deadletter.NewHistogram()
	err := d.Each(ctx, func(_ *pipeline.Record, l *deadletter.Letter, s deadletter.Standing) error {
		h.Add(l, s, now)
		return nil
	})
	return h, err
}

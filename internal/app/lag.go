package app

import (
	"context"
	"fmt"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/pipeline"
)

// PartitionLag is how far the group is behind on one partition of the input.
type PartitionLag struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Committed is -1 where the group has committed nothing; then all that
	// the log holds is lag.
	Committed int64 `json:"committed"`
	End       int64 `json:"end"`
	// Lag is in offsets, as Kafka's own tools count it.
	Lag int64 `json:"lag"`
	// LagSeconds is the age of the next record that can be processed, by the
	// brokers' clock where they tell it; 0 when there is none.
	LagSeconds float64 `json:"lag_seconds"`
	// Owner is the member that has the partition, member@host; empty when
	// nobody has.
	Owner string `json:"owner"`
	// Tier is the number of a retry tier, 0 for the input. What waits in a tier is no
	// lag: Waiting counts its offsets, NextNotBefore is when the next one is due, and
	// LagSeconds how long that is overdue.
	Tier          int        `json:"tier,omitempty"`
	Waiting       int64      `json:"waiting,omitempty"`
	NextNotBefore *time.Time `json:"next_not_before,omitempty"`
}

// Lag asks for the lag of an environment's group on each partition. Seconds are by
// the brokers' clock; ownClock is why they are by now instead, nil when they are not.
func Lag(ctx context.Context, c config.Config, now func() time.Time) (lags []PartitionLag, ownClock, err error) {
	look, err := newInspector(c)
	if err != nil {
		return nil, nil, err
	}
	defer look.Close()
	n, err := look.Partitions(ctx)
	if err != nil {
		return nil, nil, err
	}
	ahead, ownClock := look.Clock(ctx, now)
	lags, err = lagsOf(ctx, c, look, n, func() time.Time { return now().Add(ahead) })
	return lags, ownClock, err
}

func lagsOf(ctx context.Context, c config.Config, look *broker.Inspector, n int32, now func() time.Time) ([]PartitionLag, error) {
	group, err := look.Group(ctx)
	if err != nil {
		return nil, err
	}
	// The ends come after the offsets, so that none is behind them.
	all, err := look.CommittedOfAll(ctx, n)
	if err != nil {
		return nil, err
	}
	if !group.Exists {
		return nil, fmt.Errorf("group %s does not exist: it has neither members nor offsets; has the service run, and is PULSE_GROUP its group?", c.Group)
	}
	committed := all[0]
	lags := make([]PartitionLag, n)
	for p := range lags {
		l := &lags[p]
		*l = PartitionLag{Topic: c.TopicInput, Partition: int32(p), Committed: committed[p], Owner: group.Owners[int32(p)]}
		if err := l.measure(ctx, look, now); err != nil {
			return nil, err
		}
	}
	return tierLags(ctx, c, look, all, lags, now)
}

// tierLags adds the tiers that hold something.
func tierLags(
	ctx context.Context, c config.Config, look *broker.Inspector, committed [][]int64, lags []PartitionLag, now func() time.Time,
) ([]PartitionLag, error) {
	owners := make([]string, len(lags))
	for p := range lags {
		owners[p] = lags[p].Owner
	}
	for i, topic := range c.Topics().Retry {
		if !look.Has(topic) {
			continue
		}
		for p, owner := range owners {
			l := PartitionLag{Topic: topic, Partition: int32(p), Tier: i + 1, Committed: committed[i+1][p], Owner: owner}
			if err := l.measureTier(ctx, look, now); err != nil {
				return nil, err
			}
			if l.NextNotBefore != nil {
				lags = append(lags, l)
			}
		}
	}
	return lags, nil
}

// measureTier looks at the next record of a tier. Without one nothing waits: what lies
// there are markers.
func (l *PartitionLag) measureTier(ctx context.Context, look *broker.Inspector, now func() time.Time) (err error) {
	if l.End, err = look.End(ctx, l.Topic, l.Partition); err != nil {
		return err
	}
	from, err := look.Start(ctx, l.Topic, l.Partition)
	if err != nil {
		return err
	}
	next := max(from, l.Committed)
	if next >= l.End {
		return nil
	}
	l.Waiting = l.End - next
	return look.First(ctx, l.Topic, l.Partition, next, l.End, func(r *pipeline.Record) {
		due, ok := pipeline.NotBefore(r.Headers)
		if !ok {
			due = time.UnixMilli(r.TimestampMs)
		}
		// What was sent back from the dead letters was due long before it came here.
		since := due
		if appended := time.UnixMilli(r.TimestampMs); appended.After(due) {
			since = appended
		}
		due = due.UTC()
		l.NextNotBefore, l.LagSeconds = &due, max(0, now().Sub(since).Seconds())
	})
}

func (l *PartitionLag) measure(ctx context.Context, look *broker.Inspector, now func() time.Time) (err error) {
	if l.End, err = look.End(ctx, l.Topic, l.Partition); err != nil {
		return err
	}
	from, err := look.Start(ctx, l.Topic, l.Partition)
	if err != nil {
		return err
	}
	next := max(from, l.Committed)
	if l.Committed == broker.NoOffset {
		l.Lag = max(0, l.End-from)
	} else {
		l.Lag = max(0, l.End-l.Committed)
	}
	if next >= l.End {
		return nil
	}
	err = look.First(ctx, l.Topic, l.Partition, next, l.End, func(r *pipeline.Record) {
		l.LagSeconds = max(0, now().Sub(time.UnixMilli(r.TimestampMs)).Seconds())
	})
	return err
}

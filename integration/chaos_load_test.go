//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// load produces a fixed number of records at a pace that makes it last through all
// that is going to happen.
type load struct {
	total    int
	produced atomic.Int64
	// until is when the last record is due, in ns since 1970. It moves with what
	// is still to come.
	until atomic.Int64
	start time.Time
	took  time.Duration
	done  chan error
	// acked is the last offset of each partition that the broker has confirmed.
	acked []atomic.Int64
}

// loadTick is how often the load is given out.
const loadTick = 20 * time.Millisecond

// closing is how long the rest takes when nothing more is going to happen.
const closing = 3 * time.Second

// startLoad begins to produce.
func (l *lab) startLoad(ctx context.Context, total int, ahead time.Duration) *load {
	p := &load{total: total, start: time.Now(), done: make(chan error, 1), acked: make([]atomic.Int64, l.partitions)}
	p.last(ahead)
	go func() { p.done <- p.run(ctx, l) }()
	return p
}

// last sets for how long the load has to last from now on.
func (p *load) last(ahead time.Duration) { p.until.Store(time.Now().Add(ahead).UnixNano()) }

func (p *load) run(ctx context.Context, l *lab) error {
	tick := time.NewTicker(loadTick)
	defer tick.Stop()
	failed := make(chan error, 1)
	owed := 0.0
	for n := 0; n < p.total; {
		left := max(loadTick, time.Duration(p.until.Load()-time.Now().UnixNano()))
		owed += float64(p.total-n) * float64(loadTick) / float64(left)
		for ; owed >= 1 && n < p.total; owed-- {
			l.client.Produce(ctx, l.signal(n), func(r *kgo.Record, err error) {
				if err == nil {
					p.acked[r.Partition].Store(r.Offset)
				} else {
					select {
					case failed <- err:
					default:
					}
				}
			})
			n++
		}
		p.produced.Store(int64(n))
		select {
		case <-tick.C:
		case err := <-failed:
			return fmt.Errorf("produce: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := l.client.Flush(ctx)
	p.took = time.Since(p.start)
	return err
}

// marks are where the input ends now, as far as the broker has confirmed it: an
// offset committed beyond them was moved by what came later.
func (p *load) marks() map[int32]int64 {
	found := make(map[int32]int64, len(p.acked))
	for i := range p.acked {
		found[int32(i)] = p.acked[i].Load() + 1
	}
	return found
}

// finish waits for the last record, which comes soon, but not before the load has
// lasted for a time.
func (p *load) finish(t *testing.T, atLeast time.Duration) {
	t.Helper()
	if p.produced.Load() >= int64(p.total) {
		t.Error("the load ended before all had happened that was to happen under it")
	}
	p.last(max(closing, atLeast-time.Since(p.start)))
	if err := <-p.done; err != nil {
		t.Fatalf("load: %v", err)
	}
	t.Logf("load: %d records in %.0f s", p.produced.Load(), p.took.Seconds())
}

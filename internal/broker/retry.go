package broker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// backoff grows from a millisecond, which is what a transaction's markers need
// (CONCURRENT_TRANSACTIONS), to a quarter of a second, which is what an
// election needs.
type backoff struct {
	next time.Duration
	// quick is how many pauses stay as short as the first one.
	quick int
}

const (
	firstPause = 500 * time.Microsecond
	lastPause  = 250 * time.Millisecond
)

func newBackoff() *backoff { return &backoff{next: firstPause} }

// wait sleeps for the next pause, with up to a quarter of jitter, or until ctx
// ends.
func (b *backoff) wait(ctx context.Context) {
	d := b.next + rand.N(b.next/4) //nolint:gosec // jitter, nothing to guess
	if b.quick--; b.quick < 0 {
		b.next = min(2*b.next, lastPause)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// retry calls do until it succeeds, until the broker gives a final answer, or
// until ctx ends. Only a broker's own answer is tried again: after a cut
// connection or a time-out nobody knows what has happened, and that is not
// for this function to guess.
func retry(ctx context.Context, do func() error) error { return retryAfter(ctx, newBackoff(), do) }

// markersPauses is how often a transaction that follows another at once asks whether
// the markers of the one before are written, before it loses patience. They take two
// milliseconds on an idle machine: pauses that double would sleep through half of
// it (TestRetry_AsksQuicklyForMarkers).
const markersPauses = 16

// retryMarkers is retry for the first request of a transaction.
func retryMarkers(ctx context.Context, do func() error) error {
	return retryAfter(ctx, &backoff{next: firstPause, quick: markersPauses}, do)
}

func retryAfter(ctx context.Context, pause *backoff, do func() error) error {
	for {
		err := do()
		var code wire.ErrorCode
		if err == nil || !errors.As(err, &code) || !code.Retriable() {
			return err
		}
		pause.wait(ctx)
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// settling is how long a cluster may need for what it does anyway: leaders of
// new topics, the first coordinator of a group.
const settling = 3 * time.Second

// level is how loudly to speak of something that has been tried since began.
func (e *Engine) level(began time.Time) slog.Level {
	if e.deps.Now().Sub(began) < settling {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

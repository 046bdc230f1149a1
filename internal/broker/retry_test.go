package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pulse-scorer/internal/broker/wire"
)

func TestRetry_TriesOnlyTheBrokersPassingAnswersAgain(t *testing.T) {
	t.Parallel()
	cut := errors.New("connection cut")
	for _, c := range []struct {
		name    string
		answers []error
		want    error
		calls   int
	}{
		{"success", []error{nil}, nil, 1},
		{"concurrent transactions, then success", []error{wire.ConcurrentTransactions, wire.ConcurrentTransactions, nil}, nil, 3},
		{"wrapped", []error{fmt.Errorf("EndTxn: %w", wire.NotCoordinator), nil}, nil, 2},
		{"final answer", []error{wire.ProducerFenced, nil}, wire.ProducerFenced, 1},
		{"unknown outcome is not guessed at", []error{cut, nil}, cut, 1},
		{"unknown server error is an unknown outcome", []error{wire.UnknownServerError, nil}, wire.UnknownServerError, 1},
		{"passing, then final", []error{wire.CoordinatorLoadInProgress, wire.InvalidProducerEpoch}, wire.InvalidProducerEpoch, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := retry(t.Context(), func() error {
					calls++
					return c.answers[calls-1]
				})
				if !errors.Is(err, c.want) || calls != c.calls {
					t.Errorf("%v after %d calls, want %v after %d", err, calls, c.want, c.calls)
				}
			})
		})
	}
}

func TestRetry_EndsWithItsContextAndSaysBothReasons(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("time is up")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, reason)
		defer cancel()
		start := time.Now()
		err := retry(ctx, func() error { return wire.ConcurrentTransactions })
		if !errors.Is(err, reason) || !errors.Is(err, wire.ConcurrentTransactions) {
			t.Errorf("%v, want both the answer and why no more was tried", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("ended after %v, want at the deadline", took)
		}
	})
}

func TestBackoff_BeginsAtOnceAndNeverExceedsItsBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBackoff()
		var waits []time.Duration
		for range 15 {
			start := time.Now()
			b.wait(t.Context())
			waits = append(waits, time.Since(start))
		}
		if first := waits[0]; first < firstPause || first > 2*firstPause {
			t.Errorf("first pause is %v, want about %v: markers are written within a millisecond", first, firstPause)
		}
		for i, d := range waits {
			if d > lastPause+lastPause/4 {
				t.Errorf("pause %d is %v, over the bound of %v", i, d, lastPause)
			}
		}
		if last := waits[len(waits)-1]; last < lastPause {
			t.Errorf("last pause is %v, want %v", last, lastPause)
		}
	})
}

// The markers of a transaction are there after two milliseconds: the next one begins
// at most one short pause later. Where they do not come, pauses grow all the same.
func TestRetry_AsksQuicklyForMarkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		written := start.Add(2100 * time.Microsecond)
		err := retryMarkers(t.Context(), func() error {
			if time.Now().Before(written) {
				return wire.ConcurrentTransactions
			}
			return nil
		})
		if late := time.Since(written); err != nil || late > firstPause*5/4 {
			t.Errorf("%v, %v late", err, late)
		}
		calls := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = retryMarkers(ctx, func() error {
			calls++
			return wire.ConcurrentTransactions
		})
		if calls > 300 {
			t.Errorf("%d questions in a minute", calls)
		}
	})
}

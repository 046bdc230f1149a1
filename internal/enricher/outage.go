package enricher

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// outage is the failure of a signal whose enricher is down. It stays in the inquiry
// while the record path is held.
type outage struct {
	*pulse.Bad

	enricher string
	// since is when the signal's call failed first in this hold; zero when there was
	// none, because the breaker let none through or there is no token.
	since time.Time
}

// Unwrap gives the class.
func (o *outage) Unwrap() error { return o.Bad }

// firstDoubt is how long to wait before a service is asked again of which nobody knows
// whether it is down; each pause is twice as long as the one before, up to lastDoubt.
const firstDoubt, lastDoubt = time.Millisecond, 50 * time.Millisecond

// judge tells failures of a required enricher that are its outage from those that are
// the signals'. An outage must not cost a signal its tries
// (TestAsk_AnOutageIsToldForAllOfABatch); a signal that the service fails for must not
// hold up the others (TestAsk_SignalsThatFailDoNotHoldTheOthers). So:
//
//   - What has failed while the breaker is open is the outage's: it is asked again.
//   - Except for a signal that has failed before in this hold, when the service has
//     done its work for another since: it fails for this one.
//   - As long as failures follow each other and the breaker is closed, nobody knows. The
//     service is asked again, until it answers somebody or the breaker opens, which is
//     breakerSilence after its last answer at the latest.
func (e *Enrichers) judge(ctx context.Context, n int, batch []*pipeline.Inquiry, answers []answer, before []error) {
	c := e.clients[n]
	now := c.now()
	unclear := e.unclear(n, batch, answers, before)
	for d := firstDoubt; len(unclear) > 0 && c.doubtful() && pause(ctx, d); d = min(2*d, lastDoubt) {
		if !c.doubtful() {
			break // another task has heard of it meanwhile
		}
		i := unclear[rand.IntN(len(unclear))] //nolint:gosec // nothing to guess
		e.askAgain(ctx, c, batch[i], &answers[i*len(e.clients)+n])
	}
	if !c.down() {
		return
	}
	for _, i := range unclear {
		a := &answers[i*len(e.clients)+n]
		if a.err == nil || !serviceFailed(a.err) && !isDown(a.err) {
			continue
		}
		since := failedBefore(before[i], c.endpoint.Name)
		if since.IsZero() {
			since = now
		}
		a.err = c.outage(since)
	}
}

// unclear are the signals that an enricher has failed for, and nobody knows why. Those
// that its breaker has kept back are told so, with what is known of them before.
func (e *Enrichers) unclear(n int, batch []*pipeline.Inquiry, answers []answer, before []error) (found []int) {
	c := e.clients[n]
	for i := range batch {
		a, since := &answers[i*len(e.clients)+n], failedBefore(before[i], c.endpoint.Name)
		switch {
		case a.err == nil, batch[i].Err != nil:
		case isDown(a.err):
			a.err = c.outage(since)
		case serviceFailed(a.err) && (since.IsZero() || !c.heardAt().After(since)):
			found = append(found, i)
		}
	}
	return found
}

// doubtful: it has answered nobody for some calls, and is not known to be down.
func (c *client) doubtful() bool {
	return !c.down() && c.breaker.Counts().ConsecutiveFailures >= breakerFailures
}

// askAgain makes one more call about a signal.
func (e *Enrichers) askAgain(ctx context.Context, c *client, q *pipeline.Inquiry, a *answer) {
	encoded, err := encode(q)
	if err != nil {
		return // it was encoded before
	}
	select {
	case e.places <- struct{}{}:
		defer func() { <-e.places }()
	case <-ctx.Done():
		return
	}
	a.object, a.err = c.ask(ctx, q, encoded)
}

func (c *client) outage(since time.Time) *outage {
	return &outage{&pulse.Bad{Class: pulse.EnricherDown, Message: c.endpoint.Name + " is down"}, c.endpoint.Name, since}
}

// failedBefore is when a signal's call of an enricher failed first, zero if it did not.
func failedBefore(err error, enricher string) time.Time {
	if o, ok := errors.AsType[*outage](err); ok && o.enricher == enricher {
		return o.since
	}
	return time.Time{}
}

func isDown(err error) bool {
	bad, ok := errors.AsType[*pulse.Bad](err)
	return ok && bad.Class == pulse.EnricherDown
}

// pause is false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

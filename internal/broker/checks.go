package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// The checks, in the order in which they are shown; those that others make (Deps.Checks)
// come after them.
const (
	checkBroker         = "broker"
	checkGroup          = "group"
	checkTopics         = "topics"
	checkState          = "state"
	checkInputRetention = "input_retention"
	checkDeadRetention  = "dead_letter_retention"
)

// brokers is what the answer to the first question, about the topics, says of them:
// whether there was one, and whether each partition of ours has a leader.
func (w *watch) brokers(ctx context.Context, g *generation, answer error) Check {
	if denied(answer) {
		return check(checkBroker, answer)
	}
	if answer != nil {
		return check(checkBroker, fmt.Errorf("no broker answers; are PULSE_BROKERS right and the brokers up?: %w", answer))
	}
	if g == nil {
		return check(checkBroker, nil)
	}
	var faults []error
	for _, topic := range append(w.set.Topics.outputs(), w.set.Topics.Input) {
		for _, p := range g.tasks {
			if _, err := w.cluster.leaderNow(ctx, topic, p); denied(err) {
				faults = append(faults, err)
			} else if err != nil {
				faults = append(faults, fmt.Errorf("no leader to read or write at: %w; look at the brokers that have its replicas", err))
			}
		}
	}
	return check(checkBroker, errors.Join(faults...))
}

// group looks whether the coordinator takes us for a member.
func (w *watch) group(g *generation) Check {
	if g == nil {
		return check(checkGroup, fmt.Errorf("not a member of group %s; the log says why it cannot join", w.set.Group))
	}
	if silence := w.now().Sub(w.member.sureAt()); silence > w.set.SessionTimeout {
		return check(checkGroup, fmt.Errorf("the group has accepted no heartbeat for %v, which is more than PULSE_SESSION_TIMEOUT (%v); its coordinator may be away",
			silence.Round(time.Second), w.set.SessionTimeout))
	}
	return check(checkGroup, nil)
}

// stand is where the last stable offset of a state partition stands, and since when.
type stand struct {
	stable int64
	since  time.Time
}

// standsStill is how many transaction time-outs an open transaction may take before it
// hangs: the broker ends each after one, at its next look.
const standsStill = 3

// state looks whether what a task remembers can be written and read: it is restored, it
// was not given up, and no transaction hangs in its topic, which would keep the next
// owner from reading it (KAFKA-20734, and producers that are not ours).
func (w *watch) state(ctx context.Context, g *generation) (Check, error) {
	faults := w.health.stateFaults(w.now())
	seen := make(map[int32]stand, len(g.tasks))
	for _, p := range g.tasks {
		stable, err := w.cluster.listOffset(ctx, w.set.Topics.State, p, wire.LatestOffset, true)
		if err != nil {
			return Check{}, err
		}
		end, err := w.cluster.listOffset(ctx, w.set.Topics.State, p, wire.LatestOffset, false)
		if err != nil {
			return Check{}, err
		}
		if stable >= end {
			continue
		}
		at := w.stands[p]
		if at.since.IsZero() || at.stable != stable {
			at = stand{stable, w.now()}
		}
		if held := w.now().Sub(at.since); held > standsStill*w.set.TransactionTimeout {
			faults = append(faults, fmt.Errorf("a transaction holds %s-%d at offset %d for %v: find it with kafka-transactions.sh find-hanging, and abort it",
				w.set.Topics.State, p, stable, held.Round(time.Second)))
		}
		seen[p] = at
	}
	w.stands = seen
	return check(checkState, errors.Join(faults...)), nil
}

// restoreFor is how long a restore may take before somebody should look.
const restoreFor = 2 * time.Minute

// stateFaults are tasks that were given up, and restores that do not end.
func (h *health) stateFaults(now time.Time) (faults []error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.stalled) > 0 {
		faults = append(faults, fmt.Errorf("tasks %v made no progress and were given up: restart the process", h.stalled))
	}
	for _, p := range h.under {
		if took := now.Sub(p.began); took > restoreFor {
			faults = append(faults, fmt.Errorf("task %d is being restored for %v, %d of about %d records: the log says what holds it",
				p.task, took.Round(time.Second), p.records.Load(), p.estimate()))
		}
	}
	return faults
}

package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// What the rest of the engine asks of the member, from other goroutines than its
// own.

func (m *member) publish(g *generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = g
	close(m.changed)
	m.changed = make(chan struct{})
}

// generation is the one to work under, nil when there is none.
func (m *member) generation() *generation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

// after waits for a generation other than g; it is nil when we were expelled.
func (m *member) after(ctx context.Context, g *generation) (*generation, error) {
	select {
	case m.poke <- struct{}{}:
	default:
	}
	for {
		m.mu.Lock()
		current, changed := m.current, m.changed
		m.mu.Unlock()
		if current != g {
			return current, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// check asks the broker whether we are still a member.
//
// FENCED_INSTANCE_ID says that somebody with our instance ID has joined under
// another member ID. When that was we ourselves, because the group had expelled us
// while the heartbeat was on its way, the generation in hand is another by then, or
// none: a member ID is given up before a new one is asked for
// (TestMember_OwnLateHeartbeatDoesNotReplaceIt).
func (m *member) check(ctx context.Context) error {
	g := m.generation()
	if g == nil {
		return errNotJoined
	}
	err := retry(ctx, func() error { return m.heartbeat(ctx, g) })
	if now := m.generation(); errors.Is(err, wire.FencedInstanceID) && (now == nil || now.memberID != g.memberID) {
		return errNotJoined
	}
	return err
}

// mark notes a time at which the tasks were ours.
func (m *member) mark(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sure = at
}

// sureAt is when it was last sure that the tasks of the generation in hand were
// ours: what others have done with one that is given away came later.
func (m *member) sureAt() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sure
}

// remember keeps the member ID that the broker has given.
func (m *member) remember(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.memberID = id
}

// giveUp tells the group that a task goes on nowhere near here: it is given to
// another member, if there is one.
func (m *member) giveUp(task int32) {
	m.mu.Lock()
	if at, found := slices.BinarySearch(m.refused, task); !found {
		m.refused = slices.Insert(m.refused, at, task)
	}
	m.rejoin = true
	m.mu.Unlock()
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

func (m *member) wantsToRejoin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rejoin
}

// beginSync notes that a SyncGroup is under way, until done is called.
func (m *member) beginSync() (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	syncing := make(chan struct{})
	m.syncing = syncing
	return func() { close(syncing) }
}

var errLeaving = errors.New("leaving the group")

// leave gives the tasks back at once, and the place in a group that is still being
// joined (TestMember_LeavesWhileItJoins). A static member stays known to the group,
// so that its restart within the session time-out moves nothing.
//
// A SyncGroup under way is waited for, because it is answered soon. If it is not,
// and there never was an assignment, the group is not left: the embedded broker
// (kfake) takes somebody who leaves then off the number of those who have joined,
// and waits for one that does not come.
func (m *member) leave(ctx context.Context) error {
	m.mu.Lock()
	end, synced := m.endRun, m.syncing
	m.mu.Unlock()
	answered := within(ctx, leavePatience, synced)
	if end != nil {
		// Or it would join again when it hears that it is gone.
		end(errLeaving)
		if !within(ctx, requestTimeout, m.ended) {
			return context.Cause(ctx)
		}
	}
	m.mu.Lock()
	id := m.memberID
	m.mu.Unlock()
	if id == "" || m.set.InstanceID != "" || (!answered && m.generation() == nil) {
		return nil
	}
	if err := m.cluster.leaveGroup(ctx, m.set.Group, id); err != nil {
		m.log.Warn("leaving the group failed; it notices after the session time-out", slog.Any("err", err))
	}
	return nil
}

// within waits for a channel to be closed, for a time.
func within(ctx context.Context, limit time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// divideAgain has the group divide its tasks anew. Only a leader's wish is
// heard: the broker answers another member's join with the assignment there is.
func (m *member) divideAgain() {
	select {
	case m.again <- struct{}{}:
	default:
	}
}

package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// member keeps this process in the consumer group: JoinGroup, SyncGroup,
// Heartbeat, LeaveGroup (Kafka protocol, classic groups; KIP-345 for static
// members). It never waits for work: while a join is pending the tasks go on
// and commit under the generation in hand.
type member struct {
	set     Settings
	cluster *cluster
	log     *slog.Logger
	metrics *metrics

	// generations hands every new assignment to the loop, nil when the group
	// has expelled us.
	generations chan *generation
	// poke asks for a heartbeat now instead of at the next interval.
	poke chan struct{}
	// again asks for a new division of the tasks.
	again chan struct{}

	// mu guards what the committer reads.
	mu      sync.Mutex
	current *generation
	changed chan struct{} // closed and replaced whenever current changes

	// The rest belongs to the goroutine that runs it.
	memberID string
	txnID    string
	owned    []int32
	ownedIn  int32
	since    map[int32]int32 // as in the last generation
	present  []string        // transactional IDs of the last assignment
	gone     []string        // since the loop last got an assignment
	first    int32           // as the last leader said it
}

var (
	errNotJoined = errors.New("not a member of the group at present")
	errReplaced  = fatalf("another process has joined with the same PULSE_INSTANCE_ID; this one stops and leaves its tasks to it: %w", wire.FencedInstanceID)
)

func newMember(c *cluster, set Settings, log *slog.Logger, m *metrics) *member {
	return &member{
		set: set, cluster: c, log: log, metrics: m,
		generations: make(chan *generation),
		poke:        make(chan struct{}, 1),
		again:       make(chan struct{}, 1),
		changed:     make(chan struct{}),
		txnID:       transactionalID(set),
		ownedIn:     -1,
	}
}

// transactionalID is <group>-<instance ID>, or <group>-<random>.
func transactionalID(set Settings) string {
	if set.InstanceID != "" {
		return set.Group + "-" + set.InstanceID
	}
	var b [12]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return set.Group + "-" + hex.EncodeToString(b[:])
}

// run joins and stays until ctx ends. Only what needs a person ends it before.
func (m *member) run(ctx context.Context) error {
	for pause := newBackoff(); ; {
		err := m.join(ctx)
		if err == nil {
			pause = newBackoff()
			err = m.stay(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrFatal):
			return err
		case errors.Is(err, wire.FencedInstanceID):
			return errReplaced
		case final(err):
			return fatalf("group %s: %w", m.set.Group, err)
		case errors.Is(err, wire.RebalanceInProgress):
			continue // not a fault: join again at once
		case errors.Is(err, wire.UnknownMemberID):
			m.expelled(ctx)
		}
		m.log.Warn("group: trying again", slog.Any("err", err))
		m.cluster.forgetCoordinators()
		pause.wait(ctx)
	}
}

// final tells the broker's answers that trying again does not change.
func final(err error) bool {
	for _, code := range []wire.ErrorCode{
		wire.GroupAuthorizationFailed, wire.TopicAuthorizationFailed, wire.ClusterAuthorizationFailed,
		wire.TransactionalIDAuthorizationFailed, wire.InconsistentGroupProtocol, wire.InvalidSessionTimeout,
		wire.InvalidGroupID, wire.GroupMaxSizeReached, wire.UnsupportedVersion, wire.InvalidTransactionTimeout,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// join joins the group and hands the assignment on.
func (m *member) join(ctx context.Context) error {
	g, err := m.cluster.joinGroup(ctx, joinRequest{
		group: m.set.Group, memberID: m.memberID, instanceID: m.set.InstanceID,
		session: m.set.SessionTimeout,
		metadata: memberMetadata{
			Version: metadataVersion, TxnID: m.txnID, Generation: m.ownedIn, Tasks: m.owned, First: m.first,
		},
		start: m.set.Start,
	}, func(id string) { m.memberID = id })
	if err != nil {
		return err
	}
	m.gone = append(m.gone, missing(m.present, g.present)...)
	g.gone = m.gone
	g.txnID = m.txnID
	g.succeed(m.since, m.ownedIn)
	m.present, m.owned, m.ownedIn, m.since = g.present, g.tasks, g.id, g.since
	m.first = max(m.first, g.first)
	m.metrics.rebalances.Inc()
	m.publish(g)
	select {
	case m.generations <- g:
		m.gone = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stay heartbeats until the group changes.
func (m *member) stay(ctx context.Context) error {
	ticker := time.NewTicker(m.set.HeartbeatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		case <-m.poke:
		case <-m.again:
			return fmt.Errorf("%w: asked for by ourselves", wire.RebalanceInProgress)
		}
		err := m.heartbeat(ctx, m.generation())
		switch {
		case err == nil:
		case errors.Is(err, wire.RebalanceInProgress), errors.Is(err, wire.FencedInstanceID):
			return err
		case errors.Is(err, wire.UnknownMemberID):
			return err
		case errors.Is(err, wire.IllegalGeneration):
			// The group has gone on without us, but may still know us.
			return fmt.Errorf("%w: %w", wire.RebalanceInProgress, err)
		case final(err):
			return err
		default:
			// The broker cannot be reached or is electing. The session
			// time-out runs there, not here: keep trying until it answers.
			m.log.Warn("heartbeat failed", slog.Any("err", err))
			m.cluster.forgetCoordinators()
		}
	}
}

func (m *member) heartbeat(ctx context.Context, g *generation) error {
	ctx, cancel := context.WithTimeoutCause(ctx, m.set.SessionTimeout/heartbeatTries, errHeartbeatTimeout)
	defer cancel()
	return m.cluster.heartbeat(ctx, fence{
		group: m.set.Group, generation: g.id, memberID: g.memberID, instanceID: m.set.InstanceID,
	})
}

// heartbeatTries fit into a session: one heartbeat that hangs, because its
// connection does, must not cost the membership
// (TestMember_StaysWhenAHeartbeatHangs).
const heartbeatTries = 3

var errHeartbeatTimeout = errors.New("heartbeat not answered within a third of the session time-out (PULSE_SESSION_TIMEOUT)")

// expelled starts over: the group has divided our tasks among the others. They
// fence the transactional ID they know of us, so the next one is new, unless
// it is bound to the instance ID.
func (m *member) expelled(ctx context.Context) {
	m.memberID, m.owned, m.ownedIn, m.since = "", nil, -1, nil
	if m.set.InstanceID == "" {
		m.txnID = transactionalID(m.set)
	}
	m.publish(nil)
	select {
	case m.generations <- nil:
	case <-ctx.Done():
	}
}

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

// divideAgain has the group divide its tasks anew. Only a leader's wish is
// heard: the broker answers another member's join with the assignment there is.
func (m *member) divideAgain() {
	select {
	case m.again <- struct{}{}:
	default:
	}
}

// check asks the broker whether we are still a member.
func (m *member) check(ctx context.Context) error {
	g := m.generation()
	if g == nil {
		return errNotJoined
	}
	return retry(ctx, func() error { return m.heartbeat(ctx, g) })
}

// leave gives the tasks back at once. A static member stays known to the
// group, so that its restart within the session time-out moves nothing.
func (m *member) leave(ctx context.Context) error {
	g := m.generation()
	if g == nil || m.set.InstanceID != "" {
		return nil
	}
	if err := m.cluster.leaveGroup(ctx, m.set.Group, g.memberID); err != nil {
		m.log.Warn("leaving the group failed; it notices after the session time-out", slog.Any("err", err))
	}
	return nil
}

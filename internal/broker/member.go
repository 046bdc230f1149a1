package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
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
	now     func() time.Time
	beat    func(context.Context, fence) error // sends a heartbeat

	// generations hands every new assignment to the loop, nil when the group
	// has expelled us.
	generations chan *generation
	// poke asks for a heartbeat now instead of at the next interval.
	poke chan struct{}
	// again asks for a new division of the tasks.
	again chan struct{}

	// mu guards what other goroutines ask for or say.
	mu       sync.Mutex
	current  *generation
	changed  chan struct{} // closed and replaced whenever current changes
	memberID string        // as the broker has given it; empty before and after
	sure     time.Time     // when the tasks were ours for the last time we know of
	refused  []int32       // tasks that have stalled here, sorted
	rejoin   bool          // to say so
	syncing  chan struct{} // closed when no SyncGroup is under way
	endRun   context.CancelCauseFunc
	ended    chan struct{} // closed when run has ended

	// The rest belongs to the goroutine that runs it.
	txnID      string
	unanswered int // joins in a row
	owned      []int32
	ownedIn    int32
	since      map[int32]int32 // as in the last generation
	present    []string        // transactional IDs of the last assignment
	gone       []string        // since the loop last got an assignment
	first      int32           // as the last leader said it
}

var (
	errNotJoined = errors.New("not a member of the group at present")
	errReplaced  = fatalf("another process has joined with the same PULSE_INSTANCE_ID; this one stops and leaves its tasks to it: %w", wire.FencedInstanceID)
)

func newMember(c *cluster, set Settings, log *slog.Logger, m *metrics, now func() time.Time) *member {
	made := &member{
		set: set, cluster: c, log: log, metrics: m, now: now, beat: c.heartbeat,
		generations: make(chan *generation),
		poke:        make(chan struct{}, 1),
		again:       make(chan struct{}, 1),
		changed:     make(chan struct{}),
		ended:       make(chan struct{}),
		syncing:     make(chan struct{}),
		txnID:       transactionalID(set),
		ownedIn:     -1,
	}
	close(made.syncing)
	return made
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

// run joins and stays until ctx ends or the member leaves. Only what needs a
// person ends it before.
func (m *member) run(ctx context.Context) error {
	defer close(m.ended)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	m.mu.Lock()
	m.endRun = end
	m.mu.Unlock()
	err := m.belong(ctx)
	if errors.Is(context.Cause(ctx), errLeaving) {
		return nil
	}
	return err
}

// belong joins, stays, and joins again.
func (m *member) belong(ctx context.Context) error {
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
	m.mu.Lock()
	m.rejoin = false
	m.mu.Unlock()
	req := m.request()
	joined, err := m.cluster.joinGroup(ctx, req, m.remember)
	if err != nil {
		if unanswered(err) {
			m.unanswered++
		}
		return err
	}
	m.unanswered = 0
	sent := m.now()
	synced := m.beginSync()
	g, err := m.sync(ctx, req, joined)
	synced()
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
	m.mark(sent)
	m.publish(g)
	select {
	case m.generations <- g:
		m.gone = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// request says what is ours, and what we do not want back.
func (m *member) request() joinRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return joinRequest{
		group: m.set.Group, memberID: m.memberID, instanceID: m.set.InstanceID,
		session: m.set.SessionTimeout, unanswered: m.unanswered,
		metadata: memberMetadata{
			Version: metadataVersion, TxnID: m.txnID, Generation: m.ownedIn,
			Tasks: missing(m.owned, m.refused), Refused: slices.Clone(m.refused), First: m.first,
		},
		start: m.set.Start,
	}
}

// syncTries is how often SyncGroup is sent for one generation. It may be repeated:
// it changes nothing that the first one has not.
const syncTries = 3

// sync gets the assignment.
func (m *member) sync(ctx context.Context, j joinRequest, joined *wire.JoinGroupResponse) (*generation, error) {
	for try := 1; ; try++ {
		attempt, cancel := context.WithTimeoutCause(ctx, m.set.SessionTimeout/syncTries, errSyncTimeout)
		g, err := m.cluster.syncGroup(attempt, j, joined)
		cancel()
		late := errors.Is(err, errSyncTimeout) || errors.Is(err, os.ErrDeadlineExceeded)
		if !late || try == syncTries || ctx.Err() != nil {
			return g, err
		}
	}
}

var errSyncTimeout = errors.New("SyncGroup not answered within a third of the session time-out (PULSE_SESSION_TIMEOUT)")

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
		if m.wantsToRejoin() {
			return fmt.Errorf("%w: a task is given up", wire.RebalanceInProgress)
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
	sent := m.now()
	err := m.beat(ctx, fence{
		group: m.set.Group, generation: g.id, memberID: g.memberID, instanceID: m.set.InstanceID,
	})
	if err == nil {
		m.mark(sent)
	}
	return err
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
	m.remember("")
	m.owned, m.ownedIn, m.since = nil, -1, nil
	if m.set.InstanceID == "" {
		m.txnID = transactionalID(m.set)
	}
	m.publish(nil)
	select {
	case m.generations <- nil:
	case <-ctx.Done():
	}
}

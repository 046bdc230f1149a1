package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// coordinator finds the broker that is responsible for a group or a
// transactional ID.
func (c *cluster) coordinator(ctx context.Context, kind wire.CoordinatorType, key string) (int32, error) {
	k := coordinatorKey{kind, key}
	c.mu.Lock()
	node, ok := c.coordinators[k]
	c.mu.Unlock()
	if ok {
		return node, nil
	}
	var res wire.FindCoordinatorResponse
	if err := c.do(ctx, anyNode, &wire.FindCoordinatorRequest{Key: key, Type: kind}, &res); err != nil {
		return 0, err
	}
	if res.Code != 0 {
		return 0, fmt.Errorf("find coordinator of %s: %w", key, wire.Denied(wire.FindCoordinator, res.Code, key))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.coordinators[k] = res.NodeID
	return res.NodeID, nil
}

// ask sends a request to a coordinator. verdict looks into the answer.
func (c *cluster) ask(ctx context.Context, kind wire.CoordinatorType, key string, req wire.Request, res wire.Response, verdict func() error) error {
	node, err := c.coordinator(ctx, kind, key)
	if err != nil {
		return err
	}
	if err = c.do(ctx, node, req, res); err == nil {
		if err = verdict(); err != nil {
			err = fmt.Errorf("%v: %w", req.API(), named(req.API(), kind, key, err))
		}
	}
	if moved(err) {
		c.forget(coordinatorKey{kind, key})
	}
	return err
}

// named says of a refusal which group or transactional ID it is about. One that is
// about a topic says so itself.
func named(api wire.APIKey, kind wire.CoordinatorType, key string, err error) error {
	about := wire.GroupAuthorizationFailed
	if kind == wire.TransactionCoordinator {
		about = wire.TransactionalIDAuthorizationFailed
	}
	if errors.Is(err, about) {
		return wire.Denied(api, about, key)
	}
	return err
}

// moved tells whether the coordinator may be another one by now: it says so
// itself, or it did not answer.
func moved(err error) bool {
	var code wire.ErrorCode
	if err == nil {
		return false
	}
	if !errors.As(err, &code) {
		return true
	}
	return code == wire.NotCoordinator || code == wire.CoordinatorNotAvailable
}

func (c *cluster) forget(k coordinatorKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.coordinators, k)
}

// forgetCoordinators makes every coordinator be looked up anew.
func (c *cluster) forgetCoordinators() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.coordinators)
}

// fence identifies a member towards the group coordinator. It is what keeps a
// worker that has lost its tasks from moving their offsets.
type fence struct {
	group      string
	generation int32
	memberID   string
	instanceID string
}

// heartbeat tells the group that we are here, and hears what it thinks.
func (c *cluster) heartbeat(ctx context.Context, f fence) error {
	var res wire.HeartbeatResponse
	req := &wire.HeartbeatRequest{Group: f.group, Generation: f.generation, MemberID: f.memberID, InstanceID: f.instanceID}
	return c.ask(ctx, wire.GroupCoordinator, f.group, req, &res, func() error { return res.Code.Err() })
}

func (c *cluster) leaveGroup(ctx context.Context, group, memberID string) error {
	var res wire.LeaveGroupResponse
	req := &wire.LeaveGroupRequest{Group: group, Members: []wire.LeavingMember{{MemberID: memberID}}}
	return c.ask(ctx, wire.GroupCoordinator, group, req, &res, res.Err)
}

// joinRequest is what joinGroup needs.
type joinRequest struct {
	group, memberID, instanceID string
	session                     time.Duration
	// unanswered is how many joins before this one nobody has answered.
	unanswered int
	metadata   memberMetadata
	// start is where the group starts when it is new.
	start StartOffset
}

// joinGroup joins and waits until all have. remember is called with the member ID
// as soon as the broker has given one.
//
// The answer comes when all members have joined, which may take a session. That the
// request or its answer hangs in a connection cannot be told from that, so it is
// sent again after a while: to a member that waits already, or whose answer was
// lost, the coordinator gives the same answer (TestMember_JoinsAnewWhenAJoinIsLost).
func (c *cluster) joinGroup(ctx context.Context, j joinRequest, remember func(string)) (*wire.JoinGroupResponse, error) {
	sub := wire.Subscription{Topics: []string{c.topology.Input}, UserData: encodeMetadata(j.metadata)}
	req := &wire.JoinGroupRequest{
		Group: j.group, InstanceID: j.instanceID,
		SessionTimeoutMs: int32(j.session.Milliseconds()),
		// Members rejoin at once, whatever they are doing; one that needs
		// longer than its session is dead.
		RebalanceTimeoutMs: int32(j.session.Milliseconds()),
		MemberID:           j.memberID,
		Protocols:          []wire.GroupProtocol{{Name: protocolName, Metadata: sub.Append(nil)}},
	}
	for try := 1; ; try++ {
		var res wire.JoinGroupResponse
		attempt, end := context.WithTimeoutCause(ctx, joinPatience(try, j.unanswered, j.session), errJoinTimeout)
		err := c.ask(attempt, wire.GroupCoordinator, j.group, req, &res, func() error { return res.Code.Err() })
		end()
		switch {
		case errors.Is(err, wire.MemberIDRequired):
			// The first join of a dynamic member gets an ID to join with
			// (KIP-394).
			remember(res.MemberID)
			req.MemberID = res.MemberID
			try = 0
		case try < joinTries && ctx.Err() == nil && unanswered(err):
		case err != nil:
			return nil, err
		default:
			remember(res.MemberID)
			return &res, nil
		}
	}
}

// joinPatience is when a JoinGroup without answer is sent again: twice within a
// session, so that the member is not expelled for a request that was lost. The last
// one waits for as long as the group may take. It is not sent more often than that,
// because to a broker that is no Apache Kafka each one may begin the wait for the
// others anew (the embedded broker does; found by the simulation, seed 39: one member
// was dead, and the others asked so often that nobody noticed). Several members that
// ask in turn do the same together, so each join that stays unanswered doubles the
// last wait (seed 48: three members, for as long as the run lasted).
func joinPatience(try, unanswered int, session time.Duration) time.Duration {
	if try == joinTries {
		return session<<min(unanswered, maxJoinDoublings) + answerGrace
	}
	return min(session/joinTries, answerGrace)
}

const (
	joinTries = 3
	// maxJoinDoublings bounds the wait: eight sessions.
	maxJoinDoublings = 3
	// answerGrace is what an answer that comes at a set time may be late.
	answerGrace = 2 * time.Second
)

var errJoinTimeout = errors.New("JoinGroup is not answered yet")

// unanswered tells a join that ran out of patience; the connection's deadline is the
// attempt's, and either may notice first.
func unanswered(err error) bool {
	return errors.Is(err, errJoinTimeout) || errors.Is(err, os.ErrDeadlineExceeded)
}

// syncGroup hands out the assignment, if we lead, and gets ours.
func (c *cluster) syncGroup(ctx context.Context, j joinRequest, joined *wire.JoinGroupResponse) (*generation, error) {
	req := &wire.SyncGroupRequest{
		Group: j.group, Generation: joined.Generation, MemberID: joined.MemberID,
		InstanceID: j.instanceID, Protocol: joined.Protocol,
	}
	if joined.Leader == joined.MemberID {
		var err error
		if req.Assignments, err = c.divide(ctx, j, joined.Members); err != nil {
			return nil, err
		}
	}
	var res wire.SyncGroupResponse
	err := c.ask(ctx, wire.GroupCoordinator, j.group, req, &res, func() error { return res.Code.Err() })
	if err != nil {
		return nil, err
	}
	var a wire.Assignment
	if err := a.Decode(res.Assignment); err != nil {
		return nil, fmt.Errorf("assignment: %w", err)
	}
	meta, err := decodeAssignmentMetadata(a.UserData)
	if err != nil {
		return nil, fatalf("what the leader of the group says: %w", err)
	}
	g := &generation{
		id: joined.Generation, memberID: joined.MemberID, present: meta.TxnIDs,
		first: meta.First, partitions: meta.Partitions, leads: joined.Leader == joined.MemberID,
	}
	for _, t := range a.Topics {
		if t.Topic == c.topology.Input {
			g.tasks = t.Partitions
		}
	}
	return g, nil
}

// divide is the leader's part: tasks for every member.
func (c *cluster) divide(ctx context.Context, j joinRequest, members []wire.GroupMember) ([]wire.MemberAssignment, error) {
	var candidates []candidate
	var txnIDs []string
	var first int32
	for _, m := range members {
		var sub wire.Subscription
		if err := sub.Decode(m.Metadata); err != nil {
			return nil, fatalf("member %s of the group speaks another protocol: %w", m.MemberID, err)
		}
		meta, err := decodeMemberMetadata(sub.UserData)
		if err != nil {
			return nil, fatalf("member %s of the group is no pulse-scorer that this one understands: %w", m.MemberID, err)
		}
		candidates = append(candidates, candidate{id: m.MemberID, owned: meta.Tasks, generation: meta.Generation, refused: meta.Refused})
		txnIDs = append(txnIDs, meta.TxnID)
		first = max(first, meta.First)
	}
	tasks, err := c.dividable(ctx)
	if err != nil {
		return nil, err
	}
	if first == 0 && j.start == Latest {
		if first, err = c.firstTasks(ctx); err != nil {
			return nil, err
		}
	}
	userData := encodeMetadata(assignmentMetadata{Version: metadataVersion, TxnIDs: txnIDs, Partitions: tasks, First: first})
	var out []wire.MemberAssignment
	for id, mine := range assignTasks(candidates, tasks) {
		a := wire.Assignment{UserData: userData}
		if len(mine) > 0 {
			a.Topics = []wire.TopicPartitions{{Topic: c.topology.Input, Partitions: mine}}
		}
		out = append(out, wire.MemberAssignment{MemberID: id, Assignment: a.Append(nil)})
	}
	return out, nil
}

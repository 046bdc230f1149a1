package simtest

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"pulse-scorer/internal/broker/faultnet"
)

// Kind is what happens at a step. The set is closed.
type Kind uint8

// The faults.
const (
	// Crash: the worker's network is gone for good, a successor starts.
	Crash Kind = iota
	// Pause: the worker's network and tasks stand still for longer than its
	// session, then go on where they were.
	Pause
	// Cut: the connection is cut, and the request is lost; in a task all of the
	// worker's connections are.
	Cut
	// LoseAnswer: the broker does what was asked, the connection is cut in place
	// of the answer.
	LoseAnswer
	// StallAnswer: the same, but the connection stays open and silent.
	StallAnswer
	// Delay: the request is kept until the worker has given it up and gone on,
	// and reaches the broker just before a later one.
	Delay
	// Refuse: the broker answers with an error in place of doing what was asked.
	Refuse
	// RefuseDone: the broker does it and answers with an error.
	RefuseDone
	// MemberJoins: another worker joins the group meanwhile.
	MemberJoins
	// MemberLeaves: another worker leaves the group meanwhile.
	MemberLeaves
	// LeadersMove: partitions get other leaders, groups and transactional IDs
	// other coordinators.
	LeadersMove

	kinds // how many there are
)

var kindNames = [kinds]string{
	Crash: "crash", Pause: "pause beyond the session", Cut: "cut connection", LoseAnswer: "lost acknowledgement",
	StallAnswer: "stalled acknowledgement", Delay: "delayed", Refuse: "refused", RefuseDone: "done and refused",
	MemberJoins: "a member joins", MemberLeaves: "a member leaves", LeadersMove: "leaders move",
}

// String names the kind.
func (k Kind) String() string {
	if k >= kinds {
		panic(fmt.Sprintf("there is no fault %d", k))
	}
	return kindNames[k]
}

// Event is one fault of a plan.
type Event struct {
	Step Step
	Kind Kind
	// Nth time that the worker comes to the step, from 1.
	Nth int
	// Code is the broker's error, for Refuse and RefuseDone.
	Code int16
	// Lasting is how long a pause lasts beyond the session.
	Lasting time.Duration
	// Round is when the fault is put in place, Worker is whose.
	Round, Worker int
}

// String is one line of a schedule.
func (e Event) String() string {
	s := fmt.Sprintf("%v, %v", e.Step, e.Kind)
	if e.Kind == Refuse || e.Kind == RefuseDone {
		s += " " + codeName(e.Code)
	}
	if e.Nth > 1 {
		s += fmt.Sprintf(" (time %d)", e.Nth)
	}
	return s
}

func codeName(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err.Message
	}
	return fmt.Sprint(code)
}

// possible tells whether a fault exists at a step: where there is no request
// there is nothing to lose, stall, delay or refuse.
func possible(s Step, k Kind) bool {
	switch s.info().place {
	case onRequest:
		return true
	case onAnswer:
		// The answer lost is LoseAnswer at the request.
		return k == Crash || k == Pause || k == MemberJoins || k == MemberLeaves || k == LeadersMove
	case inTask:
		return k == Crash || k == Pause || k == Cut || k == MemberJoins || k == MemberLeaves || k == LeadersMove
	}
	panic(fmt.Sprintf("%v is nowhere", s))
}

// refusals are errors with which a broker may answer an API in place of doing
// what was asked. What only an operator brings about is not among them (not
// authorised, offset out of range).
func refusals(api faultnet.API) []*kerr.Error {
	coordinator := []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable}
	leader := []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.UnknownServerError}
	switch api {
	case faultnet.Produce:
		return append(leader, kerr.NotEnoughReplicas, kerr.InvalidProducerEpoch)
	case faultnet.Fetch:
		return append(leader, kerr.OffsetNotAvailable, kerr.KafkaStorageError)
	case faultnet.ListOffsets:
		return leader
	case faultnet.Metadata:
		return []*kerr.Error{kerr.LeaderNotAvailable}
	case faultnet.OffsetFetch:
		return append(coordinator, kerr.UnstableOffsetCommit, kerr.UnknownServerError)
	case faultnet.FindCoordinator:
		return []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.UnknownServerError}
	case faultnet.JoinGroup, faultnet.SyncGroup, faultnet.Heartbeat:
		return append(coordinator, kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.UnknownServerError)
	case faultnet.InitProducerID, faultnet.AddPartitionsToTxn, faultnet.AddOffsetsToTxn, faultnet.EndTxn:
		return append(coordinator, kerr.ConcurrentTransactions, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.UnknownServerError)
	case faultnet.TxnOffsetCommit:
		return append(coordinator, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.InvalidProducerEpoch, kerr.UnknownServerError)
	case leaveGroup:
		return []*kerr.Error{kerr.NotCoordinator}
	}
	panic(fmt.Sprintf("no refusals are known of %v", api))
}

// doneRefusals are errors after which nobody knows whether the broker has done
// what was asked: here it has.
func doneRefusals(api faultnet.API) []*kerr.Error {
	switch api {
	case faultnet.Produce:
		return []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend}
	case faultnet.TxnOffsetCommit, faultnet.EndTxn, faultnet.InitProducerID, faultnet.AddPartitionsToTxn, faultnet.AddOffsetsToTxn:
		return []*kerr.Error{kerr.UnknownServerError, kerr.RequestTimedOut}
	case faultnet.JoinGroup, faultnet.SyncGroup, faultnet.Heartbeat, leaveGroup:
		return []*kerr.Error{kerr.UnknownServerError}
	case faultnet.Fetch, faultnet.ListOffsets, faultnet.Metadata, faultnet.OffsetFetch, faultnet.FindCoordinator:
		// Nothing is done that could be in doubt.
	}
	return nil
}

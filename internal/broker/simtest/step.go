package simtest

import (
	"fmt"

	"pulse-scorer/internal/broker/faultnet"
)

// Step is a named place in the life of a worker. The set is closed.
type Step uint8

// The steps, in the order in which a worker takes them.
const (
	// Metadata is the first step: a member finds its group and joins it.
	Metadata Step = iota
	FindCoordinator
	Join
	Sync
	// Fence begins a takeover: the former owners are fenced, the group's stable
	// offsets asked for, and one transaction writes the owner record.
	Fence
	Offsets
	LogEnds
	ClaimPartitions
	ClaimAddOffsets
	ClaimProduce
	ClaimCommitOffsets
	ClaimEnd
	ClaimEnded
	// Restore is a request for the state, Restoring a record of it in the task.
	Restore
	Restoring
	// Heartbeat is the first of the steps at work.
	Heartbeat
	Fetch
	Fetched
	Decoded
	Scored
	Sealed
	AddPartitions
	AddOffsets
	Produce
	Produced
	CommitOffsets
	EndTxn
	Ended
	Merged
	// SettleHeartbeat begins to find out what became of a transaction.
	SettleHeartbeat
	SettleFence
	SettleOffsets
	// DrainProduce is the first of those after a worker was asked to stop.
	DrainProduce
	DrainEnd
	DrainEnded
	Leave

	steps // how many there are
)

// cause is what makes a worker come to a step.
type cause uint8

const (
	byWork   cause = iota // it comes there by itself
	byStart               // it must be started
	byStop                // it must be asked to stop
	byDoubt               // a transaction of it must end in doubt
	noCauses              // how many there are
)

// place is where a step is seen.
type place uint8

const (
	onRequest place = iota // a request before it is sent
	onAnswer               // an answer that has come and is not delivered
	inTask                 // in the record path
)

type stepInfo struct {
	name  string
	api   faultnet.API
	place place
	cause cause
}

const noAPI faultnet.API = -1

// leaveGroup is the one API that faultnet does not name.
const leaveGroup faultnet.API = 13

func (s Step) info() stepInfo {
	if s >= steps {
		panic(fmt.Sprintf("there is no step %d", s))
	}
	return stepTable[s]
}

// String names the step for test names and schedules.
func (s Step) String() string { return s.info().name }

var stepTable = [steps]stepInfo{
	Metadata:           {"metadata", faultnet.Metadata, onRequest, byStart},
	FindCoordinator:    {"find coordinator", faultnet.FindCoordinator, onRequest, byStart},
	Join:               {"join", faultnet.JoinGroup, onRequest, byStart},
	Sync:               {"sync", faultnet.SyncGroup, onRequest, byStart},
	Fence:              {"takeover: fence", faultnet.InitProducerID, onRequest, byStart},
	Offsets:            {"takeover: stable offsets", faultnet.OffsetFetch, onRequest, byStart},
	LogEnds:            {"takeover: log ends", faultnet.ListOffsets, onRequest, byStart},
	ClaimPartitions:    {"takeover: add partitions", faultnet.AddPartitionsToTxn, onRequest, byStart},
	ClaimAddOffsets:    {"takeover: add offsets", faultnet.AddOffsetsToTxn, onRequest, byStart},
	ClaimProduce:       {"takeover: produce owner record", faultnet.Produce, onRequest, byStart},
	ClaimCommitOffsets: {"takeover: commit offsets", faultnet.TxnOffsetCommit, onRequest, byStart},
	ClaimEnd:           {"takeover: before end of transaction", faultnet.EndTxn, onRequest, byStart},
	ClaimEnded:         {"takeover: after end of transaction", faultnet.EndTxn, onAnswer, byStart},
	Restore:            {"restore: fetch", faultnet.Fetch, onRequest, byStart},
	Restoring:          {"in restore", noAPI, inTask, byStart},
	Heartbeat:          {"heartbeat", faultnet.Heartbeat, onRequest, byWork},
	Fetch:              {"fetch", faultnet.Fetch, onRequest, byWork},
	Fetched:            {"after fetch", noAPI, inTask, byWork},
	Decoded:            {"after decode", noAPI, inTask, byWork},
	Scored:             {"after score", noAPI, inTask, byWork},
	Sealed:             {"batch sealed", noAPI, inTask, byWork},
	AddPartitions:      {"add partitions", faultnet.AddPartitionsToTxn, onRequest, byWork},
	AddOffsets:         {"add offsets", faultnet.AddOffsetsToTxn, onRequest, byWork},
	Produce:            {"produce", faultnet.Produce, onRequest, byWork},
	Produced:           {"after produce", faultnet.Produce, onAnswer, byWork},
	CommitOffsets:      {"commit offsets", faultnet.TxnOffsetCommit, onRequest, byWork},
	EndTxn:             {"before end of transaction", faultnet.EndTxn, onRequest, byWork},
	Ended:              {"after end of transaction", faultnet.EndTxn, onAnswer, byWork},
	Merged:             {"committed in the task", noAPI, inTask, byWork},
	SettleHeartbeat:    {"in doubt: heartbeat", faultnet.Heartbeat, onRequest, byDoubt},
	SettleFence:        {"in doubt: fence", faultnet.InitProducerID, onRequest, byDoubt},
	SettleOffsets:      {"in doubt: stable offsets", faultnet.OffsetFetch, onRequest, byDoubt},
	DrainProduce:       {"in drain: produce", faultnet.Produce, onRequest, byStop},
	DrainEnd:           {"in drain: before end of transaction", faultnet.EndTxn, onRequest, byStop},
	DrainEnded:         {"in drain: after end of transaction", faultnet.EndTxn, onAnswer, byStop},
	Leave:              {"in drain: leave", leaveGroup, onRequest, byStop},
}

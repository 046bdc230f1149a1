package faultnet

import "fmt"

// Kind is what happens to a request.
type Kind uint8

// The faults. The set is closed.
const (
	// LoseRequest cuts the connection in place of sending the request: the
	// broker never hears of it.
	LoseRequest Kind = iota
	// LoseAnswer cuts the connection in place of delivering the answer: the
	// broker has done what was asked.
	LoseAnswer
	// StallAnswer keeps the answer and leaves the connection open, until the
	// client has no patience left.
	StallAnswer
	// DelayRequest keeps the request until the client has given it up and has
	// gone on: it then reaches the broker just before a later request
	// (Fault.Before), on the connection that it was written to.
	DelayRequest
	kinds // how many there are
)

// String names the kind for test names.
func (k Kind) String() string {
	switch k {
	case LoseRequest:
		return "request lost"
	case LoseAnswer:
		return "answer lost"
	case StallAnswer:
		return "answer stalled"
	case DelayRequest:
		return "request delayed"
	case kinds:
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// API is a Kafka API key (https://kafka.apache.org/protocol#protocol_api_keys).
type API int16

// The APIs that a consumer and transactional producer uses.
const (
	Produce            API = 0
	Fetch              API = 1
	ListOffsets        API = 2
	Metadata           API = 3
	OffsetFetch        API = 9
	FindCoordinator    API = 10
	JoinGroup          API = 11
	Heartbeat          API = 12
	SyncGroup          API = 14
	InitProducerID     API = 22
	AddPartitionsToTxn API = 24
	AddOffsetsToTxn    API = 25
	EndTxn             API = 26
	TxnOffsetCommit    API = 28
)

var names = map[API]string{
	Produce: "Produce", Fetch: "Fetch", ListOffsets: "ListOffsets", Metadata: "Metadata", OffsetFetch: "OffsetFetch",
	FindCoordinator: "FindCoordinator", JoinGroup: "JoinGroup", Heartbeat: "Heartbeat", SyncGroup: "SyncGroup",
	InitProducerID: "InitProducerId", AddPartitionsToTxn: "AddPartitionsToTxn", AddOffsetsToTxn: "AddOffsetsToTxn",
	EndTxn: "EndTxn", TxnOffsetCommit: "TxnOffsetCommit",
}

// String is the name in the protocol guide.
func (a API) String() string {
	if name, ok := names[a]; ok {
		return name
	}
	return fmt.Sprintf("api %d", int16(a))
}

// Fault is one fault: what happens to which request.
type Fault struct {
	Kind Kind
	API  API
	// Occurrence counts the requests of the API over all connections, from 1.
	Occurrence int
	// Before is the API of the request that a delayed one overtakes by a hair.
	// It is sent to the broker, and answered, directly before the first such
	// request after the client has given it up.
	Before API
}

// String names the fault for test names.
func (f Fault) String() string { return fmt.Sprintf("%v %d %v", f.API, f.Occurrence, f.Kind) }

// Matrix is every kind of fault on every request that the engine sends, at its
// first occurrence (a task is being taken) and at a later one (it is at work).
// Requests that occur once in a quiet group have no later one.
func Matrix() []Fault {
	var faults []Fault
	for _, api := range []API{
		InitProducerID, AddPartitionsToTxn, AddOffsetsToTxn, Produce, TxnOffsetCommit, EndTxn, OffsetFetch,
		FindCoordinator, JoinGroup, SyncGroup, Heartbeat, Fetch, ListOffsets, Metadata,
	} {
		for kind := range kinds {
			for _, occurrence := range occurrences(api) {
				faults = append(faults, Fault{Kind: kind, API: api, Occurrence: occurrence, Before: TxnOffsetCommit})
			}
		}
	}
	return faults
}

// occurrences of each API to put a fault at. The first two JoinGroups make one
// join (KIP-394), and the third InitProducerID and SyncGroup never come.
func occurrences(api API) []int {
	switch api {
	case InitProducerID, SyncGroup:
		return []int{1}
	case JoinGroup, FindCoordinator, OffsetFetch, Metadata:
		return []int{1, 2}
	case ListOffsets, Heartbeat:
		return []int{1, 3}
	case AddPartitionsToTxn, AddOffsetsToTxn, Produce, TxnOffsetCommit, EndTxn, Fetch:
		return []int{1, 4}
	}
	panic(fmt.Sprintf("%v has no place in the matrix", api))
}

package wire

import "fmt"

// APIKey says what a request asks for.
type APIKey int16

// The APIs the engine uses (https://kafka.apache.org/protocol#protocol_api_keys).
const (
	Produce            APIKey = 0
	Fetch              APIKey = 1
	ListOffsets        APIKey = 2
	Metadata           APIKey = 3
	OffsetFetch        APIKey = 9
	FindCoordinator    APIKey = 10
	JoinGroup          APIKey = 11
	Heartbeat          APIKey = 12
	LeaveGroup         APIKey = 13
	SyncGroup          APIKey = 14
	InitProducerID     APIKey = 22
	AddPartitionsToTxn APIKey = 24
	AddOffsetsToTxn    APIKey = 25
	EndTxn             APIKey = 26
	TxnOffsetCommit    APIKey = 28
)

// Version is the version that this package speaks.
func (k APIKey) Version() int16 {
	switch k {
	case Produce:
		return 8
	case Fetch:
		return 11
	case ListOffsets:
		return 5
	case Metadata:
		return 9
	case OffsetFetch:
		return 7
	case FindCoordinator:
		return 3
	case JoinGroup:
		return 7
	case Heartbeat, LeaveGroup, InitProducerID:
		return 4
	case SyncGroup:
		return 5
	case AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit:
		return 3
	default:
		panic(fmt.Sprintf("broken invariant: %v has no version", k))
	}
}

// flexible says whether that version has compact lengths and tagged fields
// (KIP-482).
func (k APIKey) flexible() bool {
	switch k {
	case Produce, Fetch, ListOffsets:
		return false
	default:
		return true
	}
}

// String is the name in the protocol guide.
func (k APIKey) String() string {
	switch k {
	case Produce:
		return "Produce"
	case Fetch:
		return "Fetch"
	case ListOffsets:
		return "ListOffsets"
	case Metadata:
		return "Metadata"
	case OffsetFetch:
		return "OffsetFetch"
	case FindCoordinator:
		return "FindCoordinator"
	case JoinGroup:
		return "JoinGroup"
	case Heartbeat:
		return "Heartbeat"
	case LeaveGroup:
		return "LeaveGroup"
	case SyncGroup:
		return "SyncGroup"
	case InitProducerID:
		return "InitProducerId"
	case AddPartitionsToTxn:
		return "AddPartitionsToTxn"
	case AddOffsetsToTxn:
		return "AddOffsetsToTxn"
	case EndTxn:
		return "EndTxn"
	case TxnOffsetCommit:
		return "TxnOffsetCommit"
	default:
		return fmt.Sprintf("api(%d)", int16(k))
	}
}

// Request is a request that is encoded as one frame.
type Request interface {
	API() APIKey
	// Append adds the whole frame, size included, to dst.
	Append(dst []byte, correlationID int32, clientID string) []byte
}

// Response is what decodes the answer to a request.
type Response interface {
	// Decode reads the payload of a response frame, which is what follows
	// its size. What it held before is overwritten; after an error it is of no
	// use.
	Decode(correlationID int32, payload []byte) error
}

// TopicPartitions names partitions of a topic.
type TopicPartitions struct {
	Topic      string
	Partitions []int32
}

// none is what stands where there is no leader epoch, replica or session.
const none = -1

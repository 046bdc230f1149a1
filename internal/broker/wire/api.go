package wire

import (
	"encoding/base64"
	"fmt"
)

// APIKey says what a request asks for.
type APIKey int16

// The APIs the engine uses (https://kafka.apache.org/protocol#protocol_api_keys).
const (
	Produce              APIKey = 0
	Fetch                APIKey = 1
	ListOffsets          APIKey = 2
	Metadata             APIKey = 3
	OffsetFetch          APIKey = 9
	FindCoordinator      APIKey = 10
	JoinGroup            APIKey = 11
	Heartbeat            APIKey = 12
	LeaveGroup           APIKey = 13
	SyncGroup            APIKey = 14
	DescribeGroups       APIKey = 15
	SaslHandshake        APIKey = 17
	APIVersions          APIKey = 18
	InitProducerID       APIKey = 22
	AddPartitionsToTxn   APIKey = 24
	AddOffsetsToTxn      APIKey = 25
	EndTxn               APIKey = 26
	TxnOffsetCommit      APIKey = 28
	SaslAuthenticate     APIKey = 36
	DescribeQuorum       APIKey = 55
	DescribeTransactions APIKey = 65
)

// spec is how an API is spoken.
type spec struct {
	name    string // in the protocol guide
	version int16
	// flexible: that version has compact lengths and tagged fields (KIP-482).
	flexible bool
}

var specs = map[APIKey]spec{
	Produce:            {"Produce", 8, false},
	Fetch:              {"Fetch", 13, true},
	ListOffsets:        {"ListOffsets", 5, false},
	Metadata:           {"Metadata", 12, true},
	OffsetFetch:        {"OffsetFetch", 7, true},
	FindCoordinator:    {"FindCoordinator", 3, true},
	JoinGroup:          {"JoinGroup", 7, true},
	Heartbeat:          {"Heartbeat", 4, true},
	LeaveGroup:         {"LeaveGroup", 4, true},
	SyncGroup:          {"SyncGroup", 5, true},
	DescribeGroups:     {"DescribeGroups", 5, true},
	InitProducerID:     {"InitProducerId", 4, true},
	AddPartitionsToTxn: {"AddPartitionsToTxn", 3, true},
	AddOffsetsToTxn:    {"AddOffsetsToTxn", 3, true},
	EndTxn:             {"EndTxn", 3, true},
	TxnOffsetCommit:    {"TxnOffsetCommit", 3, true},

	DescribeTransactions: {"DescribeTransactions", 0, true},
	DescribeQuorum:       {"DescribeQuorum", 1, true},

	SaslHandshake:    {"SaslHandshake", 1, false},
	SaslAuthenticate: {"SaslAuthenticate", 1, false},
	APIVersions:      {"ApiVersions", 0, false},
}

func (k APIKey) spec() spec {
	s, ok := specs[k]
	if !ok {
		panic(fmt.Sprintf("broken invariant: api %d is not spoken here", int16(k)))
	}
	return s
}

// Version is the version that this package speaks.
func (k APIKey) Version() int16 { return k.spec().version }

func (k APIKey) flexible() bool { return k.spec().flexible }

// String is the name in the protocol guide.
func (k APIKey) String() string {
	if s, ok := specs[k]; ok {
		return s.name
	}
	return fmt.Sprintf("api(%d)", int16(k))
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

// TopicID is what tells a topic from one of the same name that was deleted
// (KIP-516). Zero is none.
type TopicID [16]byte

// String writes it as Kafka's tools do.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// MarshalText implements encoding.TextMarshaler with String.
func (id TopicID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *TopicID) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.AppendDecode(nil, text)
	if err != nil || len(raw) != len(id) {
		return fmt.Errorf("%q is no topic ID", text)
	}
	copy(id[:], raw)
	return nil
}

// TopicPartitions names partitions of a topic.
type TopicPartitions struct {
	Topic      string
	Partitions []int32
}

// none is what stands where there is no leader epoch, replica or session.
const none = -1

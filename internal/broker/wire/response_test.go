package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/wire"
)

type responseCase struct {
	api  wire.APIKey
	in   kmsg.Response
	want wire.Response // what in is decoded to
}

// payload is what follows the size of a response frame.
func payload(api wire.APIKey, r kmsg.Response) []byte {
	r.SetVersion(api.Version())
	p := binary.BigEndian.AppendUint32(nil, correlationID)
	if r.IsFlexible() {
		p = append(p, 0)
	}
	return r.AppendTo(p)
}

// responses pairs franz-go's responses with what they are decoded to. Every
// field has another value, so that none can stand for another.
func responses() map[string]responseCase {
	cases := clusterResponses()
	for _, more := range []map[string]responseCase{dataResponses(), txnResponses(), groupResponses(), saslResponses()} {
		maps.Copy(cases, more)
	}
	return cases
}

func saslResponses() map[string]responseCase {
	return map[string]responseCase{
		"SASL handshake": {
			wire.SaslHandshake,
			&kmsg.SASLHandshakeResponse{ErrorCode: 33, SupportedMechanisms: []string{"PLAIN", "OAUTHBEARER"}},
			&wire.SaslHandshakeResponse{Code: 33, Mechanisms: []string{"PLAIN", "OAUTHBEARER"}},
		},
		"SASL authenticate": {
			wire.SaslAuthenticate,
			&kmsg.SASLAuthenticateResponse{ErrorCode: 58, ErrorMessage: new("why"), SASLAuthBytes: []byte("m"), SessionLifetimeMillis: 1500},
			&wire.SaslAuthenticateResponse{Code: 58, Reason: "why", Message: []byte("m"), Lifetime: 1500 * time.Millisecond},
		},
		"API versions": {
			wire.APIVersions,
			&kmsg.ApiVersionsResponse{ErrorCode: 1, ApiKeys: []kmsg.ApiVersionsResponseApiKey{{ApiKey: 1, MinVersion: 2, MaxVersion: 3}, {ApiKey: 4}}},
			&wire.APIVersionsResponse{Code: 1},
		},
	}
}

func dataResponses() map[string]responseCase {
	return map[string]responseCase{
		"fetch": {
			wire.Fetch,
			&kmsg.FetchResponse{
				ThrottleMillis: 1, ErrorCode: 2, SessionID: 3,
				Topics: []kmsg.FetchResponseTopic{
					{TopicID: [16]byte{1, 2}, Partitions: []kmsg.FetchResponseTopicPartition{
						{
							Partition: 4, ErrorCode: 5, HighWatermark: 6, LastStableOffset: 7, LogStartOffset: 8,
							PreferredReadReplica: -1, RecordBatches: []byte("set"),
							AbortedTransactions: []kmsg.FetchResponseTopicPartitionAbortedTransaction{
								{ProducerID: 9, FirstOffset: 10}, {ProducerID: 11, FirstOffset: 12},
							},
						},
						{Partition: 13, HighWatermark: 14, LastStableOffset: -1, LogStartOffset: -1, PreferredReadReplica: -1, RecordBatches: []byte{}},
					}},
					{TopicID: [16]byte{15: 3}, Partitions: []kmsg.FetchResponseTopicPartition{{Partition: 15, RecordBatches: nil}}},
				},
			},
			&wire.FetchResponse{ThrottleMs: 1, Code: 2, Partitions: []wire.FetchedPartition{
				{
					Topic: wire.TopicID{1, 2}, Partition: 4, Code: 5, HighWatermark: 6, LastStable: 7, LogStart: 8, Records: []byte("set"),
					Aborted: []wire.AbortedTransaction{{ProducerID: 9, FirstOffset: 10}, {ProducerID: 11, FirstOffset: 12}},
				},
				{Topic: wire.TopicID{1, 2}, Partition: 13, HighWatermark: 14, LastStable: -1, LogStart: -1, Records: []byte{}},
				{Topic: wire.TopicID{15: 3}, Partition: 15}, // a null record set
			}},
		},
		"produce": {
			wire.Produce,
			&kmsg.ProduceResponse{
				ThrottleMillis: 1,
				Topics: []kmsg.ProduceResponseTopic{{Topic: "in", Partitions: []kmsg.ProduceResponseTopicPartition{
					{Partition: 2, ErrorCode: 3, BaseOffset: 4, LogAppendTime: 5, LogStartOffset: 6},
					{
						Partition: 7, ErrorCode: 87, BaseOffset: -1, LogAppendTime: -1, LogStartOffset: -1, ErrorMessage: new("bad batch"),
						ErrorRecords: []kmsg.ProduceResponseTopicPartitionErrorRecord{
							{RelativeOffset: 8, ErrorMessage: new("bad record")}, {RelativeOffset: 9},
						},
					},
				}}},
			},
			&wire.ProduceResponse{ThrottleMs: 1, Partitions: []wire.ProducedPartition{
				{Topic: "in", Partition: 2, Code: 3, BaseOffset: 4, LogAppendMs: 5, LogStart: 6},
				{
					Topic: "in", Partition: 7, Code: 87, BaseOffset: -1, LogAppendMs: -1, LogStart: -1, Message: "bad batch",
					Refused: []wire.RefusedRecord{{Index: 8, Message: "bad record"}, {Index: 9}},
				},
			}},
		},
		"offset fetch": {
			wire.OffsetFetch,
			&kmsg.OffsetFetchResponse{
				ThrottleMillis: 1, ErrorCode: 2,
				Topics: []kmsg.OffsetFetchResponseTopic{{Topic: "in", Partitions: []kmsg.OffsetFetchResponseTopicPartition{
					{Partition: 3, Offset: 4, LeaderEpoch: 5, Metadata: new("note"), ErrorCode: 88}, {Partition: 6, Offset: -1, LeaderEpoch: -1},
				}}},
			},
			&wire.OffsetFetchResponse{ThrottleMs: 1, Code: 2, Offsets: []wire.CommittedOffset{
				{Topic: "in", Partition: 3, Offset: 4, LeaderEpoch: 5, Metadata: "note", Code: 88}, {Topic: "in", Partition: 6, Offset: -1, LeaderEpoch: -1},
			}},
		},
		"list offsets": {
			wire.ListOffsets,
			&kmsg.ListOffsetsResponse{
				ThrottleMillis: 1,
				Topics: []kmsg.ListOffsetsResponseTopic{{Topic: "in", Partitions: []kmsg.ListOffsetsResponseTopicPartition{
					{Partition: 2, ErrorCode: 3, Timestamp: 4, Offset: 5, LeaderEpoch: 6},
				}}},
			},
			&wire.ListOffsetsResponse{ThrottleMs: 1, Offsets: []wire.ListedOffset{
				{Topic: "in", Partition: 2, Code: 3, TimestampMs: 4, Offset: 5, LeaderEpoch: 6},
			}},
		},
	}
}

func clusterResponses() map[string]responseCase {
	return map[string]responseCase{
		"metadata": {
			wire.Metadata,
			&kmsg.MetadataResponse{
				ThrottleMillis: 1, ClusterID: new("cluster"), ControllerID: 2,
				Brokers: []kmsg.MetadataResponseBroker{{NodeID: 3, Host: "h", Port: 4, Rack: new("r")}, {NodeID: 5, Host: "i", Port: 6}},
				Topics: []kmsg.MetadataResponseTopic{
					{Topic: new("in"), TopicID: [16]byte{4, 5}, IsInternal: true, Partitions: []kmsg.MetadataResponseTopicPartition{
						{ErrorCode: 7, Partition: 8, Leader: 9, LeaderEpoch: 10, Replicas: []int32{11, 12}, ISR: []int32{13}, OfflineReplicas: []int32{14}},
						{Partition: 15, Leader: -1},
					}},
					{ErrorCode: 3, Topic: new("missing")},
				},
			},
			&wire.MetadataResponse{
				ThrottleMs: 1, ClusterID: "cluster", Controller: 2,
				Brokers: []wire.BrokerMetadata{{NodeID: 3, Host: "h", Port: 4, Rack: "r"}, {NodeID: 5, Host: "i", Port: 6}},
				Topics: []wire.TopicMetadata{
					{Topic: "in", ID: wire.TopicID{4, 5}, Internal: true, Partitions: []wire.PartitionMetadata{
						{Code: 7, Partition: 8, Leader: 9, LeaderEpoch: 10, Replicas: []int32{11, 12}, ISR: []int32{13}, Offlines: []int32{14}},
						{Partition: 15, Leader: -1},
					}},
					{Code: 3, Topic: "missing"},
				},
			},
		},
		"find coordinator": {
			wire.FindCoordinator,
			&kmsg.FindCoordinatorResponse{ThrottleMillis: 1, ErrorCode: 15, ErrorMessage: new("soon"), NodeID: 2, Host: "h", Port: 3},
			&wire.FindCoordinatorResponse{ThrottleMs: 1, Code: 15, Message: "soon", NodeID: 2, Host: "h", Port: 3},
		},
	}
}

func txnResponses() map[string]responseCase {
	return map[string]responseCase{
		"init producer ID": {
			wire.InitProducerID,
			&kmsg.InitProducerIDResponse{ThrottleMillis: 1, ErrorCode: 51, ProducerID: 2, ProducerEpoch: 3},
			&wire.InitProducerIDResponse{ThrottleMs: 1, Code: 51, ProducerID: 2, ProducerEpoch: 3},
		},
		"add partitions": {
			wire.AddPartitionsToTxn,
			&kmsg.AddPartitionsToTxnResponse{ThrottleMillis: 1, Topics: []kmsg.AddPartitionsToTxnResponseTopic{
				{Topic: "in", Partitions: []kmsg.AddPartitionsToTxnResponseTopicPartition{{Partition: 2, ErrorCode: 55}, {Partition: 3, ErrorCode: 51}}},
				{Topic: "out", Partitions: []kmsg.AddPartitionsToTxnResponseTopicPartition{{Partition: 4}}},
			}},
			&wire.AddPartitionsToTxnResponse{ThrottleMs: 1, Partitions: []wire.PartitionError{
				{Topic: "in", Partition: 2, Code: 55}, {Topic: "in", Partition: 3, Code: 51}, {Topic: "out", Partition: 4},
			}},
		},
		"add offsets": {
			wire.AddOffsetsToTxn,
			&kmsg.AddOffsetsToTxnResponse{ThrottleMillis: 1, ErrorCode: 16},
			&wire.AddOffsetsToTxnResponse{ThrottleMs: 1, Code: 16},
		},
		"txn offset commit": {
			wire.TxnOffsetCommit,
			&kmsg.TxnOffsetCommitResponse{ThrottleMillis: 1, Topics: []kmsg.TxnOffsetCommitResponseTopic{
				{Topic: "in", Partitions: []kmsg.TxnOffsetCommitResponseTopicPartition{{Partition: 2, ErrorCode: 22}}},
			}},
			&wire.TxnOffsetCommitResponse{ThrottleMs: 1, Partitions: []wire.PartitionError{{Topic: "in", Partition: 2, Code: 22}}},
		},
		"end txn": {
			wire.EndTxn,
			&kmsg.EndTxnResponse{ThrottleMillis: 1, ErrorCode: -1},
			&wire.EndTxnResponse{ThrottleMs: 1, Code: -1},
		},
	}
}

func groupResponses() map[string]responseCase {
	return map[string]responseCase{
		"join, leader": {
			wire.JoinGroup,
			&kmsg.JoinGroupResponse{
				ThrottleMillis: 1, ErrorCode: 79, Generation: 2, ProtocolType: new("consumer"), Protocol: new("tasks"), LeaderID: "l", MemberID: "m",
				Members: []kmsg.JoinGroupResponseMember{
					{MemberID: "m", InstanceID: new("i"), ProtocolMetadata: []byte("meta")}, {MemberID: "n", ProtocolMetadata: []byte{}},
				},
			},
			&wire.JoinGroupResponse{
				ThrottleMs: 1, Code: 79, Generation: 2, ProtocolType: "consumer", Protocol: "tasks", Leader: "l", MemberID: "m",
				Members: []wire.GroupMember{{MemberID: "m", InstanceID: "i", Metadata: []byte("meta")}, {MemberID: "n", Metadata: []byte{}}},
			},
		},
		"sync": {
			wire.SyncGroup,
			&kmsg.SyncGroupResponse{ThrottleMillis: 1, ErrorCode: 2, ProtocolType: new("consumer"), Protocol: new("tasks"), MemberAssignment: []byte("mine")},
			&wire.SyncGroupResponse{ThrottleMs: 1, Code: 2, ProtocolType: "consumer", Protocol: "tasks", Assignment: []byte("mine")},
		},
		// kafka-go v0.4.51 takes the null names of an error for a cut connection.
		"sync refused": {
			wire.SyncGroup,
			&kmsg.SyncGroupResponse{ErrorCode: 82, MemberAssignment: []byte{}},
			&wire.SyncGroupResponse{Code: 82, Assignment: []byte{}},
		},
		// kafka-go v0.4.51 has the two fields the other way round.
		"heartbeat": {
			wire.Heartbeat,
			&kmsg.HeartbeatResponse{ThrottleMillis: 1, ErrorCode: 27},
			&wire.HeartbeatResponse{ThrottleMs: 1, Code: 27},
		},
		"leave": {
			wire.LeaveGroup,
			&kmsg.LeaveGroupResponse{ThrottleMillis: 1, ErrorCode: 2, Members: []kmsg.LeaveGroupResponseMember{
				{MemberID: "m", InstanceID: new("i"), ErrorCode: 82}, {MemberID: "n"},
			}},
			&wire.LeaveGroupResponse{ThrottleMs: 1, Code: 2, Members: []wire.LeftMember{{MemberID: "m", InstanceID: "i", Code: 82}, {MemberID: "n"}}},
		},
		"describe groups": {
			wire.DescribeGroups,
			&kmsg.DescribeGroupsResponse{ThrottleMillis: 1, Groups: []kmsg.DescribeGroupsResponseGroup{
				{
					ErrorCode: 2, Group: "g", State: "Stable", ProtocolType: "consumer", Protocol: "tasks", AuthorizedOperations: 3,
					Members: []kmsg.DescribeGroupsResponseGroupMember{
						{MemberID: "m", InstanceID: new("i"), ClientID: "c", ClientHost: "/h", ProtocolMetadata: []byte("meta"), MemberAssignment: []byte("mine")},
						{MemberID: "n", ProtocolMetadata: []byte{}, MemberAssignment: []byte{}},
					},
				},
				{Group: "other", State: "Dead"},
			}},
			&wire.DescribeGroupsResponse{ThrottleMs: 1, Groups: []wire.DescribedGroup{
				{
					Code: 2, Group: "g", State: "Stable", ProtocolType: "consumer", Protocol: "tasks",
					Members: []wire.DescribedMember{
						{MemberID: "m", InstanceID: "i", ClientID: "c", Host: "/h", Metadata: []byte("meta"), Assignment: []byte("mine")},
						{MemberID: "n", Metadata: []byte{}, Assignment: []byte{}},
					},
				},
				{Group: "other", State: wire.GroupDead},
			}},
		},
		"describe transactions": {
			wire.DescribeTransactions,
			&kmsg.DescribeTransactionsResponse{ThrottleMillis: 1, TransactionStates: []kmsg.DescribeTransactionsResponseTransactionState{
				{
					TransactionalID: "t", State: "Ongoing", TimeoutMillis: 9, StartTimestamp: 8, ProducerID: 7, ProducerEpoch: 6,
					Topics: []kmsg.DescribeTransactionsResponseTransactionStateTopic{{Topic: "in", Partitions: []int32{0, 7}}},
				},
				{ErrorCode: 105, TransactionalID: "other", StartTimestamp: -1},
			}},
			&wire.DescribeTransactionsResponse{ThrottleMs: 1, Transactions: []wire.DescribedTransaction{
				{
					TransactionalID: "t", State: wire.TxnOngoing, TimeoutMs: 9, StartMs: 8, ProducerID: 7, ProducerEpoch: 6,
					Topics: []wire.TopicPartitions{{Topic: "in", Partitions: []int32{0, 7}}},
				},
				{Code: 105, TransactionalID: "other", StartMs: -1},
			}},
		},
		"describe quorum": {
			wire.DescribeQuorum,
			&kmsg.DescribeQuorumResponse{ErrorCode: 1, Topics: []kmsg.DescribeQuorumResponseTopic{{
				Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumResponseTopicPartition{{
					Partition: 2, ErrorCode: 3, LeaderID: 4, LeaderEpoch: 5, HighWatermark: 6,
					CurrentVoters: []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{
						{ReplicaID: 7, LogEndOffset: 8, LastFetchTimestamp: 9, LastCaughtUpTimestamp: 10},
						{ReplicaID: 4, LogEndOffset: 11, LastFetchTimestamp: 12, LastCaughtUpTimestamp: 13},
					},
					Observers: []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{
						{ReplicaID: 14, LogEndOffset: 15, LastFetchTimestamp: -1, LastCaughtUpTimestamp: -1},
					},
				}},
			}}},
			&wire.DescribeQuorumResponse{Code: 1, Partitions: []wire.QuorumPartition{{
				Topic: "__cluster_metadata", Partition: 2, Code: 3, Leader: 4, Epoch: 5, HighWatermark: 6,
				Voters:    []wire.QuorumReplica{{ID: 7, End: 8, LastFetchMs: 9, CaughtUpMs: 10}, {ID: 4, End: 11, LastFetchMs: 12, CaughtUpMs: 13}},
				Observers: []wire.QuorumReplica{{ID: 14, End: 15, LastFetchMs: -1, CaughtUpMs: -1}},
			}}},
		},
	}
}

// blank makes a response of the same type to decode into.
func blank(r wire.Response) wire.Response {
	made, _ := reflect.TypeAssert[wire.Response](reflect.New(reflect.TypeOf(r).Elem()))
	return made
}

func TestResponses_AreDecodedAsTheReferenceWroteThem(t *testing.T) {
	t.Parallel()
	for name, c := range responses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := blank(c.want)
			for range 2 { // the second time over the first
				if err := got.Decode(correlationID, payload(c.api, c.in)); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, c.want) {
					t.Fatalf("got  %+v\nwant %+v", got, c.want)
				}
			}
		})
	}
}

func TestResponses_CutShortAreErrors(t *testing.T) {
	t.Parallel()
	for name, c := range responses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := payload(c.api, c.in)
			for cut := range whole {
				if err := blank(c.want).Decode(correlationID, whole[:cut:cut]); !errors.Is(err, wire.ErrMalformed) {
					t.Errorf("%d of %d bytes: %v, want ErrMalformed", cut, len(whole), err)
				}
			}
			if err := blank(c.want).Decode(correlationID, append(whole, 0)); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("a byte too many: %v, want ErrMalformed", err)
			}
			if err := blank(c.want).Decode(correlationID+1, whole); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("the answer to another request: %v, want ErrMalformed", err)
			}
		})
	}
}

func TestResponses_UnknownTagsAreSkipped(t *testing.T) {
	t.Parallel()
	var tags kmsg.Tags
	tags.Set(99, []byte("of a later broker"))
	in := &kmsg.OffsetFetchResponse{UnknownTags: tags, ErrorCode: 1, Topics: []kmsg.OffsetFetchResponseTopic{{
		Topic: "in", UnknownTags: tags,
		Partitions: []kmsg.OffsetFetchResponseTopicPartition{{Offset: 5, UnknownTags: tags}, {Offset: 6}},
	}}}
	raw := payload(wire.OffsetFetch, in)
	raw = append(append(bytes.Clone(raw[:4]), 1, 99, 3, 'a', 'b', 'c'), raw[5:]...) // in the header too
	var got wire.OffsetFetchResponse
	if err := got.Decode(correlationID, raw); err != nil || len(got.Offsets) != 2 || got.Offsets[1].Offset != 6 || got.Code != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A count that the rest of the response cannot hold is refused before memory
// is set aside for it: each of these claims gigabytes.
func TestResponses_ImpossibleCountsAreErrors(t *testing.T) {
	t.Parallel()
	huge := []byte{0x7f, 0xff, 0xff, 0xff}
	compact := []byte{0xff, 0xff, 0xff, 0xff, 0x07}
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{{1, 2, 3, 4}}, parts...), nil) }
	onePartition := append(append([]byte{2}, make([]byte, 16)...), 2) // of one topic
	zeros := func(n int) []byte { return make([]byte, n) }
	for name, c := range map[string]struct {
		into wire.Response
		raw  []byte
	}{
		"topics":               {new(wire.FetchResponse), join(zeros(1+4+2+4), compact, zeros(100))},
		"aborted transactions": {new(wire.FetchResponse), join(zeros(1+4+2+4), onePartition, zeros(4+2+24), compact, zeros(100))},
		"record set":           {new(wire.FetchResponse), join(zeros(1+4+2+4), onePartition, zeros(4+2+24+1+4), compact, zeros(100))},
		"replicas": {new(wire.MetadataResponse), join(zeros(1+4), []byte{1, 0}, zeros(4), []byte{2, 0, 0, 1}, zeros(16), []byte{0, 2},
			zeros(2+4+4+4), compact, zeros(100))},
		"partitions":     {new(wire.AddPartitionsToTxnResponse), join([]byte{0}, zeros(4), []byte{2, 2, 't'}, compact, zeros(100))},
		"string":         {new(wire.SyncGroupResponse), join([]byte{0}, zeros(4+2), compact, zeros(100))},
		"tags":           {new(wire.EndTxnResponse), join([]byte{0}, zeros(4+2), compact, zeros(100))},
		"offsets":        {new(wire.ListOffsetsResponse), join(zeros(4), huge, zeros(100))},
		"negative count": {new(wire.ListOffsetsResponse), join(zeros(4), []byte{0xff, 0xff, 0xff, 0xfe}, zeros(100))},
		"overlong count": {new(wire.EndTxnResponse), join(bytes.Repeat([]byte{0xff}, 11), zeros(100))},
	} {
		if err := c.into.Decode(correlationID, c.raw); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func TestFetchResponse_SteadyStateAllocatesNothing(t *testing.T) {
	in := &kmsg.FetchResponse{}
	for n := range byte(2) {
		in.Topics = append(in.Topics, kmsg.FetchResponseTopic{TopicID: [16]byte{n}, Partitions: make([]kmsg.FetchResponseTopicPartition, 8)})
	}
	raw := payload(wire.Fetch, in)
	var got wire.FetchResponse
	if n := testing.AllocsPerRun(20, func() {
		if err := got.Decode(correlationID, raw); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConsumerProtocol_ReadsWhatTheReferenceWrites(t *testing.T) {
	t.Parallel()
	for version := range int16(4) {
		in := kmsg.ConsumerMemberMetadata{Version: version, Topics: []string{"in", "out"}, UserData: []byte("u"), Generation: 7, Rack: new("r")}
		in.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "in", Partitions: []int32{4, 5}}}
		want := wire.Subscription{Topics: in.Topics, UserData: in.UserData, Owned: []wire.TopicPartitions{{Topic: "in", Partitions: []int32{4, 5}}}}
		if version == 0 {
			want.Owned = nil
		}
		var got wire.Subscription
		if err := got.Decode(in.AppendTo(nil)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %d: %+v, %v; want %+v", version, got, err, want)
		}
	}
	in := kmsg.ConsumerMemberAssignment{Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: "in", Partitions: []int32{4}}}, UserData: []byte("u")}
	raw := in.AppendTo(nil)
	var got wire.Assignment
	want := wire.Assignment{Topics: []wire.TopicPartitions{{Topic: "in", Partitions: []int32{4}}}, UserData: []byte("u")}
	if err := got.Decode(raw); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("assignment: %+v, %v", got, err)
	}
	for cut := 1; cut < len(raw); cut++ {
		if err := got.Decode(raw[:cut]); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("assignment cut to %d bytes: %v", cut, err)
		}
	}
	if err := got.Decode(nil); err != nil || got.Topics != nil {
		t.Errorf("no assignment: %+v, %v", got, err)
	}
}

// FuzzResponses feeds every decoder arbitrary bytes. Invariants: no panic,
// every failure is ErrMalformed, what is decoded is not larger than a multiple
// of the input (the counts are checked against the bytes).
func FuzzResponses(f *testing.F) {
	var kinds []wire.Response
	for _, name := range []string{
		"fetch", "produce", "offset fetch", "list offsets", "metadata", "find coordinator", "init producer ID", "add partitions",
		"add offsets", "txn offset commit", "end txn", "join, leader", "sync", "heartbeat", "leave", "describe groups",
	} {
		c := responses()[name]
		f.Add(uint8(len(kinds)), payload(c.api, c.in)[4:])
		kinds = append(kinds, c.want)
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		raw := append(binary.BigEndian.AppendUint32(nil, correlationID), body...)
		if err := blank(kinds[int(kind)%len(kinds)]).Decode(correlationID, raw); err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%v is not ErrMalformed", err)
		}
		for _, decode := range []func([]byte) error{new(wire.Subscription).Decode, new(wire.Assignment).Decode} {
			if err := decode(body); err != nil && !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%v is not ErrMalformed", err)
			}
		}
	})
}

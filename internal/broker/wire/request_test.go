package wire_test

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/wire"
)

const (
	clientID      = "pulse"
	correlationID = 0x01020304
)

// version sets the reference to the version under test.
func version[R kmsg.Request](r R) R {
	r.SetVersion(wire.APIKey(r.Key()).Version())
	return r
}

func reference(r kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, r, correlationID)
}

// requests pairs each request with the same, stated in franz-go's types.
func requests() map[string]struct {
	got  wire.Request
	want kmsg.Request
} {
	type pair = struct {
		got  wire.Request
		want kmsg.Request
	}
	topics := []wire.TopicPartitions{{Topic: "in", Partitions: []int32{0, 7}}, {Topic: "out", Partitions: []int32{3}}}
	offsets := []wire.TxnOffsetTopic{{Topic: "in", Partitions: []wire.TxnOffset{{Partition: 4, Offset: 55, Metadata: "note"}, {Partition: 5}}}}
	return map[string]pair{
		"fetch": {
			&wire.FetchRequest{
				MaxWaitMs: 500, MinBytes: 1, MaxBytes: 5 << 20, Committed: true,
				Topics: []wire.FetchTopic{
					{Topic: wire.TopicID{1, 2}, Partitions: []wire.FetchPartition{
						{Partition: 0, Offset: 100, MaxBytes: 1 << 20}, {Partition: 2, Offset: 1 << 40, MaxBytes: 2},
					}},
					{Topic: wire.TopicID{15: 3}, Partitions: []wire.FetchPartition{{Partition: 1}}},
				},
			},
			fetchReference(),
		},
		"fetch nothing, uncommitted": {&wire.FetchRequest{}, fetchReferenceOf(kmsg.FetchRequest{})},
		"init producer ID": {
			&wire.InitProducerIDRequest{TransactionalID: "txn", TransactionTimeoutMs: 10_000, ProducerID: -1, ProducerEpoch: -1},
			version(&kmsg.InitProducerIDRequest{TransactionalID: new("txn"), TransactionTimeoutMillis: 10_000, ProducerID: -1, ProducerEpoch: -1}),
		},
		"init producer ID, idempotent": {
			&wire.InitProducerIDRequest{ProducerID: 5, ProducerEpoch: 6},
			version(&kmsg.InitProducerIDRequest{ProducerID: 5, ProducerEpoch: 6}),
		},
		"add partitions": {
			&wire.AddPartitionsToTxnRequest{TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2, Topics: topics},
			version(&kmsg.AddPartitionsToTxnRequest{
				TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2,
				Topics: []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "in", Partitions: []int32{0, 7}}, {Topic: "out", Partitions: []int32{3}}},
			}),
		},
		"add offsets": {
			&wire.AddOffsetsToTxnRequest{TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2, Group: "g"},
			version(&kmsg.AddOffsetsToTxnRequest{TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2, Group: "g"}),
		},
		"txn offset commit": {
			&wire.TxnOffsetCommitRequest{
				TransactionalID: "txn", Group: "g", ProducerID: 9, ProducerEpoch: 2, Generation: 31, MemberID: "m", InstanceID: "i", Topics: offsets,
			},
			offsetsReference(new("i")),
		},
		"txn offset commit, dynamic member": {
			&wire.TxnOffsetCommitRequest{
				TransactionalID: "txn", Group: "g", ProducerID: 9, ProducerEpoch: 2, Generation: 31, MemberID: "m", Topics: offsets,
			},
			offsetsReference(nil),
		},
		"end txn, commit": {
			&wire.EndTxnRequest{TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2, Commit: true},
			version(&kmsg.EndTxnRequest{TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2, Commit: true}),
		},
		"end txn, abort": {
			&wire.EndTxnRequest{TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2},
			version(&kmsg.EndTxnRequest{TransactionalID: "txn", ProducerID: 9, ProducerEpoch: 2}),
		},
		"join": {
			&wire.JoinGroupRequest{
				Group: "g", SessionTimeoutMs: 10_000, RebalanceTimeoutMs: 5_000, MemberID: "m", InstanceID: "i",
				Protocols: []wire.GroupProtocol{{Name: "tasks", Metadata: []byte("meta")}, {Name: "range"}},
			},
			version(&kmsg.JoinGroupRequest{
				Group: "g", SessionTimeoutMillis: 10_000, RebalanceTimeoutMillis: 5_000, MemberID: "m", InstanceID: new("i"),
				ProtocolType: "consumer",
				Protocols:    []kmsg.JoinGroupRequestProtocol{{Name: "tasks", Metadata: []byte("meta")}, {Name: "range", Metadata: []byte{}}},
			}),
		},
		"first join, dynamic member": {
			&wire.JoinGroupRequest{Group: "g"},
			version(&kmsg.JoinGroupRequest{Group: "g", ProtocolType: "consumer"}),
		},
		"sync, leader": {
			&wire.SyncGroupRequest{
				Group: "g", Generation: 4, MemberID: "m", InstanceID: "i", Protocol: "tasks",
				Assignments: []wire.MemberAssignment{{MemberID: "m", Assignment: []byte("all")}, {MemberID: "n"}},
			},
			version(&kmsg.SyncGroupRequest{
				Group: "g", Generation: 4, MemberID: "m", InstanceID: new("i"), ProtocolType: new("consumer"), Protocol: new("tasks"),
				GroupAssignment: []kmsg.SyncGroupRequestGroupAssignment{
					{MemberID: "m", MemberAssignment: []byte("all")}, {MemberID: "n", MemberAssignment: []byte{}},
				},
			}),
		},
		"sync, follower": {
			&wire.SyncGroupRequest{Group: "g", Generation: 4, MemberID: "m"},
			version(&kmsg.SyncGroupRequest{Group: "g", Generation: 4, MemberID: "m", ProtocolType: new("consumer")}),
		},
		"heartbeat": {
			&wire.HeartbeatRequest{Group: "g", Generation: 4, MemberID: "m", InstanceID: "i"},
			version(&kmsg.HeartbeatRequest{Group: "g", Generation: 4, MemberID: "m", InstanceID: new("i")}),
		},
		"leave": {
			&wire.LeaveGroupRequest{Group: "g", Members: []wire.LeavingMember{{MemberID: "m", InstanceID: "i"}, {MemberID: "n"}}},
			version(&kmsg.LeaveGroupRequest{
				Group: "g", Members: []kmsg.LeaveGroupRequestMember{{MemberID: "m", InstanceID: new("i")}, {MemberID: "n"}},
			}),
		},
		"describe groups": {
			&wire.DescribeGroupsRequest{Groups: []string{"g", "other"}},
			version(&kmsg.DescribeGroupsRequest{Groups: []string{"g", "other"}}),
		},
		"describe transactions": {
			&wire.DescribeTransactionsRequest{TransactionalIDs: []string{"t", "other"}},
			version(&kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{"t", "other"}}),
		},
		"describe quorum": {
			&wire.DescribeQuorumRequest{},
			version(&kmsg.DescribeQuorumRequest{Topics: []kmsg.DescribeQuorumRequestTopic{{
				Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}},
			}}}),
		},
		"offset fetch": {
			&wire.OffsetFetchRequest{Group: "g", Topics: topics, Stable: true},
			version(&kmsg.OffsetFetchRequest{
				Group: "g", RequireStable: true,
				Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "in", Partitions: []int32{0, 7}}, {Topic: "out", Partitions: []int32{3}}},
			}),
		},
		"list offsets": {
			&wire.ListOffsetsRequest{
				Committed: true,
				Topics: []wire.ListOffsetsTopic{{Topic: "in", Partitions: []wire.ListOffsetsPartition{
					{Partition: 0, TimestampMs: wire.LatestOffset}, {Partition: 1, TimestampMs: wire.EarliestOffset}, {Partition: 2, TimestampMs: 1_700_000_000_000},
				}}},
			},
			version(&kmsg.ListOffsetsRequest{
				ReplicaID: -1, IsolationLevel: 1,
				Topics: []kmsg.ListOffsetsRequestTopic{{Topic: "in", Partitions: []kmsg.ListOffsetsRequestTopicPartition{
					{Partition: 0, CurrentLeaderEpoch: -1, Timestamp: -1},
					{Partition: 1, CurrentLeaderEpoch: -1, Timestamp: -2},
					{Partition: 2, CurrentLeaderEpoch: -1, Timestamp: 1_700_000_000_000},
				}}},
			}),
		},
		"metadata": {
			&wire.MetadataRequest{Topics: []string{"in", "out"}},
			version(&kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: new("in")}, {Topic: new("out")}}}),
		},
		"metadata, brokers only": {&wire.MetadataRequest{}, version(&kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{}})},
		"find coordinator": {
			&wire.FindCoordinatorRequest{Key: "txn", Type: wire.TransactionCoordinator},
			version(&kmsg.FindCoordinatorRequest{CoordinatorKey: "txn", CoordinatorType: 1}),
		},
		"SASL handshake":    {&wire.SaslHandshakeRequest{Mechanism: "PLAIN"}, version(&kmsg.SASLHandshakeRequest{Mechanism: "PLAIN"})},
		"SASL authenticate": {&wire.SaslAuthenticateRequest{Message: []byte("m")}, version(&kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte("m")})},
		"API versions":      {&wire.APIVersionsRequest{}, version(&kmsg.ApiVersionsRequest{})},
	}
}

func fetchReference() *kmsg.FetchRequest {
	partition := func(n int32, offset int64, most int32) kmsg.FetchRequestTopicPartition {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = n, offset, most
		return p
	}
	return fetchReferenceOf(kmsg.FetchRequest{
		MaxWaitMillis: 500, MinBytes: 1, MaxBytes: 5 << 20, IsolationLevel: 1,
		Topics: []kmsg.FetchRequestTopic{
			{TopicID: [16]byte{1, 2}, Partitions: []kmsg.FetchRequestTopicPartition{partition(0, 100, 1<<20), partition(2, 1<<40, 2)}},
			{TopicID: [16]byte{15: 3}, Partitions: []kmsg.FetchRequestTopicPartition{partition(1, 0, 0)}},
		},
	})
}

// fetchReferenceOf adds what later versions would say otherwise.
func fetchReferenceOf(r kmsg.FetchRequest) *kmsg.FetchRequest {
	r.ReplicaID, r.SessionEpoch, r.ReplicaState = -1, -1, kmsg.NewFetchRequestReplicaState()
	return version(&r)
}

func offsetsReference(instance *string) *kmsg.TxnOffsetCommitRequest {
	return version(&kmsg.TxnOffsetCommitRequest{
		TransactionalID: "txn", Group: "g", ProducerID: 9, ProducerEpoch: 2, Generation: 31, MemberID: "m", InstanceID: instance,
		Topics: []kmsg.TxnOffsetCommitRequestTopic{{Topic: "in", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{
			{Partition: 4, Offset: 55, LeaderEpoch: -1, Metadata: new("note")}, {Partition: 5, LeaderEpoch: -1, Metadata: new("")},
		}}},
	})
}

func TestRequests_AreWhatTheReferenceWrites(t *testing.T) {
	t.Parallel()
	for name, c := range requests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if int16(c.got.API()) != c.want.Key() {
				t.Fatalf("API %v, want %d", c.got.API(), c.want.Key())
			}
			got := c.got.Append([]byte("before"), correlationID, clientID)
			if want := append([]byte("before"), reference(c.want)...); !bytes.Equal(got, want) {
				t.Errorf("%v v%d:\ngot  %x\nwant %x", c.got.API(), c.got.API().Version(), got, want)
			}
		})
	}
}

func produce() (*wire.ProduceRequest, *kmsg.ProduceRequest) {
	first, second, third := []byte("batch of in-0"), bytes.Repeat([]byte("b"), 300), []byte("c")
	request := &wire.ProduceRequest{
		TransactionalID: "txn", TimeoutMs: 30_000,
		Topics: []wire.ProduceTopic{
			{Topic: "in", Partitions: []wire.ProducePartition{{Partition: 0, Batch: first}, {Partition: 5, Batch: second}}},
			{Topic: "a-longer-name", Partitions: []wire.ProducePartition{{Partition: 1, Batch: third}}},
		},
	}
	want := version(&kmsg.ProduceRequest{
		TransactionID: new("txn"), Acks: -1, TimeoutMillis: 30_000,
		Topics: []kmsg.ProduceRequestTopic{
			{Topic: "in", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: 0, Records: first}, {Partition: 5, Records: second}}},
			{Topic: "a-longer-name", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: 1, Records: third}}},
		},
	})
	return request, want
}

func TestProducePieces_AreTheReferencesFrameWithoutCopies(t *testing.T) {
	t.Parallel()
	request, want := produce()
	var pieces [][]byte
	var meta []byte
	for range 3 { // first with no memory, then with the one before
		pieces, meta = request.Pieces(pieces, meta, correlationID, clientID)
		if got := bytes.Join(pieces, nil); !bytes.Equal(got, reference(want)) {
			t.Fatalf("got  %x\nwant %x", got, reference(want))
		}
		if &pieces[3][0] != &request.Topics[0].Partitions[1].Batch[0] {
			t.Fatal("a batch was copied")
		}
	}
	request.TransactionalID, want.TransactionID = "", nil
	if pieces, _ = request.Pieces(nil, nil, correlationID, clientID); !bytes.Equal(bytes.Join(pieces, nil), reference(want)) {
		t.Error("without a transaction: another frame than the reference's")
	}
	empty := wire.ProduceRequest{}
	pieces, _ = empty.Pieces(nil, nil, correlationID, "")
	if len(pieces) != 1 {
		t.Errorf("no topics: %d pieces", len(pieces))
	}
}

func TestProducePieces_SteadyStateAllocatesNothing(t *testing.T) {
	request, _ := produce()
	pieces, meta := request.Pieces(nil, nil, 1, clientID)
	if n := testing.AllocsPerRun(20, func() { pieces, meta = request.Pieces(pieces, meta, 1, clientID) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConsumerProtocol_IsReadByTheReference(t *testing.T) {
	t.Parallel()
	for _, s := range []wire.Subscription{
		{},
		{Topics: []string{"in", "retry"}, UserData: []byte(`{"txn":"a"}`), Owned: []wire.TopicPartitions{{Topic: "in", Partitions: []int32{0, 3}}}},
	} {
		raw := s.Append(nil)
		var want kmsg.ConsumerMemberMetadata
		if err := want.ReadFrom(raw); err != nil || want.Version != 1 || !bytes.Equal(want.AppendTo(nil), raw) {
			t.Errorf("subscription %+v: the reference reads %+v, %v", s, want, err)
		}
		if len(want.Topics) != len(s.Topics) || len(want.OwnedPartitions) != len(s.Owned) ||
			!bytes.Equal(want.UserData, s.UserData) || (want.UserData == nil) != (s.UserData == nil) {
			t.Errorf("subscription %+v: the reference reads %+v", s, want)
		}
	}
	for _, a := range []wire.Assignment{
		{},
		{Topics: []wire.TopicPartitions{{Topic: "in", Partitions: []int32{0, 3}}, {Topic: "retry"}}, UserData: []byte{}},
	} {
		raw := a.Append(nil)
		var want kmsg.ConsumerMemberAssignment
		err := want.ReadFrom(raw)
		if err != nil || want.Version != 0 || !bytes.Equal(want.AppendTo(nil), raw) || len(want.Topics) != len(a.Topics) {
			t.Errorf("assignment %+v: the reference reads %+v, %v", a, want, err)
		}
	}
}

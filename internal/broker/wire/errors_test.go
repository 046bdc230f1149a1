package wire_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"pulse-scorer/internal/broker/wire"
)

func TestErrorCode_NamesAreTheProtocols(t *testing.T) {
	t.Parallel()
	for code := int16(-1); code < 134; code++ {
		want := "NONE"
		if e := kerr.TypedErrorForCode(code); e != nil {
			want = e.Message
		}
		if code == 6 {
			want = "NOT_LEADER_OR_FOLLOWER" // renamed by KIP-392
		}
		if got := wire.ErrorCode(code).Error(); got != fmt.Sprintf("kafka: %s (%d)", want, code) {
			t.Errorf("code %d is %q, want %s", code, got, want)
		}
	}
	for _, code := range []wire.ErrorCode{-2, 9999} {
		if got := code.Error(); !strings.Contains(got, strconv.Itoa(int(code))) {
			t.Errorf("unknown code %d is %q", int16(code), got)
		}
	}
}

// The constants of this package against the reference's names.
func TestErrorCode_ConstantsHaveTheProtocolsValues(t *testing.T) {
	t.Parallel()
	for code, want := range map[wire.ErrorCode]*kerr.Error{
		wire.UnknownServerError: kerr.UnknownServerError, wire.OffsetOutOfRange: kerr.OffsetOutOfRange, wire.CorruptMessage: kerr.CorruptMessage,
		wire.UnknownTopicOrPartition: kerr.UnknownTopicOrPartition, wire.LeaderNotAvailable: kerr.LeaderNotAvailable,
		wire.NotLeaderOrFollower: kerr.NotLeaderForPartition, wire.RequestTimedOut: kerr.RequestTimedOut, wire.MessageTooLarge: kerr.MessageTooLarge,
		wire.NetworkException: kerr.NetworkException, wire.CoordinatorLoadInProgress: kerr.CoordinatorLoadInProgress,
		wire.CoordinatorNotAvailable: kerr.CoordinatorNotAvailable, wire.NotCoordinator: kerr.NotCoordinator, wire.InvalidTopic: kerr.InvalidTopicException,
		wire.RecordListTooLarge: kerr.RecordListTooLarge, wire.NotEnoughReplicas: kerr.NotEnoughReplicas,
		wire.NotEnoughReplicasAfterAppend: kerr.NotEnoughReplicasAfterAppend, wire.IllegalGeneration: kerr.IllegalGeneration,
		wire.InconsistentGroupProtocol: kerr.InconsistentGroupProtocol, wire.InvalidGroupID: kerr.InvalidGroupID, wire.UnknownMemberID: kerr.UnknownMemberID,
		wire.InvalidSessionTimeout: kerr.InvalidSessionTimeout, wire.RebalanceInProgress: kerr.RebalanceInProgress,
		wire.TopicAuthorizationFailed: kerr.TopicAuthorizationFailed, wire.GroupAuthorizationFailed: kerr.GroupAuthorizationFailed,
		wire.ClusterAuthorizationFailed: kerr.ClusterAuthorizationFailed, wire.InvalidTimestamp: kerr.InvalidTimestamp,
		wire.UnsupportedSaslMechanism: kerr.UnsupportedSaslMechanism, wire.IllegalSaslState: kerr.IllegalSaslState, wire.SaslAuthenticationFailed: kerr.SaslAuthenticationFailed,
		wire.UnsupportedVersion: kerr.UnsupportedVersion, wire.OutOfOrderSequenceNumber: kerr.OutOfOrderSequenceNumber,
		wire.DuplicateSequenceNumber: kerr.DuplicateSequenceNumber, wire.InvalidProducerEpoch: kerr.InvalidProducerEpoch,
		wire.InvalidTxnState: kerr.InvalidTxnState, wire.InvalidProducerIDMapping: kerr.InvalidProducerIDMapping,
		wire.InvalidTransactionTimeout: kerr.InvalidTransactionTimeout, wire.ConcurrentTransactions: kerr.ConcurrentTransactions,
		wire.TransactionalIDAuthorizationFailed: kerr.TransactionalIDAuthorizationFailed, wire.OperationNotAttempted: kerr.OperationNotAttempted,
		wire.KafkaStorageError: kerr.KafkaStorageError, wire.UnknownProducerID: kerr.UnknownProducerID, wire.FencedLeaderEpoch: kerr.FencedLeaderEpoch,
		wire.UnknownLeaderEpoch: kerr.UnknownLeaderEpoch, wire.OffsetNotAvailable: kerr.OffsetNotAvailable, wire.MemberIDRequired: kerr.MemberIDRequired,
		wire.GroupMaxSizeReached: kerr.GroupMaxSizeReached, wire.FencedInstanceID: kerr.FencedInstanceID, wire.InvalidRecord: kerr.InvalidRecord,
		wire.UnstableOffsetCommit: kerr.UnstableOffsetCommit, wire.ThrottlingQuotaExceeded: kerr.ThrottlingQuotaExceeded,
		wire.ProducerFenced: kerr.ProducerFenced, wire.TransactionAbortable: kerr.TransactionAbortable,
	} {
		if int16(code) != want.Code {
			t.Errorf("%s is %d here, %d in the protocol", want.Message, int16(code), want.Code)
		}
	}
}

// What the reference repeats, this repeats, with the exceptions that are named.
func TestErrorCode_Retriable(t *testing.T) {
	t.Parallel()
	otherwise := map[int16]string{
		41: "controllers are not asked", 51: "the markers of the last transaction are being written",
		70: "no fetch sessions", 71: "no fetch sessions", 80: "no elections are asked for", 83: "no elections are asked for", 84: "no elections are asked for",
		100: "topics are named, not numbered", 103: "topics are named, not numbered", 106: "no fetch sessions", 133: "no share groups",
	}
	for code := int16(-1); code < 134; code++ {
		want := code != 0 && kerr.IsRetriable(kerr.ErrorForCode(code))
		if _, ok := otherwise[code]; ok {
			want = !want
		}
		if got := wire.ErrorCode(code).Retriable(); got != want {
			t.Errorf("%v: retriable %v, want %v", wire.ErrorCode(code), got, want)
		}
	}
}

func TestErrorCode_Err(t *testing.T) {
	t.Parallel()
	if err := wire.ErrorCode(0).Err(); err != nil {
		t.Errorf("code 0 is the error %v", err)
	}
	if err := fmt.Errorf("join: %w", wire.ErrorCode(27).Err()); !errors.Is(err, wire.RebalanceInProgress) || errors.Is(err, wire.IllegalGeneration) {
		t.Errorf("%v is not found by its code", err)
	}
}

// OPERATION_NOT_ATTEMPTED only says that another partition was refused.
func TestAddPartitions_TheReasonIsTheOtherPartition(t *testing.T) {
	t.Parallel()
	answer := func(codes ...wire.ErrorCode) error {
		var r wire.AddPartitionsToTxnResponse
		for i, c := range codes {
			r.Partitions = append(r.Partitions, wire.PartitionError{Topic: "t", Partition: int32(i), Code: c})
		}
		return r.Err()
	}
	if err := answer(0, 0); err != nil {
		t.Errorf("no errors: %v", err)
	}
	for _, codes := range [][]wire.ErrorCode{{55, 51, 55}, {51, 55}, {0, 55, 51, 3}} {
		if err := answer(codes...); !errors.Is(err, wire.ConcurrentTransactions) {
			t.Errorf("%v: %v", codes, err)
		}
	}
	if err := answer(55, 55); !errors.Is(err, wire.OperationNotAttempted) {
		t.Errorf("only 55: %v", err)
	}
}

func TestLeaveGroup_AReplacedMemberHearsOfIt(t *testing.T) {
	t.Parallel()
	r := wire.LeaveGroupResponse{Members: []wire.LeftMember{{}, {Code: wire.FencedInstanceID}}}
	if err := r.Err(); !errors.Is(err, wire.FencedInstanceID) {
		t.Errorf("got %v", err)
	}
	if r.Members = nil; r.Err() != nil {
		t.Errorf("no errors: %v", r.Err())
	}
}

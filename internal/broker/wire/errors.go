package wire

import (
	"errors"
	"fmt"
	"slices"
)

// ErrorCode is an error code of the protocol. Two are the same error when
// they are equal, so errors.Is finds them. A code of 0 is no error: use Err.
type ErrorCode int16

// The codes that the engine decides on
// (https://kafka.apache.org/protocol#protocol_error_codes).
const (
	UnknownServerError                 ErrorCode = -1
	OffsetOutOfRange                   ErrorCode = 1
	CorruptMessage                     ErrorCode = 2
	UnknownTopicOrPartition            ErrorCode = 3
	LeaderNotAvailable                 ErrorCode = 5
	NotLeaderOrFollower                ErrorCode = 6
	RequestTimedOut                    ErrorCode = 7
	MessageTooLarge                    ErrorCode = 10
	NetworkException                   ErrorCode = 13
	CoordinatorLoadInProgress          ErrorCode = 14
	CoordinatorNotAvailable            ErrorCode = 15
	NotCoordinator                     ErrorCode = 16
	InvalidTopic                       ErrorCode = 17
	RecordListTooLarge                 ErrorCode = 18
	NotEnoughReplicas                  ErrorCode = 19
	NotEnoughReplicasAfterAppend       ErrorCode = 20
	IllegalGeneration                  ErrorCode = 22
	InconsistentGroupProtocol          ErrorCode = 23
	InvalidGroupID                     ErrorCode = 24
	UnknownMemberID                    ErrorCode = 25
	InvalidSessionTimeout              ErrorCode = 26
	RebalanceInProgress                ErrorCode = 27
	TopicAuthorizationFailed           ErrorCode = 29
	GroupAuthorizationFailed           ErrorCode = 30
	ClusterAuthorizationFailed         ErrorCode = 31
	InvalidTimestamp                   ErrorCode = 32
	UnsupportedSaslMechanism           ErrorCode = 33
	IllegalSaslState                   ErrorCode = 34
	UnsupportedVersion                 ErrorCode = 35
	OutOfOrderSequenceNumber           ErrorCode = 45
	DuplicateSequenceNumber            ErrorCode = 46
	InvalidProducerEpoch               ErrorCode = 47
	InvalidTxnState                    ErrorCode = 48
	InvalidProducerIDMapping           ErrorCode = 49
	InvalidTransactionTimeout          ErrorCode = 50
	ConcurrentTransactions             ErrorCode = 51
	TransactionalIDAuthorizationFailed ErrorCode = 53
	OperationNotAttempted              ErrorCode = 55
	KafkaStorageError                  ErrorCode = 56
	SaslAuthenticationFailed           ErrorCode = 58
	UnknownProducerID                  ErrorCode = 59
	GroupIDNotFound                    ErrorCode = 69
	FencedLeaderEpoch                  ErrorCode = 74
	UnknownLeaderEpoch                 ErrorCode = 75
	OffsetNotAvailable                 ErrorCode = 78
	MemberIDRequired                   ErrorCode = 79
	GroupMaxSizeReached                ErrorCode = 81
	FencedInstanceID                   ErrorCode = 82
	InvalidRecord                      ErrorCode = 87
	UnstableOffsetCommit               ErrorCode = 88
	ThrottlingQuotaExceeded            ErrorCode = 89
	ProducerFenced                     ErrorCode = 90
	TransactionAbortable               ErrorCode = 120
)

// Err is nil for 0 and the code itself otherwise.
func (c ErrorCode) Err() error {
	if c == 0 {
		return nil
	}
	return c
}

// Error is the code's name in the protocol, with its number.
func (c ErrorCode) Error() string {
	name := "an error that this version does not know"
	if i := int(c) - int(UnknownServerError); i >= 0 && i < len(names) {
		name = names[i]
	}
	return fmt.Sprintf("kafka: %s (%d)", name, int16(c))
}

// Retriable says that the same request, the same bytes, may succeed when it
// is sent again after a pause, where need be to a leader or coordinator that was
// looked up again. It is so for the broker's own passing states; codes that ask
// for another request first (a new join, a new epoch, an abort), and those after
// which nobody knows the outcome (UNKNOWN_SERVER_ERROR), are not.
//
// RequestTimedOut and NotEnoughReplicasAfterAppend leave a Produce undecided;
// repeated with the same sequence it is not doubled.
func (c ErrorCode) Retriable() bool {
	return slices.Contains(retriable[:], c)
}

var retriable = [...]ErrorCode{
	CorruptMessage, UnknownTopicOrPartition, LeaderNotAvailable, NotLeaderOrFollower, RequestTimedOut,
	brokerNotAvailable, replicaNotAvailable, NetworkException,
	CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator,
	NotEnoughReplicas, NotEnoughReplicasAfterAppend,
	ConcurrentTransactions, KafkaStorageError, listenerNotFound,
	FencedLeaderEpoch, UnknownLeaderEpoch, OffsetNotAvailable,
	UnstableOffsetCommit, ThrottlingQuotaExceeded,
}

// Codes that are only ever retried.
const (
	brokerNotAvailable  ErrorCode = 8
	replicaNotAvailable ErrorCode = 9
	listenerNotFound    ErrorCode = 72
)

// PartitionError is a partition's part of an answer.
type PartitionError struct {
	Topic     string
	Partition int32
	Code      ErrorCode
}

// worst picks the error that decides about an answer of many partitions. Where
// one partition is refused, the broker answers OPERATION_NOT_ATTEMPTED for the
// others: that is never the reason.
func worst(api APIKey, partitions []PartitionError) error {
	var found error
	for _, p := range partitions {
		if p.Code == 0 {
			continue
		}
		if found == nil || errors.Is(found, OperationNotAttempted) {
			found = fmt.Errorf("%s-%d: %w", p.Topic, p.Partition, DeniedTopic(api, p.Code, p.Topic))
		}
	}
	return found
}

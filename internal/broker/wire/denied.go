package wire

import "fmt"

// DeniedError is a broker's refusal for want of an ACL. Unwrap gives the code.
type DeniedError struct {
	// Operation is what must be allowed, as kafka-acls names it.
	Operation string
	// Resource is the kind of what it must be allowed on, as kafka-acls names its
	// option: topic, group, transactional-id or cluster; Name is which one.
	Resource, Name string
	Code           ErrorCode
}

// Error says what is missing and how to grant it, in one line.
func (e *DeniedError) Error() string {
	option := e.Resource
	if e.Name != "" {
		option += " " + e.Name
	}
	return fmt.Sprintf("not allowed to %s on %s (%v); grant it: kafka-acls --add --allow-principal User:… --operation %s --%s",
		e.Operation, option, e.Code, e.Operation, option)
}

// Unwrap gives the code.
func (e *DeniedError) Unwrap() error { return e.Code }

// Denied is what a code means in an answer to api: a DeniedError when something is
// not allowed on the topic, group or transactional ID of this name, else Err. Which
// operation an API needs: https://kafka.apache.org/documentation/#operations_in_kafka.
// Read and Write bring Describe with them, so what is found first is what a look-up
// was made for.
func Denied(api APIKey, code ErrorCode, name string) error {
	var resource string
	switch code {
	case TopicAuthorizationFailed:
		resource = "topic"
	case GroupAuthorizationFailed:
		resource = "group"
	case TransactionalIDAuthorizationFailed:
		resource = "transactional-id"
	case ClusterAuthorizationFailed:
		resource, name = "cluster", ""
	default:
		return code.Err()
	}
	return &DeniedError{Operation: operation(api, code), Resource: resource, Name: name, Code: code}
}

// DeniedTopic is Denied for the code of one topic, which may be about something else
// than the topic: then it is that code.
func DeniedTopic(api APIKey, code ErrorCode, topic string) error {
	if code != TopicAuthorizationFailed {
		return code.Err()
	}
	return Denied(api, code, topic)
}

func operation(api APIKey, code ErrorCode) string {
	switch code {
	case TransactionalIDAuthorizationFailed:
		if api == DescribeTransactions {
			return describe
		}
		return write
	case GroupAuthorizationFailed:
		if api == DescribeGroups || api == OffsetFetch {
			return describe
		}
		return read
	case ClusterAuthorizationFailed:
		if api == DescribeQuorum {
			return describe
		}
		return "IdempotentWrite" // InitProducerId, the one other API here that may answer it
	}
	switch api {
	case Produce, AddPartitionsToTxn:
		return write
	case Fetch, TxnOffsetCommit:
		return read
	}
	return describe
}

// Operations, as kafka-acls names them.
const (
	read     = "Read"
	write    = "Write"
	describe = "Describe"
)

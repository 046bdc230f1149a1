package wire

// DescribeGroupsRequest asks a group's coordinator who is in it.
type DescribeGroupsRequest struct {
	Groups []string
}

// API implements Request.
func (*DescribeGroupsRequest) API() APIKey { return DescribeGroups }

// Append implements Request.
func (r *DescribeGroupsRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, DescribeGroups, correlationID, clientID)
	e.array(len(r.Groups))
	for _, g := range r.Groups {
		e.string(g)
	}
	e.bool(false) // no authorized operations
	return e.end()
}

// DescribeGroupsResponse is the answer to a DescribeGroupsRequest.
type DescribeGroupsResponse struct {
	ThrottleMs int32
	Groups     []DescribedGroup
}

// DescribedGroup is a group. One that does not exist is described too, with the
// state GroupDead.
type DescribedGroup struct {
	Code                   ErrorCode
	Group                  string
	State                  string
	ProtocolType, Protocol string
	Members                []DescribedMember
}

// GroupDead is the state of a group that does not exist: it has neither members
// nor offsets (in version 6 of the answer this became GROUP_ID_NOT_FOUND).
const GroupDead = "Dead"

// DescribedMember is a member as its coordinator sees it. Metadata and
// Assignment alias the payload.
type DescribedMember struct {
	MemberID, InstanceID string
	ClientID, Host       string
	Metadata, Assignment []byte
}

// The least sizes of a group and of a member in a response.
const (
	minDescribedGroup  = 2 + 4 + 1 + 4 + 1
	minDescribedMember = 4 + 2 + 1
)

// Decode implements Response.
func (r *DescribeGroupsResponse) Decode(correlationID int32, payload []byte) error {
	d := open(DescribeGroups, correlationID, payload)
	*r = DescribeGroupsResponse{ThrottleMs: d.int32()}
	for range d.array(minDescribedGroup) {
		r.Groups = append(r.Groups, d.describedGroup())
	}
	return d.close(DescribeGroups)
}

func (d *decoder) describedGroup() DescribedGroup {
	g := DescribedGroup{Code: d.code(), Group: d.string(), State: d.string(), ProtocolType: d.string(), Protocol: d.string()}
	for range d.array(minDescribedMember) {
		g.Members = append(g.Members, DescribedMember{
			MemberID: d.string(), InstanceID: d.string(), ClientID: d.string(), Host: d.string(),
			Metadata: d.bytes(), Assignment: d.bytes(),
		})
		d.tags()
	}
	d.int32() // authorized operations
	d.tags()
	return g
}

// DescribeTransactionsRequest asks the coordinator of a transactional ID what its
// last transaction has become of (KIP-664).
type DescribeTransactionsRequest struct {
	TransactionalIDs []string
}

// API implements Request.
func (*DescribeTransactionsRequest) API() APIKey { return DescribeTransactions }

// Append implements Request.
func (r *DescribeTransactionsRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, DescribeTransactions, correlationID, clientID)
	e.array(len(r.TransactionalIDs))
	for _, id := range r.TransactionalIDs {
		e.string(id)
	}
	return e.end()
}

// DescribeTransactionsResponse is the answer to a DescribeTransactionsRequest.
type DescribeTransactionsResponse struct {
	ThrottleMs   int32
	Transactions []DescribedTransaction
}

// DescribedTransaction is the last transaction of a transactional ID, open or not.
type DescribedTransaction struct {
	Code            ErrorCode
	TransactionalID string
	State           string
	TimeoutMs       int32
	StartMs         int64 // -1 when none is open
	ProducerID      int64
	ProducerEpoch   int16
	// Topics are the partitions that an open one has.
	Topics []TopicPartitions
}

// The states of a transaction that has begun. TxnEmpty is one that was never
// begun since the producer was initialised.
const (
	TxnEmpty          = "Empty"
	TxnOngoing        = "Ongoing"
	TxnPrepareCommit  = "PrepareCommit"
	TxnPrepareAbort   = "PrepareAbort"
	TxnCompleteCommit = "CompleteCommit"
	TxnCompleteAbort  = "CompleteAbort"
)

// minDescribedTransaction is the least size of a transaction in a response.
const minDescribedTransaction = 2 + 1 + 1 + 4 + 8 + 8 + 2 + 1 + 1

// Decode implements Response.
func (r *DescribeTransactionsResponse) Decode(correlationID int32, payload []byte) error {
	d := open(DescribeTransactions, correlationID, payload)
	*r = DescribeTransactionsResponse{ThrottleMs: d.int32()}
	for range d.array(minDescribedTransaction) {
		r.Transactions = append(r.Transactions, DescribedTransaction{
			Code: d.code(), TransactionalID: d.string(), State: d.string(), TimeoutMs: d.int32(),
			StartMs: d.int64(), ProducerID: d.int64(), ProducerEpoch: d.int16(), Topics: d.topicPartitions(),
		})
		d.tags()
	}
	return d.close(DescribeTransactions)
}

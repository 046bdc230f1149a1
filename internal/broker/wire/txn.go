package wire

// InitProducerIDRequest asks for a producer ID and epoch. With a transactional
// ID it also aborts that ID's open transaction and fences its other users.
type InitProducerIDRequest struct {
	TransactionalID      string
	TransactionTimeoutMs int32
	// ProducerID and ProducerEpoch are the present ones, or both -1 to take the
	// transactional ID over whoever has it. Zero values are wrong: they are
	// refused with PRODUCER_FENCED once the ID is known.
	ProducerID    int64
	ProducerEpoch int16
}

// API implements Request.
func (*InitProducerIDRequest) API() APIKey { return InitProducerID }

// Append implements Request.
func (r *InitProducerIDRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, InitProducerID, correlationID, clientID)
	e.nullable(r.TransactionalID)
	e.int32(r.TransactionTimeoutMs)
	e.int64(r.ProducerID)
	e.int16(r.ProducerEpoch)
	return e.end()
}

// InitProducerIDResponse is the answer to an InitProducerIDRequest.
type InitProducerIDResponse struct {
	ThrottleMs    int32
	Code          ErrorCode
	ProducerID    int64
	ProducerEpoch int16
}

// Decode implements Response.
func (r *InitProducerIDResponse) Decode(correlationID int32, payload []byte) error {
	d := open(InitProducerID, correlationID, payload)
	*r = InitProducerIDResponse{ThrottleMs: d.int32(), Code: d.code(), ProducerID: d.int64(), ProducerEpoch: d.int16()}
	return d.close(InitProducerID)
}

// AddPartitionsToTxnRequest adds partitions to the open transaction, and opens
// one if there is none.
type AddPartitionsToTxnRequest struct {
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	Topics          []TopicPartitions
}

// API implements Request.
func (*AddPartitionsToTxnRequest) API() APIKey { return AddPartitionsToTxn }

// Append implements Request.
func (r *AddPartitionsToTxnRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, AddPartitionsToTxn, correlationID, clientID)
	e.string(r.TransactionalID)
	e.int64(r.ProducerID)
	e.int16(r.ProducerEpoch)
	e.topicPartitions(r.Topics)
	return e.end()
}

// AddPartitionsToTxnResponse is the answer to an AddPartitionsToTxnRequest.
type AddPartitionsToTxnResponse struct {
	ThrottleMs int32
	Partitions []PartitionError
}

// Decode implements Response.
func (r *AddPartitionsToTxnResponse) Decode(correlationID int32, payload []byte) error {
	d := open(AddPartitionsToTxn, correlationID, payload)
	r.ThrottleMs = d.int32()
	r.Partitions = d.partitionErrors(r.Partitions[:0])
	return d.close(AddPartitionsToTxn)
}

// Err is why the partitions were not added, nil if all were. It wraps the
// deciding code, which is OPERATION_NOT_ATTEMPTED only if there is no other.
func (r *AddPartitionsToTxnResponse) Err() error { return worst(AddPartitionsToTxn, r.Partitions) }

// AddOffsetsToTxnRequest announces that the transaction will commit offsets of
// a group.
type AddOffsetsToTxnRequest struct {
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	Group           string
}

// API implements Request.
func (*AddOffsetsToTxnRequest) API() APIKey { return AddOffsetsToTxn }

// Append implements Request.
func (r *AddOffsetsToTxnRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, AddOffsetsToTxn, correlationID, clientID)
	e.string(r.TransactionalID)
	e.int64(r.ProducerID)
	e.int16(r.ProducerEpoch)
	e.string(r.Group)
	return e.end()
}

// AddOffsetsToTxnResponse is the answer to an AddOffsetsToTxnRequest.
type AddOffsetsToTxnResponse struct {
	ThrottleMs int32
	Code       ErrorCode
}

// Decode implements Response.
func (r *AddOffsetsToTxnResponse) Decode(correlationID int32, payload []byte) error {
	d := open(AddOffsetsToTxn, correlationID, payload)
	*r = AddOffsetsToTxnResponse{ThrottleMs: d.int32(), Code: d.code()}
	return d.close(AddOffsetsToTxn)
}

// TxnOffsetCommitRequest commits offsets with the transaction. Generation and
// member are the fence: the broker accepts -1 and an empty member from anyone.
type TxnOffsetCommitRequest struct {
	TransactionalID string
	Group           string
	ProducerID      int64
	ProducerEpoch   int16
	Generation      int32
	MemberID        string
	InstanceID      string // empty: a dynamic member
	Topics          []TxnOffsetTopic
}

// TxnOffsetTopic is a topic of a TxnOffsetCommitRequest.
type TxnOffsetTopic struct {
	Topic      string
	Partitions []TxnOffset
}

// TxnOffset is the next offset of a partition to read, with a note.
type TxnOffset struct {
	Partition int32
	Offset    int64
	Metadata  string
}

// API implements Request.
func (*TxnOffsetCommitRequest) API() APIKey { return TxnOffsetCommit }

// Append implements Request.
func (r *TxnOffsetCommitRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, TxnOffsetCommit, correlationID, clientID)
	e.string(r.TransactionalID)
	e.string(r.Group)
	e.int64(r.ProducerID)
	e.int16(r.ProducerEpoch)
	e.int32(r.Generation)
	e.string(r.MemberID)
	e.nullable(r.InstanceID)
	e.array(len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		e.string(t.Topic)
		e.array(len(t.Partitions))
		for _, p := range t.Partitions {
			e.int32(p.Partition)
			e.int64(p.Offset)
			e.int32(none) // leader epoch: unknown; 0 would claim the first
			e.string(p.Metadata)
			e.tags()
		}
		e.tags()
	}
	return e.end()
}

// TxnOffsetCommitResponse is the answer to a TxnOffsetCommitRequest.
type TxnOffsetCommitResponse struct {
	ThrottleMs int32
	Partitions []PartitionError
}

// Decode implements Response.
func (r *TxnOffsetCommitResponse) Decode(correlationID int32, payload []byte) error {
	d := open(TxnOffsetCommit, correlationID, payload)
	r.ThrottleMs = d.int32()
	r.Partitions = d.partitionErrors(r.Partitions[:0])
	return d.close(TxnOffsetCommit)
}

// Err is why the offsets were refused, nil if none was. After a refusal the
// transaction must be aborted: EndTxn would commit it all the same.
func (r *TxnOffsetCommitResponse) Err() error { return worst(TxnOffsetCommit, r.Partitions) }

// EndTxnRequest commits or aborts the transaction.
type EndTxnRequest struct {
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	Commit          bool
}

// API implements Request.
func (*EndTxnRequest) API() APIKey { return EndTxn }

// Append implements Request.
func (r *EndTxnRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, EndTxn, correlationID, clientID)
	e.string(r.TransactionalID)
	e.int64(r.ProducerID)
	e.int16(r.ProducerEpoch)
	e.bool(r.Commit)
	return e.end()
}

// EndTxnResponse is the answer to an EndTxnRequest.
type EndTxnResponse struct {
	ThrottleMs int32
	Code       ErrorCode
}

// Decode implements Response.
func (r *EndTxnResponse) Decode(correlationID int32, payload []byte) error {
	d := open(EndTxn, correlationID, payload)
	*r = EndTxnResponse{ThrottleMs: d.int32(), Code: d.code()}
	return d.close(EndTxn)
}

// partitionErrors reads topics with their partitions' codes, flat.
func (d *decoder) partitionErrors(out []PartitionError) []PartitionError {
	for range d.array(minTopic) {
		topic := d.string()
		for range d.array(4 + 2) {
			out = append(out, PartitionError{Topic: topic, Partition: d.int32(), Code: d.code()})
			d.tags()
		}
		d.tags()
	}
	return out
}

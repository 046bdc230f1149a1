package wire

// OffsetFetchRequest asks for a group's committed offsets.
type OffsetFetchRequest struct {
	Group  string
	Topics []TopicPartitions
	// Stable asks for UNSTABLE_OFFSET_COMMIT instead of the old offset where a
	// transaction that commits a new one is still open (KIP-447). Without it a
	// task that is taken over is processed twice.
	Stable bool
}

// API implements Request.
func (*OffsetFetchRequest) API() APIKey { return OffsetFetch }

// Append implements Request.
func (r *OffsetFetchRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, OffsetFetch, correlationID, clientID)
	e.string(r.Group)
	e.topicPartitions(r.Topics)
	e.bool(r.Stable)
	return e.end()
}

// OffsetFetchResponse is the answer to an OffsetFetchRequest.
type OffsetFetchResponse struct {
	ThrottleMs int32
	Code       ErrorCode
	Offsets    []CommittedOffset
}

// CommittedOffset is what a group has committed of a partition.
type CommittedOffset struct {
	Topic     string
	Partition int32
	// Offset is -1 where nothing is committed.
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	Code        ErrorCode
}

// minCommitted is the least size of a partition in a response.
const minCommitted = 4 + 8 + 4 + 1 + 2

// Decode implements Response.
func (r *OffsetFetchResponse) Decode(correlationID int32, payload []byte) error {
	d := open(OffsetFetch, correlationID, payload)
	*r = OffsetFetchResponse{ThrottleMs: d.int32()}
	for range d.array(minTopic) {
		topic := d.string()
		for range d.array(minCommitted) {
			r.Offsets = append(r.Offsets, CommittedOffset{
				Topic: topic, Partition: d.int32(), Offset: d.int64(),
				LeaderEpoch: d.int32(), Metadata: d.string(), Code: d.code(),
			})
			d.tags()
		}
		d.tags()
	}
	r.Code = d.code()
	return d.close(OffsetFetch)
}

// Where a ListOffsetsRequest looks when not for a time.
const (
	LatestOffset   int64 = -1
	EarliestOffset int64 = -2
)

// ListOffsetsRequest asks a broker for offsets of partitions that it leads.
type ListOffsetsRequest struct {
	// Committed makes the latest offset the last stable one instead of the high
	// watermark.
	Committed bool
	Topics    []ListOffsetsTopic
}

// ListOffsetsTopic is a topic of a ListOffsetsRequest.
type ListOffsetsTopic struct {
	Topic      string
	Partitions []ListOffsetsPartition
}

// ListOffsetsPartition asks for the first offset at or after a time, in
// milliseconds since 1970, or for LatestOffset or EarliestOffset.
type ListOffsetsPartition struct {
	Partition   int32
	TimestampMs int64
}

// API implements Request.
func (*ListOffsetsRequest) API() APIKey { return ListOffsets }

// Append implements Request.
func (r *ListOffsetsRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, ListOffsets, correlationID, clientID)
	e.int32(none) // replica: a consumer
	e.bool(r.Committed)
	e.array(len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		e.string(t.Topic)
		e.array(len(t.Partitions))
		for _, p := range t.Partitions {
			e.int32(p.Partition)
			e.int32(none) // current leader epoch: not checked
			e.int64(p.TimestampMs)
		}
	}
	return e.end()
}

// ListOffsetsResponse is the answer to a ListOffsetsRequest.
type ListOffsetsResponse struct {
	ThrottleMs int32
	Offsets    []ListedOffset
}

// ListedOffset is the answer for one partition.
type ListedOffset struct {
	Topic     string
	Partition int32
	Code      ErrorCode
	// TimestampMs is the time of the record that was found by time, else -1.
	TimestampMs int64
	// Offset is -1 where no record is at or after the time.
	Offset      int64
	LeaderEpoch int32
}

// minListed is the least size of a partition in a response.
const minListed = 4 + 2 + 8 + 8 + 4

// Decode implements Response.
func (r *ListOffsetsResponse) Decode(correlationID int32, payload []byte) error {
	d := open(ListOffsets, correlationID, payload)
	*r = ListOffsetsResponse{ThrottleMs: d.int32()}
	for range d.array(2 + 4) {
		topic := d.string()
		for range d.array(minListed) {
			r.Offsets = append(r.Offsets, ListedOffset{
				Topic: topic, Partition: d.int32(), Code: d.code(),
				TimestampMs: d.int64(), Offset: d.int64(), LeaderEpoch: d.int32(),
			})
		}
	}
	return d.close(ListOffsets)
}

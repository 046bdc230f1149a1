package wire

// MetadataRequest asks where the partitions of topics are. Topics are never
// created by asking.
type MetadataRequest struct {
	// Topics are names; none asks for the brokers only.
	Topics []string
}

// API implements Request.
func (*MetadataRequest) API() APIKey { return Metadata }

// Append implements Request.
func (r *MetadataRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, Metadata, correlationID, clientID)
	e.array(len(r.Topics))
	for _, t := range r.Topics {
		e.topicID(TopicID{}) // by name
		e.string(t)
		e.tags()
	}
	e.bool(false) // do not create topics
	e.bool(false) // no authorized operations of the topics
	return e.end()
}

// MetadataResponse is the answer to a MetadataRequest.
type MetadataResponse struct {
	ThrottleMs int32
	Brokers    []BrokerMetadata
	ClusterID  string
	Controller int32
	Topics     []TopicMetadata
}

// BrokerMetadata is how to reach a broker.
type BrokerMetadata struct {
	NodeID int32
	Host   string
	Port   int32
	Rack   string
}

// TopicMetadata is a topic, or why it cannot be described.
type TopicMetadata struct {
	Code       ErrorCode
	Topic      string
	ID         TopicID
	Internal   bool
	Partitions []PartitionMetadata
}

// PartitionMetadata is where a partition is. Leader is -1 without one.
type PartitionMetadata struct {
	Code                    ErrorCode
	Partition, Leader       int32
	LeaderEpoch             int32
	Replicas, ISR, Offlines []int32
}

// The least sizes of the elements of a response.
const (
	minBroker            = 4 + 1 + 4 + 1
	minTopicMetadata     = 2 + 1 + 16 + 1 + 1 + 4
	minPartitionMetadata = 2 + 4 + 4 + 4 + 3
)

// Decode implements Response.
func (r *MetadataResponse) Decode(correlationID int32, payload []byte) error {
	d := open(Metadata, correlationID, payload)
	*r = MetadataResponse{ThrottleMs: d.int32()}
	for range d.array(minBroker) {
		r.Brokers = append(r.Brokers, BrokerMetadata{NodeID: d.int32(), Host: d.string(), Port: d.int32(), Rack: d.string()})
		d.tags()
	}
	r.ClusterID = d.string()
	r.Controller = d.int32()
	for range d.array(minTopicMetadata) {
		r.Topics = append(r.Topics, d.topicMetadata())
	}
	return d.close(Metadata)
}

func (d *decoder) topicMetadata() TopicMetadata {
	t := TopicMetadata{Code: d.code(), Topic: d.string(), ID: d.topicID(), Internal: d.bool()}
	for range d.array(minPartitionMetadata) {
		t.Partitions = append(t.Partitions, PartitionMetadata{
			Code: d.code(), Partition: d.int32(), Leader: d.int32(), LeaderEpoch: d.int32(),
			Replicas: d.int32s(), ISR: d.int32s(), Offlines: d.int32s(),
		})
		d.tags()
	}
	d.int32() // authorized operations
	d.tags()
	return t
}

// CoordinatorType says what a coordinator is looked for.
type CoordinatorType int8

// The kinds of coordinators.
const (
	GroupCoordinator       CoordinatorType = 0
	TransactionCoordinator CoordinatorType = 1
)

// FindCoordinatorRequest asks which broker coordinates a group or a
// transactional ID.
type FindCoordinatorRequest struct {
	Key  string
	Type CoordinatorType
}

// API implements Request.
func (*FindCoordinatorRequest) API() APIKey { return FindCoordinator }

// Append implements Request.
func (r *FindCoordinatorRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, FindCoordinator, correlationID, clientID)
	e.string(r.Key)
	e.int8(int8(r.Type))
	return e.end()
}

// FindCoordinatorResponse is the answer to a FindCoordinatorRequest.
type FindCoordinatorResponse struct {
	ThrottleMs int32
	Code       ErrorCode
	Message    string
	NodeID     int32
	Host       string
	Port       int32
}

// Decode implements Response.
func (r *FindCoordinatorResponse) Decode(correlationID int32, payload []byte) error {
	d := open(FindCoordinator, correlationID, payload)
	*r = FindCoordinatorResponse{
		ThrottleMs: d.int32(), Code: d.code(), Message: d.string(),
		NodeID: d.int32(), Host: d.string(), Port: d.int32(),
	}
	return d.close(FindCoordinator)
}

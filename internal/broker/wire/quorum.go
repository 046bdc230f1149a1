package wire

// DescribeQuorumRequest asks the controllers' quorum (KRaft) about its log, of which
// there is one: topic __cluster_metadata, partition 0 (KIP-595). Any broker passes it on.
type DescribeQuorumRequest struct{}

// API implements Request.
func (*DescribeQuorumRequest) API() APIKey { return DescribeQuorum }

// Append implements Request.
func (r *DescribeQuorumRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, DescribeQuorum, correlationID, clientID)
	e.array(1)
	e.string("__cluster_metadata")
	e.array(1)
	e.int32(0)
	e.tags()
	e.tags()
	return e.end()
}

// DescribeQuorumResponse is the answer to a DescribeQuorumRequest.
type DescribeQuorumResponse struct {
	Code       ErrorCode
	Partitions []QuorumPartition
}

// QuorumPartition is the log of the quorum.
type QuorumPartition struct {
	Topic             string
	Partition         int32
	Code              ErrorCode
	Leader, Epoch     int32
	HighWatermark     int64
	Voters, Observers []QuorumReplica
}

// QuorumReplica is how far a replica has come, as the leader knows it. CaughtUpMs is
// when it had everything last; of the leader itself that is when it answers (KIP-836).
// -1 is unknown.
type QuorumReplica struct {
	ID                           int32
	End, LastFetchMs, CaughtUpMs int64
}

// LeaderMs is the leader's clock as it answered, in milliseconds since 1970; -1
// when the answer does not hold it.
func (r *DescribeQuorumResponse) LeaderMs() int64 {
	for _, p := range r.Partitions {
		for _, v := range p.Voters {
			if v.ID == p.Leader {
				return v.CaughtUpMs
			}
		}
	}
	return none
}

// Err is why there is no answer.
func (r *DescribeQuorumResponse) Err() error {
	code := r.Code
	for _, p := range r.Partitions {
		if code == 0 {
			code = p.Code
		}
	}
	return Denied(DescribeQuorum, code, "")
}

// The least sizes of the elements of a response.
const (
	minQuorumTopic     = 1 + 1 + 1
	minQuorumPartition = 4 + 2 + 4 + 4 + 8 + 1 + 1 + 1
	minQuorumReplica   = 4 + 8 + 8 + 8 + 1
)

// Decode implements Response.
func (r *DescribeQuorumResponse) Decode(correlationID int32, payload []byte) error {
	d := open(DescribeQuorum, correlationID, payload)
	*r = DescribeQuorumResponse{Code: d.code()}
	for range d.array(minQuorumTopic) {
		topic := d.string()
		for range d.array(minQuorumPartition) {
			r.Partitions = append(r.Partitions, QuorumPartition{
				Topic: topic, Partition: d.int32(), Code: d.code(), Leader: d.int32(), Epoch: d.int32(), HighWatermark: d.int64(),
				Voters: d.quorumReplicas(), Observers: d.quorumReplicas(),
			})
			d.tags()
		}
		d.tags()
	}
	return d.close(DescribeQuorum)
}

func (d *decoder) quorumReplicas() []QuorumReplica {
	var out []QuorumReplica
	for range d.array(minQuorumReplica) {
		out = append(out, QuorumReplica{ID: d.int32(), End: d.int64(), LastFetchMs: d.int64(), CaughtUpMs: d.int64()})
		d.tags()
	}
	return out
}

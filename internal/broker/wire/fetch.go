package wire

// FetchRequest asks one broker for records of partitions that it leads. There
// is no fetch session: every request names all its partitions.
type FetchRequest struct {
	// MaxWaitMs is how long the broker waits for MinBytes.
	MaxWaitMs, MinBytes int32
	// MaxBytes bounds the answer, but for the first batch of it.
	MaxBytes int32
	// Committed asks for no offset at or above the last stable one, and for the
	// aborted transactions, which are still among the records.
	Committed bool
	Topics    []FetchTopic
}

// FetchTopic is a topic of a FetchRequest. It goes by ID: offsets of a topic
// that was deleted and made again under the same name are not mistaken for each
// other.
type FetchTopic struct {
	Topic      TopicID
	Partitions []FetchPartition
}

// FetchPartition is a partition of a FetchRequest.
type FetchPartition struct {
	Partition int32
	Offset    int64
	// MaxBytes bounds what comes of this partition, but for the first batch.
	MaxBytes int32
}

// API implements Request.
func (*FetchRequest) API() APIKey { return Fetch }

// Append implements Request.
func (r *FetchRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, Fetch, correlationID, clientID)
	e.int32(none) // replica: a consumer
	e.int32(r.MaxWaitMs)
	e.int32(r.MinBytes)
	e.int32(r.MaxBytes)
	e.bool(r.Committed)
	e.int32(0)    // session
	e.int32(none) // session epoch: no session
	e.array(len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		e.topicID(t.Topic)
		e.array(len(t.Partitions))
		for _, p := range t.Partitions {
			e.int32(p.Partition)
			e.int32(none) // current leader epoch: not checked
			e.int64(p.Offset)
			e.int32(none) // epoch of the last record: a replica's
			e.int64(none) // log start: a replica's
			e.int32(p.MaxBytes)
			e.tags()
		}
		e.tags()
	}
	e.array(0)   // forgotten topics of a session
	e.string("") // rack
	return e.end()
}

// FetchResponse is the answer to a FetchRequest. Decoded again and again it
// allocates nothing but where there are aborted transactions.
type FetchResponse struct {
	ThrottleMs int32
	Code       ErrorCode
	Partitions []FetchedPartition
}

// FetchedPartition is what came of one partition.
type FetchedPartition struct {
	Topic     TopicID
	Partition int32
	Code      ErrorCode
	// HighWatermark, LastStable and LogStart are offsets, -1 where unknown.
	HighWatermark, LastStable, LogStart int64
	// Aborted are the transactions whose records must be dropped, if the
	// request was for committed records; they may come in any order.
	Aborted []AbortedTransaction
	// Records is the record set, of which the last batch may be cut short. It
	// aliases the payload.
	Records []byte
}

// AbortedTransaction begins at FirstOffset and ends at the producer's next
// abort marker.
type AbortedTransaction struct {
	ProducerID  int64
	FirstOffset int64
}

// The least sizes of a topic, a partition and an aborted transaction in a
// response.
const (
	minFetchedTopic = 16 + 1 + 1
	minFetched      = 4 + 2 + 3*8 + 1 + 4 + 1 + 1
	minAborted      = 8 + 8 + 1
)

// Decode implements Response.
func (r *FetchResponse) Decode(correlationID int32, payload []byte) error {
	d := open(Fetch, correlationID, payload)
	r.ThrottleMs = d.int32()
	r.Code = d.code()
	d.int32() // session
	r.Partitions = r.Partitions[:0]
	for range d.array(minFetchedTopic) {
		topic := d.topicID()
		for range d.array(minFetched) {
			r.Partitions = append(r.Partitions, FetchedPartition{Topic: topic})
			r.Partitions[len(r.Partitions)-1].decode(&d)
		}
		d.tags()
	}
	return d.close(Fetch)
}

func (p *FetchedPartition) decode(d *decoder) {
	p.Partition = d.int32()
	p.Code = d.code()
	p.HighWatermark = d.int64()
	p.LastStable = d.int64()
	p.LogStart = d.int64()
	if n := d.array(minAborted); n > 0 {
		p.Aborted = make([]AbortedTransaction, n)
		for i := range p.Aborted {
			p.Aborted[i] = AbortedTransaction{ProducerID: d.int64(), FirstOffset: d.int64()}
			d.tags()
		}
	}
	d.int32() // preferred read replica: none without a rack
	p.Records = d.bytes()
	d.tags() // the diverging epoch and the present leader are for followers and later clients
}

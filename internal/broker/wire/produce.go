package wire

import "slices"

// ProduceRequest writes one batch to each of many partitions, to be
// acknowledged by all in-sync replicas.
type ProduceRequest struct {
	// TransactionalID is empty outside transactions.
	TransactionalID string
	// TimeoutMs is how long the leader waits for its followers.
	TimeoutMs int32
	Topics    []ProduceTopic
}

// ProduceTopic is a topic of a ProduceRequest.
type ProduceTopic struct {
	Topic      string
	Partitions []ProducePartition
}

// ProducePartition is a partition of a ProduceRequest.
type ProducePartition struct {
	Partition int32
	// Batch is one complete record batch: the broker takes no more than one.
	Batch []byte
}

const acksAll = -1

// Pieces gives the whole frame in pieces: dst, with the fields between the
// batches, which stand in meta, and the batches themselves where they are. Both
// slices are used over and returned for the next time; none of them, and no
// batch, may change while the frame is in use.
func (r *ProduceRequest) Pieces(dst [][]byte, meta []byte, correlationID int32, clientID string) (pieces [][]byte, used []byte) {
	// With room for all of it, meta stays at its place while pieces refer to it.
	e := begin(slices.Grow(meta[:0], r.metaSize(clientID)), Produce, correlationID, clientID)
	e.nullable(r.TransactionalID)
	e.int16(acksAll)
	e.int32(r.TimeoutMs)
	e.array(len(r.Topics))
	pieces, cut, size := dst[:0], 0, 0
	for i := range r.Topics {
		t := &r.Topics[i]
		e.string(t.Topic)
		e.array(len(t.Partitions))
		for _, p := range t.Partitions {
			e.int32(p.Partition)
			e.array(len(p.Batch))
			pieces = append(pieces, e.b[cut:len(e.b):len(e.b)], p.Batch)
			cut = len(e.b)
			size += len(p.Batch)
		}
	}
	meta = e.end()
	if cut < len(meta) {
		pieces = append(pieces, meta[cut:])
	}
	putSize(meta, size+len(meta)-sizeBytes)
	return pieces, meta
}

// metaSize is the size of all but the batches.
func (r *ProduceRequest) metaSize(clientID string) int {
	const header, perTopic, perPartition = 4 + 2 + 2 + 4 + 2, 2 + 4, 4 + 4
	n := header + len(clientID) + 2 + len(r.TransactionalID) + 2 + 4 + 4
	for i := range r.Topics {
		n += perTopic + len(r.Topics[i].Topic) + perPartition*len(r.Topics[i].Partitions)
	}
	return n
}

// ProduceResponse is the answer to a ProduceRequest.
type ProduceResponse struct {
	ThrottleMs int32
	Partitions []ProducedPartition
}

// ProducedPartition is the answer for one partition.
type ProducedPartition struct {
	Topic     string
	Partition int32
	Code      ErrorCode
	// BaseOffset is the offset of the batch's first record, -1 after an error.
	BaseOffset int64
	// LogAppendMs is the broker's time, -1 unless the topic uses it.
	LogAppendMs int64
	LogStart    int64
	// Refused are the records that a refused batch was refused for, and Message
	// why, as far as the broker says so.
	Refused []RefusedRecord
	Message string
}

// RefusedRecord is a record of a refused batch, by its place in the batch.
type RefusedRecord struct {
	Index   int32
	Message string
}

// The least sizes of a partition and of a refused record in a response.
const (
	minProduced = 4 + 2 + 3*8 + 4 + 2
	minRefused  = 4 + 2
)

// Decode implements Response.
func (r *ProduceResponse) Decode(correlationID int32, payload []byte) error {
	d := open(Produce, correlationID, payload)
	r.Partitions = r.Partitions[:0]
	for range d.array(2 + 4) {
		topic := d.string()
		for range d.array(minProduced) {
			p := ProducedPartition{
				Topic: topic, Partition: d.int32(), Code: d.code(),
				BaseOffset: d.int64(), LogAppendMs: d.int64(), LogStart: d.int64(),
			}
			for range d.array(minRefused) {
				p.Refused = append(p.Refused, RefusedRecord{Index: d.int32(), Message: d.string()})
			}
			p.Message = d.string()
			r.Partitions = append(r.Partitions, p)
		}
	}
	r.ThrottleMs = d.int32()
	return d.close(Produce)
}

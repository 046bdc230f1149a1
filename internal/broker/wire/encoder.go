package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// encoder appends the fields of one frame. Flexible says how lengths are
// written, so that a request reads the same in both encodings.
type encoder struct {
	b        []byte
	start    int // of the frame in b
	flexible bool
}

// begin starts a frame with the request header: version 2 of it for flexible
// requests, else 1. The client ID is never compact.
func begin(dst []byte, api APIKey, correlationID int32, clientID string) encoder {
	e := encoder{b: dst, start: len(dst)}
	e.int32(0) // the size, known at the end
	e.int16(int16(api))
	e.int16(api.Version())
	e.int32(correlationID)
	e.string(clientID)
	e.flexible = api.flexible()
	e.tags()
	return e
}

// end closes the body and gives dst with the whole frame.
func (e *encoder) end() []byte {
	e.tags()
	putSize(e.b[e.start:], len(e.b)-e.start-sizeBytes)
	return e.b
}

const sizeBytes = 4

func putSize(frame []byte, n int) {
	if n > math.MaxInt32 {
		panic(fmt.Sprintf("broken invariant: a request of %d bytes, more than its size field can hold", n))
	}
	binary.BigEndian.PutUint32(frame, uint32(n))
}

func (e *encoder) int8(v int8)   { e.b = append(e.b, byte(v)) }
func (e *encoder) int16(v int16) { e.b = binary.BigEndian.AppendUint16(e.b, uint16(v)) }
func (e *encoder) int32(v int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(v)) }
func (e *encoder) int64(v int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

func (e *encoder) bool(v bool) {
	if v {
		e.int8(1)
		return
	}
	e.int8(0)
}

// array writes the number of elements that follow.
func (e *encoder) array(n int) { e.length(n, math.MaxInt32) }

func (e *encoder) string(s string) {
	e.length(len(s), math.MaxInt16)
	e.b = append(e.b, s...)
}

func (e *encoder) topicID(id TopicID) { e.b = append(e.b, id[:]...) }

// nullable writes an empty string as null.
func (e *encoder) nullable(s string) {
	switch {
	case s != "":
		e.string(s)
	case e.flexible:
		e.b = append(e.b, 0)
	default:
		e.int16(none)
	}
}

// bytes writes nil as an empty array: no request here has a nullable one.
func (e *encoder) bytes(p []byte) {
	e.length(len(p), math.MaxInt32)
	e.b = append(e.b, p...)
}

// length writes a length of two or four bytes, by its greatest value, or a
// compact one.
func (e *encoder) length(n, greatest int) {
	if n > greatest {
		panic(fmt.Sprintf("broken invariant: %d is more than a length field can hold", n))
	}
	switch {
	case e.flexible:
		e.b = binary.AppendUvarint(e.b, uint64(n)+1)
	case greatest == math.MaxInt16:
		e.int16(int16(n))
	default:
		e.int32(int32(n))
	}
}

// tags ends a structure, with no tagged fields.
func (e *encoder) tags() {
	if e.flexible {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) int32s(v []int32) {
	e.array(len(v))
	for _, n := range v {
		e.int32(n)
	}
}

func (e *encoder) topicPartitions(topics []TopicPartitions) {
	e.array(len(topics))
	for _, t := range topics {
		e.string(t.Topic)
		e.int32s(t.Partitions)
		e.tags()
	}
}

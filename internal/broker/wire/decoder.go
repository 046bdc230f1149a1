package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrMalformed says that the bytes are no response of the kind and version that was
// asked for. The connection they came from is of no further use.
var ErrMalformed = errors.New("malformed response")

// decoder reads fields. After the first fault every read gives zero and the
// fault stays: a response is checked once, at its end.
type decoder struct {
	b        []byte
	at       int
	flexible bool
	fault    error
}

// open starts on a response and checks that it answers correlationID.
func open(api APIKey, correlationID int32, payload []byte) decoder {
	d := decoder{b: payload, flexible: api.flexible()}
	if got := d.int32(); d.fault == nil && got != correlationID {
		d.failf("it answers request %d, not %d", got, correlationID)
	}
	d.tags()
	return d
}

// close ends the body: nothing may follow. The error names api.
func (d *decoder) close(api APIKey) error {
	d.tags()
	if d.fault == nil && d.at != len(d.b) {
		d.failf("%d bytes follow it", len(d.b)-d.at)
	}
	if d.fault != nil {
		return fmt.Errorf("%v v%d: %w", api, api.Version(), d.fault)
	}
	return nil
}

func (d *decoder) failf(format string, args ...any) {
	if d.fault == nil {
		d.fault = fmt.Errorf("%w: at byte %d of %d: %s", ErrMalformed, d.at, len(d.b), fmt.Sprintf(format, args...))
	}
	d.at = len(d.b)
}

func (d *decoder) left() int { return len(d.b) - d.at }

// take gives the next n bytes, cut to their capacity, or nil.
func (d *decoder) take(n int) []byte {
	if d.fault != nil || n < 0 || n > d.left() {
		d.failf("%d bytes are wanted", n)
		return nil
	}
	p := d.b[d.at : d.at+n : d.at+n]
	d.at += n
	return p
}

func (d *decoder) int8() int8 {
	if p := d.take(1); p != nil {
		return int8(p[0])
	}
	return 0
}

func (d *decoder) int16() int16 {
	if p := d.take(2); p != nil {
		return int16(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (d *decoder) int32() int32 {
	if p := d.take(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if p := d.take(8); p != nil {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (d *decoder) bool() bool { return d.int8() != 0 }

func (d *decoder) code() ErrorCode { return ErrorCode(d.int16()) }

// uvarint reads a compact length or a tag, which have at most 32 bits.
func (d *decoder) uvarint() uint32 {
	v, n := binary.Uvarint(d.b[d.at:])
	if n <= 0 || v > math.MaxUint32 {
		d.failf("a variable-length number is wanted")
		return 0
	}
	d.at += n
	return uint32(v)
}

// length reads a length; null is -1.
func (d *decoder) length(short bool) int {
	switch {
	case d.flexible:
		return int(d.uvarint()) - 1
	case short:
		return int(d.int16())
	default:
		return int(d.int32())
	}
}

func (d *decoder) topicID() TopicID {
	var id TopicID
	copy(id[:], d.take(len(id)))
	return id
}

func (d *decoder) string() string { return string(d.rawString()) }

// rawString gives a string's bytes; null is nil.
func (d *decoder) rawString() []byte { return d.span(d.length(true)) }

func (d *decoder) bytes() []byte { return d.span(d.length(false)) }

func (d *decoder) span(n int) []byte {
	if d.fault != nil || n == none {
		return nil
	}
	return d.take(n)
}

// array reads the number of elements that follow, each of at least size
// bytes. Null is 0. More than the rest can hold is a fault, so that the number
// may be trusted when memory is set aside.
func (d *decoder) array(size int) int {
	n := d.length(false)
	if d.fault != nil || n == none {
		return 0
	}
	if n < 0 || n > d.left()/size {
		d.failf("%d elements of at least %d bytes are claimed", n, size)
		return 0
	}
	return n
}

func (d *decoder) int32s() []int32 {
	n := d.array(4)
	if n == 0 {
		return nil
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = d.int32()
	}
	return out
}

// tags skips the tagged fields at the end of a structure.
func (d *decoder) tags() {
	if !d.flexible || d.fault != nil {
		return
	}
	for n := d.uvarint(); n > 0 && d.fault == nil; n-- {
		d.uvarint()
		d.take(int(d.uvarint()))
	}
}

func (d *decoder) topicPartitions() []TopicPartitions {
	var out []TopicPartitions
	for range d.array(minTopic) {
		out = append(out, TopicPartitions{Topic: d.string(), Partitions: d.int32s()})
		d.tags()
	}
	return out
}

// minTopic is the least size of a topic with its partitions, in either
// encoding: the two lengths, compact.
const minTopic = 2

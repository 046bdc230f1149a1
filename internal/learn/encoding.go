package learn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"pulse-scorer/internal/series"
)

// encodingVersion numbers the form of AppendBinary; the features that a model was
// taught with are part of it.
const encodingVersion = 1

// Lengths of the form: version, features, whether the regression has started,
// then the numbers, little-endian.
const (
	headerSize = 3
	plainSize  = headerSize + 8*6
	wholeSize  = plainSize + 8*(1+inputs+products)
)

// errForm is for bytes that AppendBinary did not write.
var errForm = errors.New("learn: not a model of this build")

// CopyFrom makes m equal to other; they share nothing.
func (m *Model) CopyFrom(other *Model) { *m = *other }

// Size is the bytes of memory that the model takes.
func (m *Model) Size() int { return int(unsafe.Sizeof(*m)) }

// AppendBinary implements encoding.BinaryAppender: at most 4,600 bytes, which
// bring back exactly this model.
func (m *Model) AppendBinary(dst []byte) ([]byte, error) {
	started := byte(0)
	if m.regression.started {
		started = 1
	}
	dst = append(dst, encodingVersion, series.FeatureVersion, started)
	dst = binary.LittleEndian.AppendUint64(dst, m.scores)
	dst = binary.LittleEndian.AppendUint64(dst, m.accuracy.Forecasts)
	dst = appendFloats(dst, m.typical, m.accuracy.Model, m.accuracy.Last, m.accuracy.Mean)
	if started == 1 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(m.regression.turn))
		dst = appendFloats(dst, m.regression.weights[:]...)
		dst = appendFloats(dst, m.regression.covariance[:]...)
	}
	return dst, nil
}

func appendFloats(dst []byte, xs ...float64) []byte {
	for _, x := range xs {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. It refuses what
// AppendBinary cannot have written, also models of other features; m is as it was
// then.
func (m *Model) UnmarshalBinary(data []byte) error {
	want := plainSize
	if len(data) >= headerSize && data[2] == 1 {
		want = wholeSize
	}
	if len(data) != want || data[0] != encodingVersion || data[1] != series.FeatureVersion || data[2] > 1 {
		return fmt.Errorf("%w: %d bytes", errForm, len(data))
	}
	r := reader{rest: data[headerSize:]}
	n := Model{scores: r.uint64()}
	n.accuracy.Forecasts = r.uint64()
	for _, x := range []*float64{&n.typical, &n.accuracy.Model, &n.accuracy.Last, &n.accuracy.Mean} {
		*x = r.float64()
	}
	if data[2] == 1 {
		n.regression.started = true
		turn := r.uint64()
		for i := range n.regression.weights {
			n.regression.weights[i] = r.float64()
		}
		for i := range n.regression.covariance {
			n.regression.covariance[i] = r.float64()
		}
		n.regression.turn = uint32(turn % inputs)
		r.bad = r.bad || turn >= inputs || !n.regression.sound()
	}
	if r.bad || !n.plausible() {
		return fmt.Errorf("%w: its numbers are none a model comes to", errForm)
	}
	*m = n
	return nil
}

// plausible says whether the sums fit the counts.
func (m *Model) plausible() bool {
	a := &m.accuracy
	// Rounding adds less than one part in a thousand.
	most := float64(a.Forecasts) * 1.001
	const countable = 1 << 53 // as far as float64 counts
	return m.scores <= countable && a.Forecasts <= m.scores && isShare(m.typical) &&
		min(a.Model, a.Last, a.Mean) >= 0 && max(a.Model, a.Last, a.Mean) <= most
}

type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uint64() uint64 {
	x := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return x
}

func (r *reader) float64() float64 {
	x := math.Float64frombits(r.uint64())
	r.bad = r.bad || math.IsNaN(x) || math.IsInf(x, 0)
	return x
}

package learn

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"
)

// CopyFrom makes m equal to other.
func (m *Model) CopyFrom(other *Model) { *m = *other }

// Size is about how many bytes of memory the model takes.
func (m *Model) Size() int { return int(unsafe.Sizeof(*m)) }

// AppendBinary implements encoding.BinaryAppender.
func (m *Model) AppendBinary(dst []byte) ([]byte, error) {
	started := byte(0)
	if m.regression.started {
		started = 1
	}
	dst = append(dst, 1, started)
	dst = binary.LittleEndian.AppendUint64(dst, m.accuracy.Forecasts)
	dst = appendFloats(dst, m.accuracy.Model, m.accuracy.Last, m.accuracy.Mean)
	dst = appendFloats(dst, m.regression.weights[:]...)
	for i := range m.regression.covariance {
		dst = appendFloats(dst, m.regression.covariance[i][:]...)
	}
	return dst, nil
}

func appendFloats(dst []byte, xs ...float64) []byte {
	for _, x := range xs {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (m *Model) UnmarshalBinary(data []byte) error {
	const size = 2 + 8*(4+inputs+inputs*inputs)
	if len(data) != size || data[0] != 1 {
		return errors.New("learn: not the form this build writes")
	}
	m.regression.started = data[1] == 1
	at := 2
	next := func() uint64 {
		at += 8
		return binary.LittleEndian.Uint64(data[at-8:])
	}
	m.accuracy.Forecasts = next()
	for _, x := range []*float64{&m.accuracy.Model, &m.accuracy.Last, &m.accuracy.Mean} {
		*x = math.Float64frombits(next())
	}
	for i := range m.regression.weights {
		m.regression.weights[i] = math.Float64frombits(next())
	}
	for i := range m.regression.covariance {
		for j := range m.regression.covariance[i] {
			m.regression.covariance[i][j] = math.Float64frombits(next())
		}
	}
	return nil
}

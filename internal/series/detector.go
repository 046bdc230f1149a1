package series

import (
	"encoding/binary"
	"errors"
	"math"
)

// detector scores a value by its distance from the short run.
type detector struct{ run location }

func (d *detector) Next(_ int64, value float64) float64 {
	z := math.Abs(d.run.measure(value))
	d.run.observe(value, fastRate)
	return z / maxDeviations
}

func (d *detector) CopyFrom(other *detector) { *d = *other }

func (d *detector) Size() int { return 16 }

func (d *detector) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(d.run.mean))
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(d.run.half)), nil
}

func (d *detector) UnmarshalBinary(b []byte) error {
	if len(b) != 16 {
		return errors.New("detector: not 16 bytes")
	}
	d.run.mean = math.Float64frombits(binary.LittleEndian.Uint64(b))
	d.run.half = math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	return nil
}

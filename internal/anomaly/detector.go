package anomaly

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// DefaultThreshold is the score from which a value counts as an anomaly.
const DefaultThreshold = 0.999

const (
	version = 0
	encoded = 1 + 4*8
	warmUp  = 50
	rate    = 1.0 / 50
)

// Detector scores the values of one series. Its zero value is a new series.
// It is not for concurrent use.
type Detector struct {
	count          uint64
	mean, variance float64
	at             int64
}

// Next scores value, which was observed at atMicros (microseconds since 1970),
// and learns it. The score is in [0,1], and 0 while the series is too young.
func (d *Detector) Next(atMicros int64, value float64) (score float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0
	}
	value = math.Max(-1e150, math.Min(1e150, value))
	delta := value - d.mean
	if d.count >= warmUp && d.variance > 0 {
		score = math.Erf(math.Abs(delta) / math.Sqrt(d.variance) / math.Sqrt2)
	}
	step := max(rate, 1/(float64(d.count)+1))
	d.mean += float64(step * delta)
	d.variance = float64((1 - step) * (d.variance + float64(step*float64(delta*delta))))
	d.count++
	d.at = atMicros
	return score
}

// CopyFrom makes d a deep copy of o.
func (d *Detector) CopyFrom(o *Detector) { *d = *o }

// AppendBinary appends the detector's exact state to dst.
func (d *Detector) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, version)
	dst = binary.LittleEndian.AppendUint64(dst, d.count)
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(d.mean))
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(d.variance))
	return binary.LittleEndian.AppendUint64(dst, uint64(d.at)), nil
}

// UnmarshalBinary restores what AppendBinary wrote; d is unchanged on error.
func (d *Detector) UnmarshalBinary(src []byte) error {
	if len(src) != encoded {
		return fmt.Errorf("detector state has %d bytes, want %d", len(src), encoded)
	}
	if src[0] != version {
		return fmt.Errorf("detector state has version %d, want %d", src[0], version)
	}
	mean := math.Float64frombits(binary.LittleEndian.Uint64(src[9:]))
	variance := math.Float64frombits(binary.LittleEndian.Uint64(src[17:]))
	if math.IsNaN(mean) || math.IsInf(mean, 0) || !(variance >= 0) || math.IsInf(variance, 0) {
		return errors.New("detector state holds numbers that are not finite")
	}
	d.count = binary.LittleEndian.Uint64(src[1:])
	d.mean, d.variance = mean, variance
	d.at = int64(binary.LittleEndian.Uint64(src[25:]))
	return nil
}

// Size is the number of bytes that the detector holds, itself included.
func (d *Detector) Size() int { return int(unsafe.Sizeof(*d)) }

package series

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// The forms of the states as bytes. Each begins with its version, has fixed
// places for all numbers, little-endian, and is refused when it could not have
// been written: another length, a number that is not finite, a share outside
// [0,1].
const (
	seriesVersion = 1
	sourceVersion = 1
)

// errForm is for bytes that no Append wrote.
var errForm = errors.New("not the form this build writes")

// CopyFrom makes s equal to other; they share nothing then.
func (s *Series) CopyFrom(other *Series) {
	kept := s.detector
	*s = *other
	s.detector = kept
	s.detector.CopyFrom(&other.detector)
}

// Size is about how many bytes of memory the series takes.
func (s *Series) Size() int { return int(unsafe.Sizeof(*s)) + s.detector.Size() }

// AppendBinary implements encoding.BinaryAppender.
func (s *Series) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, seriesVersion)
	c, l, t := &s.cadence, &s.level, &s.trust
	dst = appendInts(dst, uint64(c.newest), //nolint:gosec // G115: its bits, which come back as they are
		uint64(c.gaps), uint64(c.observed), uint64(l.at), uint64(l.count), uint64(t.count))
	dst = appendFloats(dst, c.usual, c.long, c.gap, l.slow.mean, l.slow.half, l.fast.mean, l.fast.half, l.z,
		t.last, t.previous, t.third, t.mean, t.recent, t.err, s.anomaly)
	dst = appendFloats(dst, l.last[:]...)
	dst, err := s.detector.AppendBinary(dst)
	if err != nil {
		return dst, fmt.Errorf("series: detector: %w", err)
	}
	return dst, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. When it fails, s is as it
// was.
func (s *Series) UnmarshalBinary(data []byte) error {
	r := reader{rest: data}
	r.version(seriesVersion)
	var n Series
	c, l, t := &n.cadence, &n.level, &n.trust
	c.newest = int64(r.uint64()) //nolint:gosec // G115: the bits as they were
	c.gaps, c.observed = r.count(), r.count()
	l.at, l.count, t.count = r.count(), r.count(), r.count()
	for _, x := range []*float64{
		&c.usual, &c.long, &c.gap, &l.slow.mean, &l.slow.half, &l.fast.mean, &l.fast.half, &l.z,
		&t.last, &t.previous, &t.third, &t.mean, &t.recent, &t.err, &n.anomaly,
	} {
		*x = r.float64()
	}
	for i := range l.last {
		l.last[i] = r.float64()
	}
	if r.bad || !n.valid() {
		return fmt.Errorf("series: %w", errForm)
	}
	if err := n.detector.UnmarshalBinary(r.rest); err != nil {
		return fmt.Errorf("series: detector: %w", err)
	}
	s.CopyFrom(&n)
	return nil
}

// valid says whether calls could have led to the numbers of s.
func (s *Series) valid() bool {
	c, l, t := &s.cadence, &s.level, &s.trust
	for _, x := range [...]float64{t.last, t.previous, t.third, t.mean, t.recent, t.err, s.anomaly} {
		if !isShare(x) {
			return false
		}
	}
	return c.valid() && l.at < lags && min(l.slow.half, l.fast.half) >= 0 && math.Abs(l.z) <= maxDeviations
}

func (c *cadence) valid() bool {
	if c.observed == 0 && (c.gaps > 0 || c.newest != 0) || c.observed > 1 {
		return false
	}
	return min(c.usual, c.long, c.gap) >= 0 && (c.gaps > 0) == (c.usual > 0) && (c.usual > 0) == (c.long > 0)
}

// AppendBinary implements encoding.BinaryAppender.
func (s *Source) AppendBinary(dst []byte) ([]byte, error) {
	return appendFloats(append(dst, sourceVersion), s.bad, s.level, s.before, s.third), nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. When it fails, s is as it
// was.
func (s *Source) UnmarshalBinary(data []byte) error {
	r := reader{rest: data}
	r.version(sourceVersion)
	n := Source{bad: r.float64(), level: r.float64(), before: r.float64(), third: r.float64()}
	widest := max(math.Abs(n.level), math.Abs(n.before), math.Abs(n.third))
	if r.bad || len(r.rest) > 0 || !isShare(n.bad) || widest > maxDeviations {
		return fmt.Errorf("source: %w", errForm)
	}
	*s = n
	return nil
}

func appendInts(dst []byte, xs ...uint64) []byte {
	for _, x := range xs {
		dst = binary.LittleEndian.AppendUint64(dst, x)
	}
	return dst
}

func appendFloats(dst []byte, xs ...float64) []byte {
	for _, x := range xs {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

// reader reads places in order; bad is set by the first that cannot be.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) version(want byte) {
	if len(r.rest) == 0 || r.rest[0] != want {
		r.bad = true
		return
	}
	r.rest = r.rest[1:]
}

func (r *reader) uint64() uint64 {
	if r.bad || len(r.rest) < 8 {
		r.bad = true
		return 0
	}
	x := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return x
}

func (r *reader) count() uint32 {
	x := r.uint64()
	if x > maxCount {
		r.bad = true
		return 0
	}
	return uint32(x)
}

func (r *reader) float64() float64 {
	x := math.Float64frombits(r.uint64())
	if math.IsNaN(x) || math.IsInf(x, 0) {
		r.bad = true
		return 0
	}
	return x
}

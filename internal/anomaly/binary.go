package anomaly

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// The encoded form, version 1, little endian; "u" is an unsigned and "i" a
// signed varint:
//
//	version and flags, a byte each
//	u count, u n, i unit, i visit, u visitCount, u rest
//	8 float64: visitMean, level, fast, slow, centre, recent, calm, peak
//	season, if flagged: u seenHours, 3 u seenDays, a float64 for each hour
//	  seen, a float32 for each day seen
//	novelty, if flagged, for each statistic: used (a byte), u fresh, i top,
//	  used pairs of float32, u with a bit for each count that is not 0, a u
//	  for each of these
const (
	version = 1

	flagUnit    = 1 << 0
	flagSeason  = 1 << 1
	flagNovelty = 1 << 2
	allFlags    = flagUnit | flagSeason | flagNovelty

	// mostMagnitude bounds every stored number: values are below 2^headroom units, and
	// differences of sums of them not far above.
	mostMagnitude = 1 << (headroom + 4)
)

// AppendBinary appends the detector's state to dst: what UnmarshalBinary
// makes of it goes on exactly alike. The error is always nil.
func (d *Detector) AppendBinary(dst []byte) ([]byte, error) {
	flags := byte(0)
	if d.unitSet {
		flags |= flagUnit
	}
	if d.season != nil {
		flags |= flagSeason
	}
	if d.novelty != nil {
		flags |= flagNovelty
	}
	dst = append(dst, version, flags)
	dst = binary.AppendUvarint(dst, d.count)
	dst = binary.AppendUvarint(dst, uint64(d.n))
	dst = binary.AppendVarint(dst, int64(d.unit))
	dst = binary.AppendVarint(dst, d.visit)
	dst = binary.AppendUvarint(dst, uint64(d.visitCount))
	dst = binary.AppendUvarint(dst, uint64(d.episode.rest))
	for _, x := range [...]float64{d.visitMean, d.level, d.fast, d.slow, d.centre, d.recent, d.calm, d.episode.peak} {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	if d.season != nil {
		dst = d.season.append(dst)
	}
	if d.novelty != nil {
		for i := range d.novelty {
			dst = d.novelty[i].append(dst)
		}
	}
	return dst, nil
}

func (s *season) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(s.seenHours))
	for _, seen := range s.seenDays {
		dst = binary.AppendUvarint(dst, seen)
	}
	for h, x := range s.hours {
		if s.seenHours>>h&1 != 0 {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
		}
	}
	for h := range s.days {
		if s.seenDays[h/64]>>(h%64)&1 != 0 {
			dst = appendFloat32(dst, s.days[h])
		}
	}
	return dst
}

func (m *novelty) append(dst []byte) []byte {
	dst = append(dst, m.used)
	dst = binary.AppendUvarint(dst, uint64(m.fresh))
	dst = binary.AppendVarint(dst, int64(m.top))
	for _, seen := range m.seen[:m.used] {
		dst = appendFloat32(appendFloat32(dst, seen.low), seen.high)
	}
	filled := uint64(0)
	for i, n := range m.counts {
		if n != 0 {
			filled |= 1 << i
		}
	}
	dst = binary.AppendUvarint(dst, filled)
	for _, n := range m.counts {
		if n != 0 {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
	}
	return dst
}

func appendFloat32(dst []byte, x float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
}

// UnmarshalBinary makes d what AppendBinary wrote. It returns an error, and leaves d as
// it was, for bytes that no AppendBinary could have written: another
// version, a piece missing or left over, numbers out of their range.
func (d *Detector) UnmarshalBinary(src []byte) error {
	if len(src) < 2 {
		return fmt.Errorf("detector state of %d bytes is too short", len(src))
	}
	if src[0] != version {
		return fmt.Errorf("detector state has version %d, this program knows %d", src[0], version)
	}
	r := reader{rest: src[2:]}
	var read Detector
	r.detector(&read, src[1])
	if r.fault == nil && len(r.rest) > 0 {
		r.fault = fmt.Errorf("%d bytes are left over", len(r.rest))
	}
	if r.fault != nil {
		return fmt.Errorf("detector state: %w", r.fault)
	}
	*d = read
	return nil
}

var errShort = errors.New("it ends too early")

// reader takes pieces off rest; after a fault it gives zeros.
type reader struct {
	rest  []byte
	fault error
}

func (r *reader) detector(d *Detector, flags byte) {
	r.check(flags&^allFlags == 0, "flags")
	d.unitSet = flags&flagUnit != 0
	d.count = r.unsigned(math.MaxUint64, "count")
	d.n = uint32(r.unsigned(min(horizon-1, d.count), "counted values"))
	d.unit = int32(r.signed(-1073, 1024, "unit"))
	d.visit = r.signed(math.MinInt64/hour-1, math.MaxInt64/hour, "visit")
	d.visitCount = uint32(r.unsigned(min(math.MaxUint32, d.count), "values of a visit"))
	d.episode.rest = uint16(r.unsigned(longestRest, "rest"))
	for _, x := range [...]*float64{&d.visitMean, &d.level, &d.fast, &d.slow, &d.centre, &d.recent, &d.calm, &d.episode.peak} {
		*x = r.float64()
	}
	r.check(d.recent >= 0 && d.calm >= 0 && d.episode.peak >= 0, "a mean distance or peak below 0")
	if flags&flagSeason != 0 {
		d.season = r.season()
	}
	if flags&flagNovelty != 0 {
		d.novelty = new([statistics]novelty)
		for i := range d.novelty {
			r.novelty(&d.novelty[i], d.n)
		}
	}
}

func (r *reader) season() *season {
	s := new(season)
	s.seenHours = uint32(r.unsigned(1<<day-1, "hours"))
	for i := range s.seenDays {
		s.seenDays[i] = r.unsigned(1<<min(64, week-64*i)-1, "days")
	}
	for h := range s.hours {
		if s.seenHours>>h&1 != 0 {
			s.hours[h] = r.float64()
		}
	}
	for h := range s.days {
		if s.seenDays[h/64]>>(h%64)&1 != 0 {
			s.days[h] = r.float32()
		}
	}
	return s
}

func (r *reader) novelty(m *novelty, n uint32) {
	used := r.take(1)
	if used == nil {
		return
	}
	if r.check(used[0] <= intervals, "number of intervals"); r.fault != nil {
		return
	}
	m.used = used[0]
	m.fresh = uint16(r.unsigned(1<<m.used-1, "fresh intervals"))
	m.top = int16(r.signed(-mostTop, mostTop, "largest distance"))
	last := float32(math.Inf(-1))
	for i := range m.seen[:m.used] {
		low, high := r.float32(), r.float32()
		r.check(last <= low && low <= high, "order of intervals")
		m.seen[i] = interval{low: low, high: high}
		last = high
	}
	filled := r.unsigned(1<<bins-1, "filled bins")
	for left := uint64(n); filled != 0; filled &= filled - 1 {
		i := bits.TrailingZeros64(filled)
		m.counts[i] = uint16(r.unsigned(left, "counts"))
		r.check(m.counts[i] > 0, "an empty bin among the filled")
		left -= uint64(m.counts[i])
	}
}

func (r *reader) unsigned(most uint64, what string) uint64 {
	x, n := binary.Uvarint(r.rest)
	return advance(r, x, n, x <= most, what)
}

func (r *reader) signed(least, most int64, what string) int64 {
	x, n := binary.Varint(r.rest)
	return advance(r, x, n, least <= x && x <= most, what)
}

// advance takes a varint x of n bytes off r; n is not positive if there is none.
func advance[T int64 | uint64](r *reader, x T, n int, ok bool, what string) T {
	r.check(n > 0, "a number of "+what)
	r.check(ok, what)
	if r.fault != nil {
		return 0
	}
	r.rest = r.rest[n:]
	return x
}

func (r *reader) float64() float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return r.bounded(math.Float64frombits(binary.LittleEndian.Uint64(b)))
}

func (r *reader) float32() float32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return float32(r.bounded(float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))))
}

func (r *reader) bounded(x float64) float64 {
	r.check(math.Abs(x) <= mostMagnitude, "a number of impossible size")
	if r.fault != nil {
		return 0
	}
	return x
}

// take returns the next n bytes, nil if there are not as many.
func (r *reader) take(n int) []byte {
	if r.fault == nil && len(r.rest) < n {
		r.fault = errShort
	}
	if r.fault != nil {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// check notes the first fault.
func (r *reader) check(ok bool, what string) {
	if !ok && r.fault == nil {
		r.fault = errors.New(what + " cannot be")
	}
}

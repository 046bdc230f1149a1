package pulse

import "time"

// MinMicros and MaxMicros are the first and last microsecond a decoded
// Timestamp can have: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z,
// the years RFC 3339 and the old system can write. Its local date lies in these
// years too.
const (
	MinMicros = -62_135_596_800_000_000
	MaxMicros = 253_402_300_799_999_999
)

// Timestamp is an instant with the offset it was written with. Digits beyond
// microseconds are cut off on the way in, as the old system did (scoring
// semantics, "Recency").
type Timestamp struct {
	// Micros since 1970-01-01T00:00:00Z.
	Micros int64
	// Offset from UTC in minutes, east positive, -1439..1439.
	Offset int16
}

// Time returns the instant in a zone of its offset.
func (t Timestamp) Time() time.Time {
	u := time.UnixMicro(t.Micros)
	if t.Offset == 0 {
		return u.UTC()
	}
	return u.In(time.FixedZone("", int(t.Offset)*60))
}

// AppendRFC3339 appends the instant as YYYY-MM-DDTHH:MM:SS[.ffffff]±HH:MM with
// its own offset; UTC is written +00:00, and the six fraction digits only when
// the microseconds are not zero. This is the text form the old system wrote.
func (t Timestamp) AppendRFC3339(dst []byte) []byte { return new(Day).AppendRFC3339(dst, t) }

// AppendMillis appends a Kafka timestamp, in milliseconds since 1970, as
// YYYY-MM-DDTHH:MM:SS.fffZ. Years before 0000 and after 9999 have no such form
// and are written as the nearest year.
func AppendMillis(dst []byte, ms int64) []byte { return new(Day).AppendMillis(dst, ms) }

// Day writes instants like the functions of these names, and remembers the date of
// the last one: most of a stream are of the same day, and the calendar is most of
// the work. The zero Day is ready for use. It is not for concurrent use.
type Day struct {
	number int64
	known  bool
	text   [len("2006-01-02T")]byte
}

// AppendRFC3339 is Timestamp.AppendRFC3339.
func (d *Day) AppendRFC3339(dst []byte, t Timestamp) []byte {
	const micro = 1_000_000
	secs, frac := floorDiv(t.Micros+int64(t.Offset)*60*micro, micro)
	dst = d.append(dst, secs)
	if frac != 0 {
		dst = append2(append2(append2(append(dst, '.'), uint32(frac/10_000)), uint32(frac/100%100)), uint32(frac%100)) //nolint:gosec // G115: below a million
	}
	if t.Offset == 0 {
		return append(dst, "+00:00"...)
	}
	sign, off := byte('+'), int32(t.Offset)
	if off < 0 {
		sign, off = '-', -off
	}
	dst = append2(append(dst, sign), uint32(off/60)) //nolint:gosec // G115: not negative
	return append2(append(dst, ':'), uint32(off%60)) //nolint:gosec // G115: not negative
}

// AppendMillis is the function of this name.
func (d *Day) AppendMillis(dst []byte, ms int64) []byte {
	secs, frac := floorDiv(ms, 1000)
	dst = append(d.append(dst, secs), '.', byte('0'+frac/100)) //nolint:gosec // G115: a digit
	return append(append2(dst, uint32(frac%100)), 'Z')         //nolint:gosec // G115: below 100
}

// append appends YYYY-MM-DDTHH:MM:SS.
func (d *Day) append(dst []byte, secs int64) []byte {
	const day = 86400
	sec := secs - d.number*day
	if !d.known || sec < 0 || sec >= day {
		d.number, sec = floorDiv(secs, day)
		d.known = true
		y, m, md := civil(d.number)
		// No decoded timestamp is outside these years (MinMicros, MaxMicros); a made
		// up one is written as the nearest year there is.
		y = max(0, min(9999, y))
		date := append2(append2(d.text[:0], uint32(y/100)), uint32(y%100))
		date = append2(append(date, '-'), uint32(m))  //nolint:gosec // G115: 1 to 12
		date = append2(append(date, '-'), uint32(md)) //nolint:gosec // G115: 1 to 31
		_ = append(date, 'T')
	}
	s := uint32(sec) //nolint:gosec // G115: less than a day
	dst = append2(append(dst, d.text[:]...), s/3600)
	dst = append2(append(dst, ':'), s/60%60)
	return append2(append(dst, ':'), s%60)
}

// floorDiv divides by a positive number; the rest is never negative.
func floorDiv(n, by int64) (quotient, rest int64) {
	quotient, rest = n/by, n%by
	if rest < 0 {
		quotient, rest = quotient-1, rest+by
	}
	return quotient, rest
}

// String is AppendRFC3339 as a string.
func (t Timestamp) String() string { return string(t.AppendRFC3339(nil)) }

// append2 appends two digits of a number below 100.
func append2(dst []byte, n uint32) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10)) //nolint:gosec // G115: digits
}

// civil turns days since 1970-01-01 into a proleptic Gregorian date.
// Algorithm: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
// civil_from_days.
func civil(day int64) (y, m, d int) {
	z := day + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp + 3)
	if m > 12 {
		m -= 12
	}
	y = int(yoe + era*400)
	if m <= 2 {
		y++
	}
	return y, m, d
}

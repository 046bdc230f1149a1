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
func (t Timestamp) AppendRFC3339(dst []byte) []byte {
	const micro = 1_000_000
	secs, frac := floorDiv(t.Micros+int64(t.Offset)*60*micro, micro)
	dst = appendDateTime(dst, secs)
	if frac != 0 {
		dst = append(dst, '.')
		for div := int64(100_000); div > 0; div /= 10 {
			dst = append(dst, byte('0'+frac/div%10))
		}
	}
	off := int(t.Offset)
	if off < 0 {
		dst = append(dst, '-')
		off = -off
	} else {
		dst = append(dst, '+')
	}
	dst = append2(dst, off/60)
	dst = append(dst, ':')
	return append2(dst, off%60)
}

// AppendMillis appends a Kafka timestamp, in milliseconds since 1970, as
// YYYY-MM-DDTHH:MM:SS.fffZ. Years before 0000 and after 9999 have no such form
// and are written as the nearest year.
func AppendMillis(dst []byte, ms int64) []byte {
	secs, frac := floorDiv(ms, 1000)
	dst = appendDateTime(dst, secs)
	dst = append(dst, '.', byte('0'+frac/100)) //nolint:gosec // G115: a digit
	dst = append2(dst, int(frac%100))
	return append(dst, 'Z')
}

// appendDateTime appends YYYY-MM-DDTHH:MM:SS.
func appendDateTime(dst []byte, secs int64) []byte {
	day, sec := floorDiv(secs, 86400)
	y, m, d := civil(day)
	dst = appendYear(dst, y)
	dst = append(dst, '-')
	dst = append2(dst, m)
	dst = append(dst, '-')
	dst = append2(dst, d)
	dst = append(dst, 'T')
	dst = append2(dst, int(sec/3600))
	dst = append(dst, ':')
	dst = append2(dst, int(sec/60%60))
	dst = append(dst, ':')
	return append2(dst, int(sec%60))
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

func append2(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10)) //nolint:gosec // G115: a digit
}

func appendYear(dst []byte, y int) []byte {
	if y < 0 || y > 9999 {
		// No decoded timestamp comes here (MinMicros, MaxMicros); a made
		// up one is written as the nearest year there is.
		y = max(0, min(9999, y))
	}
	return append2(append2(dst, y/100), y%100)
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

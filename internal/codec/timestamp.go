package codec

import "pulse-scorer/internal/pulse"

// millisAbove is the epoch number above which milliseconds are meant, by
// contract. As seconds it is the year 5138; as milliseconds, March 1973.
const millisAbove = 100_000_000_000

// epoch reads a number as seconds, or as milliseconds when above millisAbove.
// ok is false when that lies outside the years a Timestamp can have.
func (n number) epoch() (t pulse.Timestamp, ok bool) {
	power := 6
	if whole, _, fraction := n.split(0); !n.neg && (whole > millisAbove || whole == millisAbove && fraction) {
		power = 3
	}
	whole, half, _ := n.split(power)
	if whole > pulse.MaxMicros {
		return t, false
	}
	micros := int64(whole)
	if half {
		micros++
	}
	if n.neg {
		micros = -micros
	}
	return pulse.Timestamp{Micros: micros}, inRange(micros)
}

func inRange(micros int64) bool {
	return micros >= pulse.MinMicros && micros <= pulse.MaxMicros
}

// parseDateTime reads RFC 3339 date and time, with the liberties doc.go names.
func parseDateTime(s string) (t pulse.Timestamp, ok bool) {
	const head = len("2006-01-02T15:04:05")
	if len(s) < head || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' {
		return t, false
	}
	if c := s[10]; c != 'T' && c != 't' && c != ' ' {
		return t, false
	}
	days, okDate := date(s)
	seconds, okClock := clock(s[11:])
	micros, rest, okFraction := fraction(s[head:])
	offset, okZone := zone(rest)
	if !okDate || !okClock || !okFraction || !okZone {
		return t, false
	}
	seconds += days*86400 - int64(offset)*60
	t = pulse.Timestamp{Micros: seconds*1_000_000 + micros, Offset: offset}
	return t, inRange(t.Micros)
}

// date reads the YYYY-MM-DD that s begins with as days since 1970-01-01.
func date(s string) (days int64, ok bool) {
	year := twoDigits(s, 0)*100 + twoDigits(s, 2)
	month, day := twoDigits(s, 5), twoDigits(s, 8)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	return daysSinceEpoch(year, month, day), true
}

// clock reads the HH:MM:SS that s begins with.
func clock(s string) (seconds int64, ok bool) {
	hour, minute, second := twoDigits(s, 0), twoDigits(s, 3), twoDigits(s, 6)
	if min(hour, minute, second) < 0 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	return int64(hour*3600 + minute*60 + second), true
}

// fraction reads the fraction of a second, if s begins with one, and returns
// what follows it. Digits beyond microseconds are cut off.
func fraction(s string) (micros int64, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	i := 1
	for unit := int64(100_000); i < len(s) && isDigit(s[i]); i++ {
		micros += int64(s[i]-'0') * unit
		unit /= 10
	}
	return micros, s[i:], i > 1
}

// zone reads an offset from UTC in minutes. None means UTC.
func zone(s string) (offset int16, ok bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != len("+01:00") || s[3] != ':' || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hours, minutes := twoDigits(s, 1), twoDigits(s, 4)
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset = int16(hours*60 + minutes)
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// twoDigits returns the number at s[i:i+2], or one far below zero.
func twoDigits(s string, i int) int {
	if !isDigit(s[i]) || !isDigit(s[i+1]) {
		return -1 << 20
	}
	return int(s[i]-'0')*10 + int(s[i+1]-'0')
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// daysSinceEpoch returns the days from 1970-01-01 to a date of the years 1 to
// 9999. Years are counted from March, so that the leap day is the last one.
func daysSinceEpoch(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	// 153 days are five months of 30 and 31 by turns, from March on. 719,468
	// days lie between 0000-03-01 and the epoch.
	inYear := (153*(month-3)+2)/5 + day - 1
	return int64(year*365+year/4-year/100+year/400+inYear) - 719468
}

package anomaly

const (
	day  = 24
	week = 7 * day
	hour = 3600 * 1_000_000 // microseconds
	// hourRate is what a visit weighs against those before it: a new habit is learned in days.
	hourRate = 1.0 / 3
	// firstDayRate and dayRate are the same for what is special about a day of the
	// week. The first visit does not count in full, for most days are like all days.
	firstDayRate = 2.0 / 3
	dayRate      = 1.0 / 3
)

// season knows what is usual at an hour of the day, and how the same hour of
// one day of the week differs from that. A visit is all values within one
// hour; it is learned when it is over, so that what is judged has no part in
// its own measure.
type season struct {
	hours [day]float64
	days  [week]float32
	// seenHours and seenDays have a bit for each that was visited.
	seenHours uint32
	seenDays  [3]uint64
}

// usual returns what is usual at hour h of the week: base at this hour of any
// day, and what this day adds. The flags say which of them are known.
func (s *season) usual(h int) (base, extra float64, baseKnown, extraKnown bool) {
	return s.hours[h%day], float64(s.days[h]), s.seenHours>>(h%day)&1 != 0, s.seenDays[h/64]>>(h%64)&1 != 0
}

// learn a visit to hour h of the week, in which the values had that mean.
func (s *season) learn(h int, mean float64) {
	base, extra, baseKnown, extraKnown := s.usual(h)
	if !baseKnown {
		s.hours[h%day] = mean
		s.seenHours |= 1 << (h % day)
		return
	}
	rate := dayRate
	if !extraKnown {
		rate = firstDayRate
	}
	s.days[h] = float32(toward(extra, mean-base, rate))
	s.seenDays[h/64] |= 1 << (h % 64)
	s.hours[h%day] = toward(base, mean, hourRate)
}

func (s *season) rescale(exponent int) {
	for i := range s.hours {
		s.hours[i] = ldexp(s.hours[i], exponent)
	}
	for i := range s.days {
		s.days[i] = float32(ldexp(float64(s.days[i]), exponent))
	}
}

// hourOf returns the number of the hour since 1970 in which a time lies.
func hourOf(atMicros int64) int64 {
	h := atMicros / hour
	if atMicros%hour < 0 {
		h--
	}
	return h
}

// ofWeek returns the hour of the week, 0 to 167, of an hour since 1970.
func ofWeek(h int64) int { return int((h%week + week) % week) }

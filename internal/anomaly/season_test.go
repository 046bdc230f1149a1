package anomaly

import (
	"math"
	"testing"
)

func TestSeason_LearnsHoursAndDays(t *testing.T) {
	t.Parallel()
	var s season
	for h := range 10 * week {
		mean := 10 + 5*wave(h, day)
		if h%week >= 5*day {
			mean += 8
		}
		base, extra, _, known := s.usual(h % week)
		if got := base + extra; h >= 6*week && (math.Abs(got-mean) > 0.5 || !known) {
			t.Errorf("hour %d of the week has %v usually, want about %v", h%week, got, mean)
		}
		s.learn(h%week, mean)
	}
}

func TestSeason_KnowsOnlyWhatItVisited(t *testing.T) {
	t.Parallel()
	var s season
	known := func(h int) [2]bool { _, _, base, extra := s.usual(h); return [2]bool{base, extra} }
	if known(30) != [2]bool{false, false} {
		t.Error("a new season knows hour 30")
	}
	s.learn(30, 7)
	if known(30) != [2]bool{true, false} || known(6) != [2]bool{true, false} || known(31) != [2]bool{false, false} {
		t.Error("after a visit to hour 30, the hour 6 of any day is known and nothing else")
	}
	s.learn(30+day, 9)
	if known(30+day) != [2]bool{true, true} || known(30) != [2]bool{true, false} {
		t.Error("after a second visit to hour 6, that day is known too")
	}
}

func TestHourOf_RoundsDown(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64][2]int64{
		0: {0, 0}, hour - 1: {0, 0}, hour: {1, 1}, -1: {-1, week - 1}, -hour: {-1, week - 1}, -hour - 1: {-2, week - 2},
		week * hour: {week, 0}, math.MaxInt64: {math.MaxInt64 / hour, math.MaxInt64 / hour % week},
		math.MinInt64: {math.MinInt64/hour - 1, week + math.MinInt64/hour%week - 1},
	} {
		if h := hourOf(at); h != want[0] || int64(ofWeek(h)) != want[1] {
			t.Errorf("%d µs are in hour %d, %d of the week; want %v", at, h, ofWeek(h), want)
		}
	}
}

// A visit has no part in its own measure, and ends with the hour, not with
// the hour of the day: a value a day later is another visit.
func TestNext_LearnsAVisitWhenItIsOver(t *testing.T) {
	t.Parallel()
	var d Detector
	for range 5 {
		d.Next(10*hour, 4)
	}
	if d.season != nil {
		t.Fatal("the first visit is learned before it is over")
	}
	d.Next(34*hour, 100)
	if base, _, known, _ := d.season.usual(10); !known || d.unit != 3 || base != 0.5 {
		t.Errorf("hour 10 has %v units of 2^%d, want 4", base, d.unit)
	}
}

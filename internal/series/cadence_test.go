package series

import (
	"math"
	"math/rand/v2"
	"testing"
)

const minute = 60e6

// fed is a cadence after gaps, in microseconds.
func fed(gaps ...int64) *cadence {
	c, at := new(cadence), int64(1_700_000_000_000_000)
	c.observe(at)
	for _, gap := range gaps {
		at += gap
		c.observe(at)
	}
	return c
}

func repeated(gap int64, n int) []int64 {
	gaps := make([]int64, n)
	for i := range gaps {
		gaps[i] = gap
	}
	return gaps
}

func TestCadence_ContinuityIsTheShareOfWhatWasDue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		gaps []int64
		next int64
		want float64
	}{
		{"the first two gaps are all there is", repeated(minute, 2), 100 * minute, 1},
		{"on time", repeated(minute, 50), minute, 1},
		{"early", repeated(minute, 50), minute / 10, 1},
		{"half a gap late", repeated(minute, 50), minute * 3 / 2, 1},
		{"one missed", repeated(minute, 50), 2 * minute, 1 / 1.5},
		{"ten missed", repeated(minute, 50), 11 * minute, 1 / 10.5},
		{"a day of milliseconds missed", repeated(1000, 50), 1440 * minute, 1 / (86_400_000 - 0.5)},
		{"months", []int64{31 * 1440 * minute, 28 * 1440 * minute, 31 * 1440 * minute, 30 * 1440 * minute}, 31 * 1440 * minute, 1},
		{"the same instant again", repeated(minute, 50), 0, 1},
		{"an older one", repeated(minute, 50), -5 * minute, 1},
	} {
		c := fed(tt.gaps...)
		if got := c.observe(c.newest + tt.next); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// An older observation neither hides a gap nor makes one.
func TestCadence_LateOnesLeaveTheGapAsItIs(t *testing.T) {
	t.Parallel()
	c := fed(repeated(minute, 50)...)
	newest, usual := c.newest, c.usual
	c.observe(newest - 1000*minute)
	if got := c.observe(newest + 2*minute); got != 1/1.5 || usual != minute/1e6 {
		t.Errorf("continuity %v after one that was late, usual %v", got, usual)
	}
}

// The first timestamp of a series may be anything: a clock that was not set, a first value
// that came twice.
func TestCadence_OneOddFirstGapIsNotTheUsualOne(t *testing.T) {
	t.Parallel()
	const day = 1440 * minute
	for name, odd := range map[string]int64{"a millisecond": 1000, "fifty years": 50 * 365 * day} {
		for at := range 3 {
			gaps := repeated(day, 3)
			gaps[at] = odd
			c := fed(gaps...)
			if c.usualGap() != 86_400 {
				t.Errorf("%s as gap %d: usual gap %v s", name, at, c.usualGap())
			}
			for range 5 {
				if got := c.observe(c.newest + day); got != 1 {
					t.Errorf("%s as gap %d: continuity %v of a day", name, at, got)
				}
			}
		}
	}
}

// A hundred values at once, then one a day: within two months that is the pace.
func TestCadence_APaceThatSlowsDownIsFollowed(t *testing.T) {
	t.Parallel()
	const day = 1440 * minute
	c := fed(repeated(1000, 100)...)
	for range 60 {
		c.observe(c.newest + day)
	}
	if got := c.observe(c.newest + day); got != 1 {
		t.Errorf("continuity %v, usual gap %v s", got, c.usualGap())
	}
}

// A week's end is a fifth of the gaps of working days, and usual after a year.
func TestCadence_LearnsWeekends(t *testing.T) {
	t.Parallel()
	const day = 1440 * minute
	c := fed()
	for range 52 {
		for _, gap := range []int64{day, day, day, day, 3 * day} {
			c.observe(c.newest + gap)
		}
	}
	for _, gap := range []int64{day, day, day, day, 3 * day} {
		if got := c.observe(c.newest + gap); got != 1 {
			t.Errorf("gap of %v days: continuity %v", gap/day, got)
		}
	}
	if got := c.observe(c.newest + 8*day); got > 0.5 {
		t.Errorf("a week missing: continuity %v", got)
	}
}

// One outage, however long, moves the estimates by one step.
func TestCadence_AnOutageIsNotLearned(t *testing.T) {
	t.Parallel()
	c := fed(repeated(minute, 100)...)
	c.observe(c.newest + 1_000_000*minute)
	if got := c.observe(c.newest + 3*minute); got > 0.45 {
		t.Errorf("after an outage two missed: continuity %v", got)
	}
	for range 10 { // one in ten, of any length
		for range 9 {
			c.observe(c.newest + minute)
		}
		c.observe(c.newest + 1_000_000*minute)
	}
	if got := c.usualGap(); got > 120 {
		t.Errorf("after ten outages the usual gap is %v s", got)
	}
}

// Whatever the gaps were, a longer one is never the better.
func TestCadence_IsMonotoneInTheGap(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		c := new(cadence)
		for range r.IntN(100) {
			c.observe(c.newest + int64(math.Exp(r.NormFloat64()*4)*1e6))
		}
		a, b := *c, *c
		shorter := int64(math.Exp(r.NormFloat64()*6) * 1e6)
		longer := shorter + int64(math.Exp(r.NormFloat64()*6)*1e6)
		if x, y := a.observe(c.newest+shorter), b.observe(c.newest+longer); x < y || !(y > 0) {
			t.Fatalf("gap %d: %v, gap %d: %v; %+v", shorter, x, longer, y, *c)
		}
	}
}

// A change of pace is followed: from minutes to seconds, and back.
func TestCadence_FollowsAChangeOfPace(t *testing.T) {
	t.Parallel()
	c := fed(repeated(minute, 100)...)
	for range 1000 {
		c.observe(c.newest + minute/60)
	}
	if c.usual > 1.01 || c.long > 1.01 {
		t.Errorf("seconds: usual %v, long %v", c.usual, c.long)
	}
	for range 1000 {
		c.observe(c.newest + minute)
	}
	if c.usual < 59 || c.long < 59 {
		t.Errorf("minutes again: usual %v, long %v", c.usual, c.long)
	}
}

func TestSource_ReliabilityIsTheDecayingShareOfGoodRecords(t *testing.T) {
	t.Parallel()
	var s Source
	if s.Reliability() != 1 {
		t.Errorf("new: %v", s.Reliability())
	}
	for range 1000 {
		s.Count(false)
	}
	if got := s.Reliability(); got > 0.001 {
		t.Errorf("all bad: %v", got)
	}
	for range 89 {
		s.Count(true)
	}
	if got := s.Reliability(); math.Abs(got-0.5) > 0.01 {
		t.Errorf("half of it forgotten: %v", got)
	}
	for range 20_000 {
		s.Count(true)
	}
	if got := s.Reliability(); got < 0.999999 {
		t.Errorf("all good again: %v", got)
	}
	before := s.Reliability()
	if s.Count(false); s.Reliability() >= before {
		t.Error("a bad record costs nothing")
	}
	before = s.Reliability()
	if s.Count(true); s.Reliability() <= before {
		t.Error("a good record is worth nothing")
	}
}

// A value is judged by the gaps before it: one that comes late is not made fresh by that.
func TestObserve_TellsTheUsualGapBeforeTheValue(t *testing.T) {
	t.Parallel()
	s, at := new(Series), int64(1_700_000_000_000_000)
	for range 50 {
		s.Observe(1, at)
		at += minute
	}
	if got := s.Observe(1, at+1000*minute).UsualGap; got != 60 {
		t.Errorf("usual gap %v s, want 60", got)
	}
	if got := s.Observe(1, at+1001*minute).UsualGap; !(got > 60) {
		t.Errorf("usual gap %v s after a longer one, want more than 60", got)
	}
}

package retry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pulse-scorer/internal/pulse"
)

// Settings of the tiers. The names in Validate's errors are the environment
// variables that set them.
type Settings struct {
	// Delays has one delay a tier.
	Delays []time.Duration
	// Jitter is the share of a delay that is added or taken off at random, 0 to 1.
	Jitter float64
	// Overrides has the number of tiers for classes that do not have what their
	// severity gives them: all for transient ones, none for bad ones.
	Overrides map[pulse.Class]int
	// ByKey makes later signals of a series wait behind one that is retried,
	// MaxParked at most in a task.
	ByKey     bool
	MaxParked int
}

// Validate returns all faults joined, nil when there is none. most is how many
// tiers there can be.
func (s *Settings) Validate(most int) error {
	var faults []error
	if len(s.Delays) > most {
		faults = append(faults, fmt.Errorf("PULSE_RETRY_DELAYS: has %d delays; give at most %d", len(s.Delays), most))
	}
	for _, d := range s.Delays {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("PULSE_RETRY_DELAYS: %v is not positive", d))
		}
	}
	if !(s.Jitter >= 0 && s.Jitter <= 1) {
		faults = append(faults, fmt.Errorf("PULSE_RETRY_JITTER: %v is not within 0 and 1", s.Jitter))
	}
	for class, tiers := range s.Overrides {
		switch {
		case !class.Retriable():
			faults = append(faults, fmt.Errorf("PULSE_RETRY_OVERRIDES: %q is no class that trying again can help; there are %s, %s, %s and %s",
				string(class), pulse.EnricherUnavailable, pulse.EnricherRejected, pulse.StagePanic, pulse.Unknown))
		case tiers < 0 || tiers > len(s.Delays):
			faults = append(faults, fmt.Errorf("PULSE_RETRY_OVERRIDES: %s=%d is not within 0 and the %d delays of PULSE_RETRY_DELAYS",
				class, tiers, len(s.Delays)))
		}
	}
	if s.ByKey && s.MaxParked < 1 {
		faults = append(faults, fmt.Errorf("PULSE_RETRY_MAX_PARKED: %d is not positive", s.MaxParked))
	}
	return errors.Join(faults...)
}

// ParseOverrides reads class=tiers, as PULSE_RETRY_OVERRIDES has them. It joins
// all faults; whether a class may have tiers is for Validate.
func ParseOverrides(list []string) (map[pulse.Class]int, error) {
	overrides := make(map[pulse.Class]int, len(list))
	var faults []error
	for _, text := range list {
		class, tiers, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(strings.TrimSpace(tiers))
		if !ok || err != nil {
			faults = append(faults, fmt.Errorf("PULSE_RETRY_OVERRIDES: %q is not class=tiers, as in %s=2", text, pulse.EnricherUnavailable))
			continue
		}
		overrides[pulse.Class(strings.TrimSpace(class))] = n
	}
	return overrides, errors.Join(faults...)
}

// Failure is what Next decides about.
type Failure struct {
	Class pulse.Class
	// Tier is the one the record came from, 0 for the input.
	Tier int
	// RetryAfter is how long not to try again, 0 when nobody has said.
	RetryAfter time.Duration
	// NowMs is the wall clock, Random a number from [0,1).
	NowMs  int64
	Random float64
}

// Next is where a failed record goes.
type Next struct {
	// Tier is 0 for the dead letters.
	Tier int
	// NotBeforeMs is when it is due there.
	NotBeforeMs int64
	// Exhausted: it is over because there are no tiers left, not because of what
	// it failed with.
	Exhausted bool
}

// Next decides about a failure. last are the not-before times given last, by
// tier from 1, as far as there are any.
func (s *Settings) Next(f Failure, last []int64) Next {
	allowed := s.allowed(f.Class)
	if f.Tier >= allowed {
		return Next{Exhausted: allowed > 0 || f.Class.Severity() == pulse.SeverityTransient}
	}
	tier := f.Tier + 1
	for tier < allowed && s.Delays[tier-1] < f.RetryAfter {
		tier++
	}
	due := f.NowMs + max(s.jittered(s.Delays[tier-1], f.Random), f.RetryAfter).Milliseconds()
	if tier <= len(last) {
		due = max(due, last[tier-1])
	}
	return Next{Tier: tier, NotBeforeMs: due}
}

// allowed is how many tiers a class has.
func (s *Settings) allowed(c pulse.Class) int {
	if n, ok := s.Overrides[c]; ok {
		return n
	}
	if c.Severity() == pulse.SeverityTransient {
		return len(s.Delays)
	}
	return 0
}

func (s *Settings) jittered(d time.Duration, random float64) time.Duration {
	return d + time.Duration(float64(d)*s.Jitter*(2*random-1))
}

package retry_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/retry"
)

const nowMs = 1_735_700_000_000

func defaults() retry.Settings {
	s := retry.Settings{
		Delays: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute},
		Jitter: 0.1, Overrides: make(map[pulse.Class]int),
	}
	s.Overrides[pulse.StagePanic], s.Overrides[pulse.Unknown], s.Overrides[pulse.EnricherRejected] = 1, 2, 0
	return s
}

func TestPolicy_WhereAFailureGoes(t *testing.T) {
	t.Parallel()
	s := defaults()
	unavailable := func(tier int, after time.Duration, random float64) retry.Failure {
		return retry.Failure{Class: pulse.EnricherUnavailable, Tier: tier, RetryAfter: after, NowMs: nowMs, Random: random}
	}
	for name, c := range map[string]struct {
		failure retry.Failure
		last    []int64
		want    retry.Next
	}{
		"first failure, middle of the jitter": {unavailable(0, 0, 0.5), nil, retry.Next{Tier: 1, NotBeforeMs: nowMs + 5000}},
		"least jitter":                        {unavailable(0, 0, 0), nil, retry.Next{Tier: 1, NotBeforeMs: nowMs + 4500}},
		"most jitter":                         {unavailable(1, 0, 1), nil, retry.Next{Tier: 2, NotBeforeMs: nowMs + 33_000}},
		"the last tier":                       {unavailable(3, 0, 0.5), nil, retry.Next{Tier: 4, NotBeforeMs: nowMs + 600_000}},
		"used up":                             {unavailable(4, 0, 0.5), nil, retry.Next{Exhausted: true}},
		"of a tier there is no more":          {unavailable(9, 0, 0.5), nil, retry.Next{Exhausted: true}},
		"later than the tier's last":          {unavailable(0, 0, 0.5), []int64{nowMs}, retry.Next{Tier: 1, NotBeforeMs: nowMs + 5000}},
		"never before the tier's last":        {unavailable(0, 0, 0.5), []int64{nowMs + 7000, nowMs + 90_000}, retry.Next{Tier: 1, NotBeforeMs: nowMs + 7000}},
		"another tier's last is its own":      {unavailable(1, 0, 0.5), []int64{nowMs + 70_000}, retry.Next{Tier: 2, NotBeforeMs: nowMs + 30_000}},
		"Retry-After within the tier":         {unavailable(0, 5*time.Second, 0), nil, retry.Next{Tier: 1, NotBeforeMs: nowMs + 5000}},
		"Retry-After picks the tier":          {unavailable(0, 31*time.Second, 0.5), nil, retry.Next{Tier: 3, NotBeforeMs: nowMs + 120_000}},
		"Retry-After beyond all":              {unavailable(0, time.Hour, 0.5), nil, retry.Next{Tier: 4, NotBeforeMs: nowMs + 3_600_000}},
		"Retry-After does not go back":        {unavailable(2, time.Second, 0.5), nil, retry.Next{Tier: 3, NotBeforeMs: nowMs + 120_000}},
		"bad":                                 {retry.Failure{Class: pulse.InvalidField}, nil, retry.Next{}},
		"bad with a tier of its own":          {retry.Failure{Class: pulse.StagePanic, NowMs: nowMs, Random: 0.5}, nil, retry.Next{Tier: 1, NotBeforeMs: nowMs + 5000}},
		"bad, its tier used up":               {retry.Failure{Class: pulse.StagePanic, Tier: 1}, nil, retry.Next{Exhausted: true}},
		"bad and told to have none":           {retry.Failure{Class: pulse.EnricherRejected}, nil, retry.Next{}},
		"transient with fewer tiers":          {retry.Failure{Class: pulse.Unknown, Tier: 2}, nil, retry.Next{Exhausted: true}},
		"Retry-After within fewer tiers":      {retry.Failure{Class: pulse.Unknown, RetryAfter: time.Hour, NowMs: nowMs}, nil, retry.Next{Tier: 2, NotBeforeMs: nowMs + 3_600_000}},
	} {
		if got := s.Next(c.failure, c.last); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestPolicy_WithoutTiersATransientFailureIsTheEnd(t *testing.T) {
	t.Parallel()
	s := retry.Settings{}
	if got := s.Next(retry.Failure{Class: pulse.EnricherUnavailable}, nil); got != (retry.Next{Exhausted: true}) {
		t.Errorf("got %+v", got)
	}
}

// Whatever fails how often, with whatever Retry-After: the tiers go up, the
// times of each do not go back and are never before what was asked for.
func TestPolicy_AlwaysComesToAnEnd(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	s := defaults()
	last, now := make([]int64, len(s.Delays)), int64(nowMs)
	for range 2000 {
		class := []pulse.Class{pulse.EnricherUnavailable, pulse.Unknown, pulse.StagePanic, "new"}[r.IntN(4)]
		for tier, n := 0, 0; ; n++ {
			now += r.Int64N(2000) - 500 // wall clocks go back, too
			f := retry.Failure{Class: class, Tier: tier, NowMs: now, Random: r.Float64(), RetryAfter: time.Duration(r.IntN(3)) * time.Duration(r.Int64N(int64(time.Hour)))}
			next := s.Next(f, last)
			if n > len(s.Delays) || next.Tier != 0 && next.Tier <= tier {
				t.Fatalf("failure %d in tier %d: %+v", n, tier, next)
			}
			if next.Tier == 0 {
				if !next.Exhausted {
					t.Fatalf("%+v after %+v", next, f)
				}
				break
			}
			least := now + max(s.Delays[next.Tier-1]*9/10, f.RetryAfter).Milliseconds()
			if next.NotBeforeMs < last[next.Tier-1] || next.NotBeforeMs < least {
				t.Fatalf("%+v after %+v: before %d or %d", next, f, last[next.Tier-1], least)
			}
			tier, last[next.Tier-1] = next.Tier, next.NotBeforeMs
		}
	}
}

func TestSettings_ValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	s := retry.Settings{
		Delays: []time.Duration{time.Second, 0, time.Second}, Jitter: 1.1, ByKey: true, Overrides: make(map[pulse.Class]int),
	}
	s.Overrides[pulse.MalformedJSON], s.Overrides[pulse.StagePanic] = 1, 4
	err := s.Validate(2)
	for _, want := range []string{"has 3 delays", "0s is not positive", "PULSE_RETRY_JITTER", "malformed_json", "stage_panic=4", "PULSE_RETRY_MAX_PARKED"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want it to name %s", err, want)
		}
	}
	if good := defaults(); good.Validate(4) != nil {
		t.Errorf("defaults: %v", good.Validate(4))
	}
}

func TestParseOverrides_ReadsClassesAndTiers(t *testing.T) {
	t.Parallel()
	got, err := retry.ParseOverrides([]string{"stage_panic=1", " enricher_unavailable = 0"})
	if err != nil || len(got) != 2 || got[pulse.StagePanic] != 1 || got[pulse.EnricherUnavailable] != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = retry.ParseOverrides([]string{"stage_panic", "=", "a=b"})
	for _, want := range []string{`"stage_panic" is not`, `"=" is not`, `"a=b" is not`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
}

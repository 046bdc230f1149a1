package bench

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestReport_ShowsTheServiceBesideKafkaStreams(t *testing.T) {
	t.Parallel()
	r := Report{Load: UsualLoad(), Length: time.Second}
	felt := Felt{Rate: 1000}
	for _, s := range []struct{ service, streams time.Duration }{
		{time.Second, 10 * time.Second}, {time.Second, 12 * time.Second}, {2 * time.Second, 16 * time.Second},
	} {
		// A second, one of processor time and 100 MB go together.
		one := func(d time.Duration) Measured {
			return Measured{Records: 1e6, Took: d, Usage: Usage{User: d, PeakBytes: int64(d.Seconds() * 100e6)}}
		}
		round, seen := make(Round), make(FeltRound)
		round[Service], round[Streams] = one(s.service), one(s.streams)
		seen[Streams] = FeltOne{Latency: Latency{P50: s.streams / 1000, P99: s.streams / 500, P999: s.streams / 250}}
		r.Rounds, felt.Rounds = append(r.Rounds, round), append(felt.Rounds, seen)
	}
	r.Felt = []Felt{felt}
	got := written(t, &r)
	for _, want := range []string{
		"streams   83 (62 to 100)   12.00 (10.00 to 16.00)   1200 (1000 to 1600)",
		"service / streams   10.00 (8.00 to 12.00)   0.10 (0.08 to 0.12)   0.10 (0.08 to 0.12)",
		"1000/s, streams   12.0 (10.0 to 16.0)   24.0 (20.0 to 32.0)   48.0 (40.0 to 64.0)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for i := range r.Rounds {
		delete(r.Rounds[i], Streams)
		delete(felt.Rounds[i], Streams)
	}
	if got := written(t, &r); strings.Contains(got, "streams") {
		t.Errorf("it has not taken part, and yet:\n%s", got)
	}
}

// written is a report with its columns three spaces apart.
func written(t *testing.T, r *Report) string {
	t.Helper()
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(` {3,}`).ReplaceAllString(text.String(), "   ")
}

func TestTakesPart_WhoIsThereAndNotLeftOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program string
		without bool
		want    bool
	}{
		"no program":            {"", false, false},
		"its program is given":  {"run.sh", false, true},
		"given and yet without": {"run.sh", true, false},
	} {
		set := Settings{Streams: c.program, Without: make(map[Contestant]bool)}
		set.Without[Streams] = c.without
		if got := set.takesPart(Streams); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if !set.takesPart(Service) {
			t.Errorf("%s: the service does not take part", name)
		}
	}
}

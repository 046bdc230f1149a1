package cli

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/verify"
)

// A replay of all there is, with the same settings, gives the same results; the
// service's own topics and offsets are left alone. It does not begin twice by
// mistake.
func TestReplay_GivesTheSameAgain(t *testing.T) { //nolint:cyclop // one service, looked at in many ways
	t.Parallel()
	b := served(t, variedLines(60)...)
	before := []int64{sumOf(b.EndOffsets("pulse.signals.scored")), sumOf(b.EndOffsets("pulse.signals.pulse-scorer.state"))}
	args := []string{"replay", "--output", "again", "--group", "another", "--from-offset", "0", "--json"}
	got := runWith(t.Context(), nil, at(b, "PULSE_TOPIC_DLQ=mine"), commands(), args...)
	var done app.Replayed
	if err := json.Unmarshal([]byte(got.stdout), &done); err != nil || got.code != 0 || got.stderr != "" {
		t.Fatalf("%+v: %v", got, err)
	}
	report, _ := verifyJSON(t, b, 0, nil)
	results := int(verify.Total(report.Partitions).Results)
	if done.Scored != results || done.Group != "another" || done.Dead == 0 || done.Duplicate == 0 {
		t.Errorf("%+v, want %d scored", done, results)
	}
	again, _ := verifyJSON(t, b, 0, []string{"PULSE_TOPIC_OUTPUT=again", "PULSE_GROUP=another"})
	if sum := verify.Total(again.Partitions); int(sum.Compared) != results {
		t.Errorf("%+v", again)
	}
	after := []int64{sumOf(b.EndOffsets("pulse.signals.scored")), sumOf(b.EndOffsets("pulse.signals.pulse-scorer.state"))}
	if !slices.Equal(before, after) || b.EndOffsets("pulse.signals.another.dlq") == nil || b.EndOffsets("mine") != nil {
		t.Errorf("the service's topics had %v, have %v", before, after)
	}
	if got := runWith(t.Context(), nil, at(b), commands(), args...); got.code != 1 || !strings.Contains(got.stderr, "--resume") {
		t.Errorf("again: %+v", got)
	}
	if got := runWith(t.Context(), nil, at(b), commands(), "replay", "--output", "again", "--group", "another", "--resume"); got.code != 0 || !strings.HasPrefix(got.stdout, "0 scored") {
		t.Errorf("resumed at the end: %+v", got)
	}
	mistyped := runWith(t.Context(), nil, at(b), commands(), "replay", "--output", "again", "--group", "anothr", "--resume")
	if mistyped.code != 1 || !strings.Contains(mistyped.stderr, "group anothr has committed nothing") {
		t.Errorf("a group that there is not: %+v", mistyped)
	}
	if got := runWith(t.Context(), nil, at(b), commands(), "replay", "--output", "none", "--from-time", "2100-01-01T00:00:00Z"); got.code != 0 || !strings.Contains(got.stdout, "group pulse-scorer-replay-") {
		t.Errorf("from the future: %+v", got)
	}
}

// Two that begin in the same second have groups that differ: neither is refused as a repetition of the other.
func TestReplay_HasAGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	began := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	p := Process{Environ: []string{"PULSE_BROKERS=127.0.0.1:1", "PULSE_GROUP=mine"}, Stderr: io.Discard, Now: func() time.Time { return began }}
	groups := make(map[string]bool)
	for range 100 {
		replay, err := newReplayOf(p, replayFlags{output: "again"}, true)
		if err != nil {
			t.Fatal(err)
		}
		if group := replay.Config.Group; !regexp.MustCompile(`^mine-replay-20250102T030405-[a-z2-7]{6}$`).MatchString(group) || groups[group] {
			t.Fatalf("group %s; before it: %v", group, groups)
		}
		groups[replay.Config.Group] = true
	}
}

func sumOf(list []int64) (sum int64) {
	for _, n := range list {
		sum += n
	}
	return sum
}

func TestReplay_WrongUse(t *testing.T) {
	t.Parallel()
	environ := []string{"PULSE_BROKERS=127.0.0.1:1"}
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "--output"},
		{[]string{"--output", "o"}, "--from-time or --from-offset"},
		{[]string{"--output", "o", "--from-offset", "1", "--from-time", "2100-01-01T00:00:00Z"}, "one of them"},
		{[]string{"--output", "o", "--from-offset", "-1"}, "negative"},
		{[]string{"--output", "o", "--from-time", "yesterday"}, "yesterday"},
		{[]string{"--output", "o", "--resume"}, "--group"},
		{[]string{"--output", "pulse.signals.scored", "--from-offset", "0"}, "is the service's"},
		{[]string{"--output", "pulse.signals.pulse-scorer.state", "--from-offset", "0"}, "is the service's"},
		{[]string{"--output", "o", "--group", "pulse-scorer", "--from-offset", "0"}, "is the service's"},
	} {
		got := runWith(t.Context(), nil, environ, commands(), append([]string{"replay"}, c.args...)...)
		if got.code != 2 || !strings.Contains(got.stderr, c.says) {
			t.Errorf("%v: %+v, want exit 2 and %q", c.args, got, c.says)
		}
	}
}

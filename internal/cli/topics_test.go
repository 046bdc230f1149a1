package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/devbroker"
)

func topicsJSON(t *testing.T, b *devbroker.Broker, code int, args ...string) (result, []broker.TopicState) {
	t.Helper()
	got := runWith(t.Context(), nil, at(b), commands(), append([]string{"topics", "--json"}, args...)...)
	var states []broker.TopicState
	if err := json.Unmarshal([]byte(got.stdout), &states); err != nil || got.code != code || len(states) == 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	return got, states
}

// The plan, then the act, then the plan again: nothing left to do. What is made
// follows the input's partitions.
func TestTopics_PlanCreatePlan(t *testing.T) {
	t.Parallel()
	b := startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: 3})
	_, plan := topicsJSON(t, b, 0)
	for _, s := range plan {
		if s.Exists != (s.Name == "pulse.signals") || s.Partitions != 3 {
			t.Errorf("plan %+v", s)
		}
	}
	if ends := b.EndOffsets("pulse.signals.scored"); ends != nil {
		t.Error("a plan has created something")
	}
	_, made := topicsJSON(t, b, 0, "create")
	for _, s := range made {
		if !s.Exists || len(b.EndOffsets(s.Name)) != 3 || len(s.Faults) > 0 {
			t.Errorf("made %+v", s)
		}
	}
	if got := b.TopicConfigs("pulse.signals.pulse-scorer.state"); got["cleanup.policy"] != "compact" {
		t.Errorf("state topic %v", got)
	}
	if got := runWith(t.Context(), nil, at(b), commands(), "topics"); got.code != 0 || strings.Contains(got.stdout, "missing") || !strings.Contains(got.stdout, "pulse.signals.pulse-scorer.dlq") {
		t.Errorf("%+v", got)
	}
	topicsJSON(t, b, 0, "create") // again: nothing to do
}

// Topics that do not fit keep the service from starting, and nothing is made.
func TestTopics_FaultsEndWith1(t *testing.T) {
	t.Parallel()
	b := startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: 3}, devbroker.Topic{Name: "pulse.signals.scored", Partitions: 2})
	for _, args := range [][]string{nil, {"create"}} {
		got, states := topicsJSON(t, b, 1, args...)
		faults := 0
		for _, s := range states {
			faults += len(s.Faults)
		}
		if faults != 1 || !strings.Contains(got.stderr, "pulse.signals.scored") || !strings.Contains(got.stderr, "2") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if b.EndOffsets("pulse.signals.pulse-scorer.dlq") != nil {
		t.Error("topics were created beside a fault")
	}
	plain := runWith(t.Context(), nil, at(b), commands(), "topics")
	if plain.code != 1 || !strings.Contains(plain.stdout, "FAULT: ") {
		t.Errorf("%+v", plain)
	}
	served := runWith(t.Context(), nil, at(b), commands(), "serve")
	if served.code != 1 || !strings.Contains(served.stderr, "pulse.signals.scored") || strings.Contains(served.stderr, "goroutine") {
		t.Errorf("serve: %+v", served)
	}
}

func TestTopics_WrongUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		args    []string
		code    int
		says    string
	}{
		{nil, nil, 2, "PULSE_BROKERS"},
		{nil, []string{"delete"}, 2, "delete"},
		{[]string{"PULSE_BROKERS=127.0.0.1:1"}, nil, 1, "127.0.0.1:1"},
	} {
		got := runWith(t.Context(), nil, c.environ, commands(), append([]string{"topics"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.says) || strings.Contains(got.stderr, "goroutine") {
			t.Errorf("%v: %+v, want exit %d and %q", c.args, got, c.code, c.says)
		}
	}
}

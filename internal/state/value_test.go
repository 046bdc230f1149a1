package state

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pulse-scorer/internal/pulse"
)

func TestValue_SurvivesEncoding(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		want := randomValue(rng, 5)
		data := appendValue(nil, want)
		r := reader{rest: data}
		got := r.value(0)
		if err := r.done(); err != nil || !equalValues(got, want) {
			t.Fatalf("decode(encode(%v)) = %v, %v", want, got, err)
		}
		if left, ok := valueSize(want, 1<<20, 0); !ok || 1<<20-left < len(data) {
			t.Fatalf("size of %v is given as %d, but it takes %d", want, 1<<20-left, len(data))
		}
		for n := range data {
			short := reader{rest: data[:n]}
			if short.value(0); short.done() == nil {
				t.Fatalf("%v is accepted with %d of %d bytes", want, n, len(data))
			}
		}
	}
}

func TestLearn_RefusesWhatNoTopicTakes(t *testing.T) {
	t.Parallel()
	deep := pulse.Value{}
	for range maxDepth + 1 {
		deep = pulse.ListValue([]pulse.Value{deep})
	}
	tests := []struct {
		name  string
		entry pulse.Value
		want  bool
	}{
		{"fits", pulse.StringValue(strings.Repeat("a", MaxForecastBytes-100)), true},
		{"long text", pulse.StringValue(strings.Repeat("a", MaxForecastBytes)), false},
		{"long name", pulse.ObjectValue(pulse.Member{Name: strings.Repeat("a", MaxForecastBytes)}), false},
		{"many values", pulse.ListValue(make([]pulse.Value, MaxForecastBytes)), false},
		{"too deep", deep, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			task := newTask(t, testSettings())
			if got := task.Learn("s", "n", test.entry); got != test.want {
				t.Errorf("Learn = %v, want %v", got, test.want)
			}
			if got := len(task.Memory("s", "n").List) == 1; got != test.want {
				t.Errorf("remembered: %v, want %v", got, test.want)
			}
		})
	}
}

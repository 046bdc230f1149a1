package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"pulse-scorer/internal/app"
)

// Wherever a signal is, find says so, and what became of each of its records.
func TestFind_SaysWhereASignalIs(t *testing.T) { //nolint:cyclop // one set of topics, searched in many ways
	t.Parallel()
	b := served(t, mixedLines...)
	more := `{"id":"w","name":"n","value":1,"source":"s"}`
	if got := runWith(t.Context(), nil, at(b), commands(), "produce", file(t, "more.ndjson", more, mixedLines[0])); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	for _, c := range []struct {
		args []string
		want string // the standings, by offset of the input in its partition
	}{
		{[]string{"a"}, "scored waiting duplicate"},
		{[]string{"a", "--source", "s", "--name", "n"}, "scored waiting duplicate"},
		{[]string{"b"}, "scored dead:id_conflict"},
		{[]string{"c"}, "dead:invalid_field"},
		{[]string{"w"}, "waiting"},
		{[]string{"a", "--source", "other"}, ""},
		{[]string{"zzz"}, ""},
	} {
		got := runWith(t.Context(), nil, at(b), commands(), append([]string{"find", "--json"}, c.args...)...)
		var found app.Findings
		if err := json.Unmarshal([]byte(got.stdout), &found); err != nil {
			t.Fatalf("%v: %+v: %v", c.args, got, err)
		}
		var standings []string
		for _, trace := range found.Traces {
			standing := string(trace.Standing)
			if trace.Class != "" {
				standing += ":" + trace.Class
			}
			standings = append(standings, standing)
			if trace.ID != c.args[0] || trace.Time.IsZero() {
				t.Errorf("%v: trace %+v", c.args, trace)
			}
		}
		if text := strings.Join(standings, " "); text != c.want || found.Found != (c.want != "") || (got.code == 0) != found.Found {
			t.Errorf("%v: exit %d, %q, want %q", c.args, got.code, text, c.want)
		}
		partitions := 2
		if len(c.args) > 3 {
			partitions = 1
		}
		if len(found.Searched) != 3*partitions {
			t.Errorf("%v: searched %+v", c.args, found.Searched)
		}
	}
	plain := runWith(t.Context(), nil, at(b), commands(), "find", "b")
	if plain.code != 0 || !strings.Contains(plain.stdout, "result of input offset") || !strings.Contains(plain.stdout, "came before with other content") {
		t.Errorf("%+v", plain)
	}
	none := runWith(t.Context(), nil, at(b), commands(), "find", "zzz")
	if none.code != 1 || none.stdout != "" || !strings.Contains(none.stderr, `no trace of ID "zzz"`) ||
		!strings.Contains(none.stderr, "pulse.signals.scored (partition 0: ") {
		t.Errorf("%+v", none)
	}
	for _, args := range [][]string{{"find"}, {"find", ""}, {"find", "a", "b"}} {
		if got := runWith(t.Context(), nil, at(b), commands(), args...); got.code != 2 {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

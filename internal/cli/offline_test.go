package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"pulse-scorer/internal/sample"
)

// The example of the old documentation, and a few of its wrong neighbours,
// through the real record path.
func TestScore_ScoresThroughTheRecordPath(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		`{"name":"hope_index","value":0.7,"source":"twitter","timestamp":1700000000}`,
		`{"name":"hope_index","value":0.7,"source":"twitter","timestamp":1700000000,"forecast":{}}`,
		`{"name":"hope_index","value":"0.7"}`,
		`{"name":"hope_index","value":NaN}`,
		`[]`,
	}, "\n")
	got := runWith(t.Context(), strings.NewReader(in), nil, commands(), "score")
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	want := []string{`"kind":"raw"`, `"kind":"forecast"`, `"class":"invalid_field","field":"value"`, `"class":"malformed_json"`, `"line":5`}
	if len(lines) != len(want) || got.code != 1 {
		t.Fatalf("exit %d, %d lines: %q", got.code, len(lines), lines)
	}
	for i, part := range want {
		if !json.Valid([]byte(lines[i])) || !strings.Contains(lines[i], part) {
			t.Errorf("line %d = %s, want %s in it", i+1, lines[i], part)
		}
	}
}

// All real data is good, and the same input gives the same output, byte by
// byte: nothing in a result comes from a clock.
func TestScore_SampleDataIsGoodAndRepeatable(t *testing.T) {
	t.Parallel()
	for _, file := range sample.Files() {
		first := runWith(t.Context(), file.Open(), nil, commands(), "score")
		second := runWith(t.Context(), file.Open(), nil, commands(), "score")
		if first.code != 0 || strings.Count(first.stdout, "\n") != file.Records {
			t.Errorf("%s: exit %d, %d results of %d (%s)", file.Name, first.code, strings.Count(first.stdout, "\n"), file.Records, first.stderr)
		}
		if first.stdout != second.stdout {
			t.Errorf("%s: two runs differ", file.Name)
		}
	}
}

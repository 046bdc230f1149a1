package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// score --plot draws each series into a file of its own, whatever the names are, and
// its output is the same as without.
func TestScore_PlotsEachSeries(t *testing.T) {
	t.Parallel()
	lines := []string{`nonsense`}
	for i, name := range []string{"a/b", "a_b", "A B", "../../x", "", strings.Repeat("ü", 100)} {
		for range 3 {
			lines = append(lines, `{"name":"`+name+`","value":`+string('1'+byte(i))+`,"source":"s"}`)
		}
	}
	input := strings.Join(lines, "\n") + "\n"
	dir := filepath.Join(t.TempDir(), "new", "folder")
	now := []string{"score", "--now", "2025-01-01T00:00:00Z"}
	plain := runWith(t.Context(), strings.NewReader(input), nil, commands(), now...)
	drawn := runWith(t.Context(), strings.NewReader(input), nil, commands(), append(now, "--plot", dir)...)
	if drawn.code != 1 || drawn.stdout != plain.stdout || strings.Count(drawn.stderr, "bad") != strings.Count(plain.stderr, "bad") {
		t.Errorf("%+v, without pictures %+v", drawn, plain)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || !strings.HasPrefix(string(text), "<svg ") || !strings.Contains(string(text), "3 observations") {
			t.Errorf("%s: %v, %.200s", e.Name(), err, text)
		}
	}
	want := []string{"s-.._.._x.svg", "s-a_b-2.svg", "s-a_b-3.svg", "s-a_b.svg", "s-" + strings.Repeat("_", 100) + ".svg"}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	if got := runWith(t.Context(), strings.NewReader(input), nil, commands(), "score", "--plot", filepath.Join(dir, want[0])); got.code != 1 || !strings.Contains(got.stderr, "--plot") {
		t.Errorf("a file in place of a folder: %+v", got)
	}
}

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pulse-scorer/internal/bench"
)

func TestBenchScale_MeasuresEachRowAndLeavesNothing(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	picture := filepath.Join(t.TempDir(), "scale.svg")
	got := runWith(t.Context(), nil, at(b, asProgram+"=1"), commands(), "bench", "scale", "--json", "--plot", picture,
		"--records", "1000", "--rounds", "2", "--warm-up", "100ms", "--partitions", "1,3", "--series", "10,120", "--ids", "16,2000", "--workers", "1,2")
	var report bench.ScaleReport
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	want := map[string][2]bench.Row{
		"partitions": {row(1000, 1000, 1, 1, 0), row(1000, 1000, 3, 1, 0)},
		"series":     {row(1200, 10, 8, 1, 0), row(1200, 120, 8, 1, 0)},
		"ids":        {row(2000, 1000, 8, 1, 2), row(2000, 1000, 8, 1, 250)},
		"workers":    {row(1000, 1000, 8, 1, 0), row(1000, 1000, 8, 2, 0)},
	}
	for i := range report.Dimensions {
		d := &report.Dimensions[i]
		if len(d.Rows) != 2 || d.Ratio() < 1 {
			t.Fatalf("%s: %+v", d.Name, d)
		}
		for j, w := range want[d.Name] {
			requireRow(t, d.Name, &d.Rows[j], &w)
		}
		delete(want, d.Name)
	}
	if len(want) > 0 {
		t.Errorf("there is nothing of %v", want)
	}
	requireScaleShown(t, &report, picture)
	if left := topicsOf(t, b); len(left) > 0 {
		t.Errorf("topics are left: %v", left)
	}
}

func row(records, series, partitions, workers, maxIDs int) bench.Row {
	return bench.Row{Load: bench.Load{Records: records, Series: series, Partitions: partitions}, Workers: workers, Remembered: maxIDs}
}

func requireRow(t *testing.T, dimension string, got, want *bench.Row) {
	t.Helper()
	if got.Load != want.Load || got.Workers != want.Workers || got.Remembered != want.Remembered || len(got.Rounds) != 2 {
		t.Errorf("%s: %+v, want %+v", dimension, got, want)
	}
	for _, m := range got.Rounds {
		least := int64(got.Workers) << 20
		if m.Records != want.Load.Records || m.Took <= 0 || m.Usage.User <= 0 || runtime.GOOS == "linux" && m.Usage.PeakBytes < least {
			t.Errorf("%s %d: %+v", dimension, got.Value, m)
		}
	}
}

// requireScaleShown looks for all rows in the table and in the picture.
func requireScaleShown(t *testing.T, report *bench.ScaleReport, picture string) {
	t.Helper()
	var table strings.Builder
	if err := report.Write(&table); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Dimensions {
		d := &report.Dimensions[i]
		for j := range d.Rows {
			if label := d.Rows[j].Label(); !strings.Contains(table.String(), "\n"+label+" ") || !strings.Contains(string(svg), ">"+label+"<") {
				t.Errorf("no %s %s in\n%s\n%s", d.Name, label, &table, svg)
			}
		}
	}
	if strings.Count(table.String(), "largest / smallest") != 4 || strings.Count(string(svg), "largest / smallest") != 4 {
		t.Errorf("not four ratios in\n%s\n%s", &table, svg)
	}
}

func TestBenchScale_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no number":         {[]string{"--series", "1,many"}, `"many" is no number`},
		"nothing":           {[]string{"--partitions=", "--series=", "--ids=", "--workers="}, "nothing to measure"},
		"too few records":   {[]string{"--records", "5"}, "--records: 5 is not within"},
		"no rounds":         {[]string{"--rounds", "0"}, "--rounds: 0 is not within"},
		"too few IDs":       {[]string{"--ids", "7"}, "--ids: 7 is not within 8"},
		"an idle worker":    {[]string{"--workers", "1,9"}, "--workers: 9 is not within 1 and 8"},
		"no partitions":     {[]string{"--partitions", "0"}, "--partitions: 0 is not within"},
		"no room in the ID": {[]string{"--series", "100000001"}, "--series: 100000001 is not within"},
		"a warm-up of -1 s": {[]string{"--warm-up", "-1s"}, "--warm-up: -1s is less than nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runWith(t.Context(), nil, []string{"PULSE_BROKERS=127.0.0.1:1"}, commands(), append([]string{"bench", "scale"}, c.args...)...)
			if got.code != 2 || !strings.Contains(got.stderr, c.want) {
				t.Errorf("%+v, want 2 and %q", got, c.want)
			}
		})
	}
	got := runWith(t.Context(), nil, []string{"PULSE_BROKERS=127.0.0.1:1", "PULSE_TLS=true"}, commands(), "bench", "scale")
	if got.code != 2 || !strings.Contains(got.stderr, "plain text only") {
		t.Errorf("a secured cluster: %+v", got)
	}
}

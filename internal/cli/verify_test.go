package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/verify"
)

func verifyJSON(t *testing.T, b *devbroker.Broker, code int, more []string, args ...string) (verify.Report, result) {
	t.Helper()
	got := runWith(t.Context(), nil, at(b, more...), commands(), append([]string{"verify", "--json"}, args...)...)
	var report verify.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != code {
		t.Fatalf("%v, want exit %d: %+v", err, code, got)
	}
	return report, got
}

// variedLines are raw signals and forecasts of some series, repeated, in conflict
// and bad ones among them.
func variedLines(n int) []string {
	lines := append([]string(nil), mixedLines...)
	for i := range n {
		lines = append(lines,
			fmt.Sprintf(`{"id":"r%d","name":"series-%d","value":%d.5,"source":"s%d","timestamp":%d}`, i, i%5, i*i%97, i%2, 1735689600+60*i),
			fmt.Sprintf(`{"id":"f%d","name":"stream-%d","value":%d,"source":"s","timestamp":%d,"overlays":{"hope":0.%d},"trace_id":"t%d",`+
				`"forecast":{"symbolic_change":{"hope":0.%d},"start_capital":{"spy":1000},"end_capital":{"spy":%d}}}`, i, i%3, i, 1735689600+60*i, i%9, i, i%7, 900+i%300))
		if i%10 == 0 {
			lines = append(lines, lines[len(lines)-1], `{"id":"x","name":"series-1","value":"none","source":"s1"}`)
		}
	}
	return lines
}

// What the service scored is scored the same again, and a result that somebody has
// changed is found, with the member that was.
func TestVerify_FindsAFalsifiedResult(t *testing.T) { //nolint:cyclop // one service, looked at in many ways
	t.Parallel()
	b := served(t, variedLines(150)...)
	report, _ := verifyJSON(t, b, 0, nil)
	sum := verify.Total(report.Partitions)
	if report.Verdict != verify.Equal || sum.Compared < 300 || sum.Compared != sum.Results || sum.Different != 0 || sum.Gone || report.Profile != "v2" {
		t.Errorf("%+v", report)
	}
	plain := runWith(t.Context(), nil, at(b), commands(), "verify")
	if plain.code != 0 || !strings.HasSuffix(plain.stdout, "\nequal\n") || plain.stderr != "" {
		t.Errorf("%+v", plain)
	}
	falsified := copyResults(t, b, "falsified", `"continuity":1,`, `"continuity":0.125,`, 1)
	output := "PULSE_TOPIC_OUTPUT=falsified"
	report, got := verifyJSON(t, b, 1, []string{output})
	sum = verify.Total(report.Partitions)
	found := slices.Concat(report.Partitions[0].Findings, report.Partitions[1].Findings)
	want := []verify.Difference{{Field: "quality.continuity", Is: "0.125", Again: "1"}}
	if report.Verdict != verify.Different || sum.Different != 1 || len(found) != 1 || !slices.Equal(found[0].Differences, want) || found[0].Offset != falsified {
		t.Errorf("%+v", report)
	}
	if !strings.Contains(got.stderr, "1 of ") {
		t.Errorf("stderr %s", got.stderr)
	}
	plain = runWith(t.Context(), nil, at(b, output), commands(), "verify", "--list", "0")
	if plain.code != 1 || !strings.Contains(plain.stdout, "1 differing results more") || !strings.HasSuffix(plain.stdout, "\ndifferent\n") {
		t.Errorf("%+v", plain)
	}
}

// copyResults copies the results to another topic, offset by offset, and puts other
// text in place of some in at most so many of them. It returns the offset of the last.
func copyResults(t *testing.T, b *devbroker.Broker, topic, text, other string, most int) (changed int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if made := runWith(t.Context(), nil, at(b, "PULSE_TOPIC_OUTPUT="+topic), commands(), "topics", "create"); made.code != 0 {
		t.Fatalf("%+v", made)
	}
	report, _ := verifyJSON(t, b, 0, nil)
	records := read(t, b, "pulse.signals.scored", int(verify.Total(report.Partitions).Results))
	next := map[int32]int64{}
	for _, r := range records {
		value := r.Value
		if most > 0 && bytes.Contains(value, []byte(text)) {
			value = bytes.ReplaceAll(value, []byte(text), []byte(other))
			changed = next[r.Partition]
			most--
		}
		next[r.Partition]++
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return changed
}

// Whoever reads "different" must know what else than a wrong result it can be.
func TestVerify_SaysWhyResultsMayDiffer(t *testing.T) {
	t.Parallel()
	said := func(row verify.Row) string {
		var out bytes.Buffer
		if err := writeVerify(&out, verify.NewReport("1", "v2", []verify.Row{row}), 10); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	const gone, profile = "are gone: of their input", "are of another profile than v2"
	plain := verify.Row{Results: 9, Compared: 9, Different: 1}
	if got := said(plain); strings.Contains(got, gone) || strings.Contains(got, profile) {
		t.Errorf("nothing is gone: %s", got)
	}
	for _, c := range []struct {
		change func(*verify.Row)
		want   string
	}{
		{func(r *verify.Row) { r.ResultsFrom = 4 }, "results before offset 4 and dead letters before offset 0 " + gone},
		{func(r *verify.Row) { r.LettersFrom = 5 }, "results before offset 0 and dead letters before offset 5 " + gone},
		{func(r *verify.Row) { r.Skipped.Profile = 3 }, "3 results " + profile},
	} {
		row := plain
		c.change(&row)
		if got := said(row); !strings.Contains(got, c.want) {
			t.Errorf("want %q in %s", c.want, got)
		}
	}
}

func TestVerify_SaysWhatItDoesNotCompare(t *testing.T) {
	t.Parallel()
	b := served(t, variedLines(20)...)
	other, _ := verifyJSON(t, b, 1, []string{"PULSE_PROFILE=parity"})
	sum := verify.Total(other.Partitions)
	if other.Verdict != verify.Nothing || sum.Skipped.Profile != sum.Results || sum.Results == 0 {
		t.Errorf("another profile: %+v", other)
	}
	late, _ := verifyJSON(t, b, 1, nil, "--since", "2100-01-01T00:00:00Z")
	if late.Verdict != verify.Nothing || verify.Total(late.Partitions).Results != 0 {
		t.Errorf("after all of it: %+v", late)
	}
	one, _ := verifyJSON(t, b, 0, nil, "--partition", "1")
	if len(one.Partitions) != 1 || one.Partitions[0].Partition != 1 {
		t.Errorf("%+v", one)
	}
	// Results of another version are compared, and said to be.
	copyResults(t, b, "old", `"scorer_version":"`, `"scorer_version":"old-`, 5)
	old := runWith(t.Context(), nil, at(b, "PULSE_TOPIC_OUTPUT=old"), commands(), "verify")
	if old.code != 0 || !strings.Contains(old.stdout, "\n5 results are of scorer version old-") {
		t.Errorf("%+v", old)
	}
	for _, args := range [][]string{{"--list", "-1"}, {"--warm-up", "-1"}, {"--since", "x"}} {
		if got := runWith(t.Context(), nil, at(b), commands(), append([]string{"verify"}, args...)...); got.code != 2 {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
)

// mixed is a file of five signals, two of them twice, and bad lines.
func mixed(t *testing.T) string {
	t.Helper()
	return file(t, "mixed.ndjson",
		`{"id":"1","name":"cpi","value":1,"source":"s","timestamp":1735689600}`,
		`{"id":"2","name":"cpi","value":2,"source":"s"}`,
		`{"id":"1","name":"cpi","value":1.0,"source":"s","timestamp":"2025-01-01T00:00:00Z"}`,
		`{"name":"hope","value":0.7,"source":"s","timestamp":1735689600}`,
		`{"name":"hope","value":0.7,"source":"s","timestamp":1735689600,"forecast":{}}`,
		`{"name":"hope","value":0.7,"source":"s","timestamp":1735689600}`,
		`{"id":"2","name":"cpi","value":3,"source":"s"}`,
		`nonsense`,
		``,
		`{"name":"x","value":NaN}`,
		`{"name":"x","value":null}`,
		`{"name":"x","value":1,"padding":"`+strings.Repeat("x", 5000)+`"}`,
		`{"name":"x","value":1}`,
	)
}

var wantMixed = app.Summary{
	In: 13, Scored: 5, Duplicate: 2,
	Dead: map[string]int{"malformed_json": 3, "invalid_field": 1, "too_large": 1, "id_conflict": 1},
}

func TestDev_CountsEveryOutcome(t *testing.T) {
	t.Parallel()
	environ := []string{"PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_MAX_RECORD_BYTES=4096"}
	got := runWith(t.Context(), nil, environ, commands(), "dev", "--once", "--json", "--data", mixed(t))
	var summary app.Summary
	if err := json.Unmarshal([]byte(got.stdout), &summary); err != nil || got.code != 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	requireCounts(t, summary, wantMixed)
	if summary.P50 <= 0 || summary.P99 < summary.P50 || summary.PerSecond <= 0 {
		t.Errorf("times %+v", summary)
	}
}

func requireCounts(t *testing.T, got, want app.Summary) {
	t.Helper()
	got.Seconds, got.PerSecond, got.P50, got.P99 = 0, 0, 0, 0
	g, err := json.Marshal(got)
	w, err2 := json.Marshal(want)
	if err != nil || err2 != nil || !bytes.Equal(g, w) {
		t.Errorf("counts %s, want %s", g, w)
	}
}

// People read the same numbers.
func TestDev_SummaryForPeople(t *testing.T) {
	t.Parallel()
	environ := []string{"PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_MAX_RECORD_BYTES=4096"}
	packed := file(t, "more.ndjson.gz", `{"name":"z","value":1}`)
	got := runWith(t.Context(), nil, environ, commands(), "dev", "--once", "--data", mixed(t), "--data", packed)
	rows := make(map[string]string)
	for line := range strings.Lines(got.stdout) {
		if words := strings.Fields(line); len(words) > 1 {
			rows[strings.Join(words[:len(words)-1], " ")] = words[len(words)-1]
		}
	}
	for row, want := range map[string]string{"in": "14", "scored": "6", "duplicates": "2", "dead letters": "6", "malformed_json": "3", "id_conflict": "1", "lost": "0", "twice": "0"} {
		if rows[row] != want {
			t.Errorf("%s = %q, want %s in\n%s", row, rows[row], want, got.stdout)
		}
	}
	if got.code != 0 || strings.Contains(got.stdout, "Ctrl-C") {
		t.Errorf("exit %d, stderr %s", got.code, got.stderr)
	}
}

// Without --once it stays, and says how to look around, until Ctrl-C. What it
// has kept counts no second time.
func TestDev_StaysAndKeeps(t *testing.T) {
	t.Parallel()
	keep, data := t.TempDir(), mixed(t)
	environ := []string{"PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_MAX_RECORD_BYTES=4096"}
	running := start(t, environ, "dev", "--data", data, "--keep", keep)
	running.await(t, "Ctrl-C ends.")
	if out := running.stdout.String(); !strings.Contains(out, "kcat -C -b 127.0.0.1:") || !strings.Contains(out, "-t pulse.signals.pulse-scorer.dlq") {
		t.Errorf("stdout %s", out)
	}
	if code, _ := running.interrupt(t); code != 0 {
		t.Errorf("exit %d: %s", code, running.stderr.String())
	}
	again := runWith(t.Context(), nil, environ, commands(), "dev", "--once", "--json", "--data", data, "--keep", keep)
	var summary app.Summary
	if err := json.Unmarshal([]byte(again.stdout), &summary); err != nil || again.code != 0 {
		t.Fatalf("%+v: %v", again, err)
	}
	// Signals without a timestamp are new readings; those with one, or an id,
	// have been seen.
	want := wantMixed
	want.Scored, want.Duplicate = 1, 6
	requireCounts(t, summary, want)
}

// The signal that people are told to send has the key and the partitioner of every other
// producer, in the README as well.
func TestDev_FirstSignalIsThatOfTheREADME(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"PULSE_BROKERS=127.0.0.1:1"}, config.NeedBrokers)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.ReplaceAll(lookAround(c, devPlace{}), "127.0.0.1:1 ", "127.0.0.1:PORT ")
	for line := range strings.Lines(said) {
		if !strings.Contains(line, "kcat -P") {
			continue
		}
		if !strings.Contains(line, "-k my_signal -X partitioner=murmur2_random") || !strings.Contains(string(readme), "\n"+strings.TrimSpace(line)+"\n") {
			t.Errorf("dev says %s", line)
		}
		return
	}
	t.Errorf("dev tells no way to send a signal: %s", said)
}

func TestDev_WrongUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--rate", "-1"}, 2, "--rate"},
		{[]string{"--data", "/does/not/exist"}, 1, "/does/not/exist"},
		{[]string{"--port", "70000"}, 1, "70000"},
		{[]string{"file"}, 2, "file"},
	} {
		got := runWith(t.Context(), nil, []string{"PULSE_HTTP_ADDR=127.0.0.1:0"}, commands(), append([]string{"dev", "--once"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.says) || got.stdout != "" {
			t.Errorf("%v: %+v, want exit %d and %q", c.args, got, c.code, c.says)
		}
	}
}

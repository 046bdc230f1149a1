package pipeline

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write the golden file")

// count is the value of a series as the exposition writes it, 0 when there is
// none.
func count(t *testing.T, r *prometheus.Registry, series string) string {
	t.Helper()
	for line := range strings.Lines(exposition(t, r)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "none"
}

func exposition(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if _, err := fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.GetName(), f.GetHelp(), f.GetName(), strings.ToLower(f.GetType().String())); err != nil {
			t.Fatal(err)
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			fmt.Fprintf(&b, "%s %v\n", name, m.GetCounter().GetValue()+m.GetGauge().GetValue()+float64(m.GetHistogram().GetSampleCount()))
		}
	}
	return b.String()
}

func TestMetrics_CountOnlyWhatHasCommitted(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	task := taskWith(t, testSettings(), NewMetrics(r), wall)
	batch := func() {
		var out pages
		misplaced := signalAt(3, `{"id":"3","name":"n","value":1,"source":"s"}`)
		misplaced.Key = nil
		right := signalAt(4, `{"id":"4","name":"k","value":1,"source":"s"}`)
		for _, in := range []*Record{
			signalAt(1, `{"id":"1","name":"n","value":1,"source":"s"}`), signalAt(2, `{"id":"1","name":"n","value":1,"source":"s"}`),
			misplaced, right, signalAt(5, `nonsense`), signalAt(6, `{"id":"1","name":"n","value":2,"source":"s"}`),
			signalAt(7, `{"id":"7","name":"n","value":2,"source":"a","forecast":{"x":1},"overlays":{"hope":"x"}}`),
		} {
			process(task, in, &out)
		}
		task.Seal(wallMs, &out)
	}
	want := map[string]string{
		`pulse_records_total{outcome="scored"}`:                             "4",
		`pulse_records_total{outcome="duplicate"}`:                          "1",
		`pulse_records_total{outcome="dead"}`:                               "2",
		`pulse_signal_ingest_total{source="s"}`:                             "3",
		`pulse_signal_ingest_total{source="a"}`:                             "1",
		`pulse_dead_letters_total{class="malformed_json"}`:                  "1",
		`pulse_dead_letters_total{class="id_conflict"}`:                     "1",
		`pulse_stage_failures_total{class="id_conflict",stage="dedupe"}`:    "1",
		`pulse_stage_failures_total{class="malformed_json",stage="decode"}`: "1",
		`pulse_misplaced_keys_total{reason="absent"}`:                       "1",
		`pulse_misplaced_keys_total{reason="differs"}`:                      "2",
		`pulse_signal_trust_score`:                                          "3",
		`pulse_end_to_end_seconds`:                                          "1",
		`pulse_enrichment_errors_total`:                                     "1",
		`pulse_dedupe_ids`:                                                  "4",
	}
	task.Open()
	batch()
	process(task, signalAt(8, `{"id":"8","name":"n","value":1,"source":"s"}`), new(pages)) // in the open batch
	task.Rollback()
	batch()
	for series := range want {
		if got := count(t, r, series); got != "0" && got != "none" {
			t.Errorf("%s = %s before anything has committed", series, got)
		}
	}
	task.Commit()
	commit(task) // an empty batch
	for series, n := range want {
		if got := count(t, r, series); got != n {
			t.Errorf("%s = %s, want %s", series, got, n)
		}
	}
}

// The buckets are steps of 0.05 as people write them: le="0.15", not what adding up 0.05
// gives. A score on a bound, which scores of three decimals often are, belongs below it.
func TestMetrics_TrustScoresFallIntoStepsOfATwentieth(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	bounds := []float64{0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1}
	for _, score := range bounds {
		m.trust.Observe(score)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "pulse_signal_trust_score" {
			continue
		}
		buckets := f.GetMetric()[0].GetHistogram().GetBucket()
		if len(buckets) != len(bounds) {
			t.Fatalf("%d buckets, want %d", len(buckets), len(bounds))
		}
		for i, b := range buckets {
			if b.GetUpperBound() != bounds[i] || b.GetCumulativeCount() != uint64(i+1) {
				t.Errorf("bucket %d: le=%v with %d of the scores on bounds, want le=%v with %d", i, b.GetUpperBound(), b.GetCumulativeCount(), bounds[i], i+1)
			}
		}
		return
	}
	t.Error("there is no pulse_signal_trust_score")
}

// The open batch counts with its own commit, though it is computed while the
// sealed one is on its way.
func TestMetrics_KeepOverlappingBatchesApart(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	task := taskWith(t, testSettings(), NewMetrics(r), wall)
	scoredAs(t, task, signalAt(1, `{"name":"n","value":1}`))
	task.Seal(wallMs, new(pages))
	scoredAs(t, task, signalAt(2, `{"name":"n","value":2}`))
	scoredAs(t, task, signalAt(3, `{"name":"n","value":3}`))
	task.Commit()
	if got := count(t, r, `pulse_records_total{outcome="scored"}`); got != "1" {
		t.Errorf("after the first commit %s, want 1", got)
	}
	commit(task)
	if got := count(t, r, `pulse_records_total{outcome="scored"}`); got != "3" {
		t.Errorf("after both %s, want 3", got)
	}
}

// Once per ID: a signal that died after its ingest counts then, and not when it
// comes again.
func TestMetrics_CountAnIngestOnce(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	task := taskWith(t, testSettings(), NewMetrics(r), panicsAt(5, "out of order"))
	value := `{"id":"1","name":"n","value":7,"source":"s"}`
	one(t, task, signalAt(64, value))
	commit(task)
	scoredAs(t, task, signalAt(65, value))
	commit(task)
	if got := count(t, r, `pulse_signal_ingest_total{source="s"}`); got != "1" {
		t.Errorf("ingested %s times, want once", got)
	}
	if dead, scored := count(t, r, `pulse_records_total{outcome="dead"}`), count(t, r, `pulse_records_total{outcome="scored"}`); dead != "1" || scored != "1" {
		t.Errorf("%s dead, %s scored", dead, scored)
	}
}

// Senders choose the label: 100 sources, then other, for all tasks together.
func TestMetrics_BoundTheSources(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	for n := range 3 {
		task := taskWith(t, testSettings(), m, wall)
		for i := range 60 {
			scoredAs(t, task, signalAt(int64(i), fmt.Sprintf(`{"name":"n","value":1,"source":"task %d source %d"}`, n, i)))
		}
		scoredAs(t, task, signalAt(99, `{"name":"n","value":1,"source":"`+strings.Repeat("x", maxSourceBytes+1)+`"}`))
		commit(task)
	}
	if n := strings.Count(exposition(t, r), "pulse_signal_ingest_total{"); n != maxSources+1 {
		t.Errorf("%d sources, want %d and other", n, maxSources)
	}
	if got := count(t, r, `pulse_signal_ingest_total{source="other"}`); got != "83" {
		t.Errorf("other = %s, want the 80 beyond the first hundred and the 3 long ones", got)
	}
}

// IDs of all working tasks together, the shortest window among them; a task
// that was given away is in neither, evictions stay.
func TestMetrics_DedupeOfTheWorkingTasks(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	small := testSettings()
	small.State.DedupeMaxIDs = 64
	roomy, tight := taskWith(t, testSettings(), m, wall), taskWith(t, small, m, wall)
	expect := func(when, ids, window string) {
		t.Helper()
		if got := count(t, r, "pulse_dedupe_ids"); got != ids {
			t.Errorf("%s: %s IDs, want %s", when, got, ids)
		}
		if got := count(t, r, "pulse_dedupe_window_seconds"); got != window {
			t.Errorf("%s: window %s, want %s", when, got, window)
		}
	}
	expect("before any task works", "0", "none")
	roomy.Open()
	tight.Open()
	expect("at the start", "0", "3600")
	at := int64(wallMs)
	for i := range 200 {
		for _, task := range []*Task{roomy, tight} {
			scoredAs(t, task, signalAt(int64(i), fmt.Sprintf(`{"name":"n","value":%d}`, i)))
			if i%50 == 49 {
				task.Seal(at+int64(i)*1000, new(pages))
				task.Commit()
			}
		}
	}
	if tight.Stats().DedupeWindow >= time.Hour {
		t.Fatal("the bound on IDs does not bite")
	}
	expect("at work", fmt.Sprint(200+tight.Stats().IDs), fmt.Sprint(tight.Stats().DedupeWindow.Seconds()))
	evicted := fmt.Sprint(tight.Stats().Evictions.ByCount)
	tight.Close()
	expect("one given away", "200", "3600")
	roomy.Close()
	expect("all given away", "0", "none")
	if got := count(t, r, `pulse_dedupe_evictions_total{reason="count"}`); got != evicted || evicted == "0" {
		t.Errorf("evicted %s, want %s", got, evicted)
	}
}

// What a restored task remembers shows before its first batch.
func TestMetrics_DedupeAfterARestore(t *testing.T) {
	t.Parallel()
	first := newTask(t, wall)
	var log pages
	scoredAs(t, first, signalAt(1, `{"name":"n","value":1}`))
	first.Seal(wallMs, &log)
	r := prometheus.NewRegistry()
	second := taskWith(t, testSettings(), NewMetrics(r), wall)
	for _, w := range log {
		if err := second.Restore(w.key, w.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := second.Restored(); err != nil {
		t.Fatal(err)
	}
	second.Open()
	if got := count(t, r, "pulse_dedupe_ids"); got != "1" {
		t.Errorf("%s IDs, want 1", got)
	}
}

// Names, types, labels and help of the record path's metrics. Dashboards
// depend on them; look twice before the golden changes. It is written by
// go test -update.
func TestMetrics_Golden(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	task := taskWith(t, testSettings(), NewMetrics(r), wall)
	task.Open()
	scoredAs(t, task, signalAt(64, `{"name":"n","value":1,"source":"s"}`))
	one(t, task, signalAt(65, `nonsense`))
	commit(task)
	got := exposition(t, r)
	golden := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("exposition\n%s\nwant\n%s", got, want)
	}
}

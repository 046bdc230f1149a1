package pipeline

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/pulse"
)

// forecastAt is a forecast of a stream, with a trust score that varies.
func forecastAt(offset int64) *Record {
	return signalAt(offset, fmt.Sprintf(`{"id":"f-%d","name":"n","value":%d,"source":"s","timestamp":%d,"overlays":{"hope":0.%d},"fragility":0.%d,`+
		`"forecast":{"symbolic_change":{"hope":0.%d},"start_capital":{"spy":1000},"end_capital":{"spy":%d}},"trace_id":"t"}`,
		offset, offset%7, recordMs/1000, offset%9, offset%8, offset%5, 900+offset%300))
}

// learning is a task of profile v2 with its metrics.
func learning(t *testing.T, now func() time.Time) (*Task, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewRegistry()
	return taskWith(t, v2Settings(), NewMetrics(r), now), r
}

// A prediction is made before the score is known, learned from after, and a result
// tells both.
func TestLearn_PredictsBeforeItLearns(t *testing.T) {
	t.Parallel()
	task, r := learning(t, wall)
	task.Open()
	learned := uint64(0)
	for i := range int64(300) {
		before := task.state.Model().Accuracy().Forecasts
		result := scoredAs(t, task, forecastAt(i))
		model, ok := result["model"].(map[string]any)
		if !ok {
			t.Fatalf("no model in %v", result)
		}
		predicted, ok := model["prediction"].(float64)
		trust, known := result["trust_score"].(float64)
		if diff := predicted - trust; !ok || !known || fmt.Sprintf("%.6f", math.Abs(diff)) != fmt.Sprintf("%.6f", model["error"]) {
			t.Fatalf("prediction %v of %v, error %v", predicted, trust, model["error"])
		}
		for _, number := range []any{model["prediction"], model["error"]} {
			if text := fmt.Sprint(number); len(text) > len("0.123456") {
				t.Fatalf("%s has more than six decimals", text)
			}
		}
		learned += task.state.Model().Accuracy().Forecasts - before
	}
	if learned != 299 { // for the first the naive predictors have nothing
		t.Errorf("%d forecasts counted, want 299", learned)
	}
	commit(task)
	got, acc := exposition(t, r), task.state.Model().Accuracy()
	for _, want := range []string{
		fmt.Sprintf("pulse_model_mae %v\n", acc.Model/299),
		fmt.Sprintf("pulse_model_naive_mae{predictor=\"last\"} %v\n", acc.Last/299),
		fmt.Sprintf("pulse_model_naive_mae{predictor=\"mean\"} %v\n", acc.Mean/299),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("exposition has no %s", want)
		}
	}
	for line := range strings.SplitSeq(got, "\n") {
		if strings.HasPrefix(line, "pulse_model") {
			t.Log(line)
		}
	}
	task.Close()
	if got := exposition(t, r); strings.Contains(got, "pulse_model_mae ") {
		t.Error("the model of a task that was given away is still told")
	}
}

// Whatever goes wrong while something is learned: the result is the same, stream
// and model are as they were, and it is counted.
func TestLearn_AFailureCostsNoResult(t *testing.T) {
	t.Parallel()
	readings := 0
	breaks := false
	task, r := learning(t, func() time.Time {
		// The stages of a record whose offset is a multiple of 64 are timed: the
		// last of its readings is that of the learn stage.
		if readings++; breaks && readings == 8 {
			panic("out of order")
		}
		return wall()
	})
	whole, _ := learning(t, wall)
	for i := range int64(64) {
		scoredAs(t, task, forecastAt(i))
		scoredAs(t, whole, forecastAt(i))
	}
	before := task.state.Model().Accuracy()
	trust := task.state.Series("s", "n").Trust()
	readings, breaks = 0, true
	got, want := one(t, task, forecastAt(64)), one(t, whole, forecastAt(64))
	if readings != 8 || !equalWritten(got, want) {
		t.Errorf("after %d readings:\n%s\nwant\n%s", readings, got.value, want.value)
	}
	if task.state.Model().Accuracy() != before || task.state.Series("s", "n").Trust() != trust {
		t.Error("half a lesson is left")
	}
	breaks = false
	commit(task)
	if text := exposition(t, r); !strings.Contains(text, `pulse_stage_failures_total{class="stage_panic",stage="learn"} 1`) {
		t.Error("the failure was not counted")
	}
	if l := task.Ledger(); l.Scored != 65 || len(l.Dead) != 0 {
		t.Errorf("ledger %+v", l)
	}
	again := one(t, task, forecastAt(65))
	if again.to != Results || !strings.Contains(string(again.value), `"model":{`) {
		t.Errorf("the next one: %s", again.value)
	}
}

// What the model itself refuses is counted by its name.
func TestLearn_CountsFaultsByName(t *testing.T) {
	t.Parallel()
	task, r := learning(t, wall)
	scoredAs(t, task, forecastAt(1))
	p := &task.own
	p.score.Trust = pulse.Some(2)
	if err := task.state.Teach(&p.features, p.prediction, 2); !errors.Is(err, learn.FaultTarget) {
		t.Fatalf("Teach = %v", err)
	}
	task.learn(p, Outcome{Kind: OutcomeScored})
	commit(task)
	if text := exposition(t, r); !strings.Contains(text, `pulse_stage_failures_total{class="target",stage="learn"} 1`) {
		t.Errorf("the fault was not counted:\n%s", text)
	}
}

// A forecast that waited while a release with other features came is not learned from,
// which is counted once, however often it is tried. What has no features is no failure.
func TestLearn_CountsFeaturesOfAnotherVersion(t *testing.T) {
	t.Parallel()
	s := retrySettings()
	s.State.WindowSize = 0
	raw := func(offset int64) *Record { return named(offset, "f-1", "n") }
	other := func(in *Record) {
		found := headerOf(written{headers: in.Headers}, headerProgress)
		set(in, headerProgress, strings.Replace(found, `"features":{"v":1,`, `"features":{"v":2,`, 1))
	}
	for name, c := range map[string]struct {
		record func(offset int64) *Record
		change func(*Record)
		by     Settings
		want   int
	}{
		"another version":             {forecastAt, other, s, 1},
		"this version":                {forecastAt, func(*Record) {}, s, 0},
		"raw":                         {raw, other, s, 0},
		"a profile without features":  {forecastAt, other, retrySettings(), 0},
		"a progress without features": {forecastAt, func(in *Record) { set(in, headerProgress, "") }, s, 0},
	} {
		w := only(t, take(t, asking(t, s, &oracle{answer: failing("f-1")}), c.record(1)))
		again := back(w, 1)
		c.change(again)
		task := asking(t, c.by, &oracle{answer: failing("f-1")})
		last := only(t, take(t, task, again))
		if last = only(t, take(t, task, back(last, 2))); last.to != Results {
			t.Fatalf("%s: went to %d", name, last.to)
		}
		if got := task.open.failures[failure{StageLearn, featureVersion}]; got != c.want {
			t.Errorf("%s: counted %d times, want %d", name, got, c.want)
		}
	}
}

// A source is judged by its bad records, whatever is bad about them, once it has
// brought a good one.
func TestIngest_BadRecordsCountAgainstTheirSource(t *testing.T) {
	t.Parallel()
	task, _ := learning(t, wall)
	bad := []string{
		`{"name":"n","value":"1","source":"s"}`,
		fmt.Sprintf(`{"name":"n","value":1,"source":"s","timestamp":%d}`, recordMs/1000+301),
		`{"id":"a","name":"n","value":2,"source":"s"}`, // other content
	}
	one(t, task, signalAt(0, bad[0]))
	if _, known := task.state.Source("s"); known {
		t.Error("a source that has brought nothing good is remembered")
	}
	reliability := func() float64 {
		s, _ := task.state.Source("s")
		return s.Reliability()
	}
	scoredAs(t, task, signalAt(1, `{"id":"a","name":"n","value":1,"source":"s"}`))
	for i, value := range bad {
		before := reliability()
		if w := one(t, task, signalAt(int64(2+i), value)); w.to != DeadLetters || reliability() >= before {
			t.Errorf("%s: destination %d, reliability %v, then %v", value, w.to, before, reliability())
		}
	}
	before := reliability()
	none(t, task, signalAt(9, `{"id":"a","name":"n","value":1,"source":"s"}`)) // a duplicate is neither
	if reliability() != before {
		t.Error("a duplicate counts")
	}
	result := scoredAs(t, task, signalAt(10, `{"id":"b","name":"n","value":1,"source":"s"}`))
	quality, _ := result["quality"].(map[string]any)
	if r, ok := quality["reliability"].(float64); !ok || r >= 1 || result["trust_score"] != result["quality_score"] {
		t.Errorf("result %v", result)
	}
}

// From further ahead than PULSE_MAX_CLOCK_SKEW is bad in profile v2, and fresh in
// parity.
func TestPath_ATimestampFromTheFuture(t *testing.T) {
	t.Parallel()
	value := fmt.Sprintf(`{"name":"n","value":1,"timestamp":%d}`, recordMs/1000+302)
	task, _ := learning(t, wall)
	w := one(t, task, signalAt(0, value))
	if headerOf(w, headerClass) != "future_timestamp" || headerOf(w, headerStage) != "ingest" || !strings.Contains(headerOf(w, headerMessage), "PULSE_MAX_CLOCK_SKEW") {
		t.Errorf("%+v", w)
	}
	scoredAs(t, newTask(t, wall), signalAt(0, value))
}

// What the profile refuses is named where it stands in the record, as what cannot
// be decoded is.
func TestPath_NamesWhatItRefusesWhereItStands(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("s", longestSource+1)
	const late, event = `"2026-01-01T00:00:00Z"`, `{"specversion":"1.0","id":"1","source":"s","type":"t",`
	for value, want := range map[string]string{
		`{"name":"n","value":1,"forecast":{},"overlays":{"hope":"x"}}`:                            "overlays.hope",
		event + `"data":{"name":"n","value":1,"forecast":{},"overlays":{"hope":"x"}}}`:            "data.overlays.hope",
		event + `"data":{"name":"n","value":1,"forecast":{},"context":{"arc_drift":{"x":true}}}}`: "data.context.arc_drift.x",
		event + `"data":{"name":"n","value":1,"timestamp":` + late + `}}`:                         "data.timestamp",
		event + `"time":` + late + `,"data":{"name":"n","value":1}}`:                              "time",
		strings.Replace(event, `"s"`, `"`+long+`"`, 1) + `"data":{"name":"n","value":1}}`:         " source",
	} {
		task, _ := learning(t, wall)
		task.settings.MaxRecordBytes = 1 << 20
		w := one(t, task, signalAt(0, value))
		if message := headerOf(w, headerMessage); w.to != DeadLetters || !strings.Contains(message, want+":") || want == "overlays.hope" && strings.Contains(message, "data.") {
			t.Errorf("%.200s: %q does not name %s", value, message, want)
		}
	}
}

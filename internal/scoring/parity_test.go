package scoring

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

// near are the fields the old system's hash order can change in the last bits;
// all others have to agree exactly.
var near = []string{"historical_consistency", "retrodiction_error", "alignment_components"}

// diff compares results as objects: the same names, and for each the same
// value. It returns one line per difference.
func diff(path string, got, want pulse.Value, tolerance float64) []string {
	if want.Kind == pulse.Object && got.Kind == pulse.Object {
		var lines []string
		for _, m := range want.Members {
			t := tolerance
			if slices.Contains(near, m.Name) {
				t = 1e-9
			}
			v, ok := got.Get(m.Name)
			if !ok {
				lines = append(lines, fmt.Sprintf("%s.%s: absent, want %s", path, m.Name, reprText(m.Value)))
				continue
			}
			lines = append(lines, diff(path+"."+m.Name, v, m.Value, t)...)
		}
		for _, m := range got.Members {
			if _, ok := want.Get(m.Name); !ok {
				lines = append(lines, fmt.Sprintf("%s.%s: got %s, want it absent", path, m.Name, reprText(m.Value)))
			}
		}
		return lines
	}
	if got.Kind == pulse.Number && want.Kind == pulse.Number && math.Abs(got.Number-want.Number) <= tolerance {
		return nil
	}
	if got.Kind == want.Kind && equal(got, want) {
		return nil
	}
	return []string{fmt.Sprintf("%s: got %s, want %s", path, reprText(got), reprText(want))}
}

func field(name string, v pulse.Value) pulse.Member { return pulse.Member{Name: name, Value: v} }

func boolValue(b bool) pulse.Value { return pulse.Value{Kind: pulse.Bool, Bool: b} }

func optionalValue(o pulse.Optional) pulse.Value {
	if !o.Valid {
		return pulse.Value{}
	}
	return pulse.NumberValue(o.Number)
}

func TestParity_Forecasts(t *testing.T) {
	t.Parallel()
	p := Parity()
	for _, v := range parityVectors(t, "public_forecasts.jsonl", "forecast") {
		record := member(v.in, "forecast")
		score := p.Score(
			&pulse.Signal{Name: "cpi", Kind: pulse.Forecasted, Record: record}, 0, nil,
			Context{
				Memory:       member(v.in, "memory"),
				CurrentState: member(v.in, "current_state"),
				ArcDrift:     member(v.in, "arc_drift"),
				RegretLog:    member(v.in, "regret_log"),
				License:      truthy(member(v.in, "license")),
			})
		for _, line := range forecastDiff(score, v.want, p) {
			t.Errorf("%s%s", v.id, line)
		}
	}
}

// forecastDiff compares one score with a vector's answer. Of errors only their
// presence is compared; the old system reports 0.0 for both scores then, the
// service null.
func forecastDiff(score pulse.Score, want pulse.Value, p *Profile) []string {
	if _, failed := want.Get("error"); failed {
		if score.EnrichmentError == "" || score.Enrichment != nil || score.Trust.Valid || score.Alignment.Valid {
			return []string{fmt.Sprintf(": got %+v, want an enrichment error and no scores", score)}
		}
		return nil
	}
	if score.EnrichmentError != "" {
		return []string{": got error " + score.EnrichmentError}
	}
	lines := diff("", enrichmentValue(score.Enrichment), member(want, "result"), 0)
	task := pulse.ObjectValue(
		field("trust_score", optionalValue(score.Trust)),
		field("alignment_score", optionalValue(score.Alignment)))
	lines = append(lines, diff(" task", task, member(want, "task"), 0)...)
	if e := score.Enrichment; p.Confidence.bounded(e.RawConfidence) != e.Confidence {
		lines = append(lines, fmt.Sprintf(": raw confidence %v does not lead to %v", e.RawConfidence, e.Confidence))
	}
	return lines
}

// enrichmentValue is an enrichment under the old system's names, the fields
// that were not set left out.
func enrichmentValue(e *pulse.Enrichment) pulse.Value {
	c := e.AlignmentComponents
	members := []pulse.Member{
		field("trace_id", e.TraceID),
		field("arc_label", pulse.StringValue(e.ArcLabel)),
		field("symbolic_tag", pulse.StringValue(e.ForecastTag)),
		field("confidence", pulse.NumberValue(e.Confidence)),
		field("risk_score", pulse.NumberValue(e.RiskScore)),
		field("historical_consistency", pulse.NumberValue(e.HistoricalConsistency)),
		field("trust_label", pulse.StringValue(e.TrustLabel)),
		field("alignment_score", pulse.NumberValue(e.AlignmentScore)),
		field("alignment_components", pulse.ObjectValue(
			field("confidence", pulse.NumberValue(c.Confidence)),
			field("retrodiction", pulse.NumberValue(c.Retrodiction)),
			field("arc_stability", pulse.NumberValue(c.ArcStability)),
			field("tag_match", pulse.NumberValue(c.TagMatch)),
			field("novelty", pulse.NumberValue(c.Novelty)))),
		field("trust_summary", pulse.StringValue(e.TrustSummary)),
	}
	if e.HasFragility {
		members = append(members, field("fragility", e.Fragility))
	}
	if e.HasRetrodictionError {
		members = append(members, field("retrodiction_error", optionalValue(e.RetrodictionError)))
	}
	if e.AttentionScore.Valid {
		members = append(members, field("attention_score", optionalValue(e.AttentionScore)))
	}
	if e.RepeatRegret != nil {
		members = append(members, field("repeat_regret", boolValue(*e.RepeatRegret)))
	}
	if e.LicenseStatus != "" || e.LicenseExplanation != "" {
		members = append(members,
			field("license_status", pulse.StringValue(e.LicenseStatus)),
			field("license_explanation", pulse.StringValue(e.LicenseExplanation)))
	}
	return pulse.ObjectValue(members...)
}

func TestParity_Signals(t *testing.T) {
	t.Parallel()
	p := Parity()
	signals := 0
	for _, v := range parityVectors(t, "public_signals.jsonl", "signals") {
		now, err := timestamp(member(v.in, "now").String)
		if err != nil {
			t.Fatalf("%s: in.now: %v", v.id, err)
		}
		decode := member(v.in, "decode").String
		if decode != "datetime" && decode != "raw" {
			t.Fatalf("%s: unknown decode %q", v.id, decode)
		}
		results, steps := member(v.want, "results").List, member(v.diag, "steps").List
		given := member(v.in, "signals").List
		if len(given) != len(results) || len(steps) != 0 && len(steps) != len(results) {
			t.Fatalf("%s: %d signals, %d results, %d steps", v.id, len(given), len(results), len(steps))
		}
		s := series{profile: p, now: now, raw: decode == "raw"}
		for i, want := range results {
			var step pulse.Value
			if len(steps) > 0 {
				step = steps[i]
			}
			for _, line := range s.diff(given[i], want, step) {
				t.Errorf("%s[%d]%s", v.id, i, line)
			}
			signals++
		}
	}
	t.Logf("%d signals compared", signals)
}

// series plays the signals of one vector: they share one window.
type series struct {
	profile *Profile
	now     pulse.Timestamp
	// raw is for vectors that hand timestamps on as they are, like the old
	// task did: any that is given then is an error. The service parses them, so
	// this part of such a vector is the test's, not the package's.
	raw    bool
	window []float64
}

func (s *series) diff(given, want, step pulse.Value) []string {
	sig, err := s.decode(given)
	if err == nil {
		s.window = append(s.window, sig.Value)
		s.window = s.window[max(0, len(s.window)-s.profile.WindowSize):]
		// The old system looks at the name last, when the value is in.
		if member(given, "name").Kind != pulse.String {
			err = errors.New("name: not a string")
		}
	}
	if _, failed := want.Get("error"); failed || err != nil {
		if failed != (err != nil) {
			return []string{fmt.Sprintf(": got error %v, want %s", err, reprText(want))}
		}
		return nil
	}
	score := s.profile.Score(sig, s.now.Micros, s.window, Context{})
	got := score.Ingest
	lines := diff("", pulse.ObjectValue(
		field("name", pulse.StringValue(sig.Name)),
		field("value", sameKind(sig.Value, member(given, "value"))),
		field("source", pulse.StringValue(sig.Source)),
		field("timestamp", pulse.StringValue(sig.Timestamp.String())),
		field("symbolic_tag", pulse.StringValue(got.SignalTag)),
		field("recency_score", pulse.NumberValue(got.RecencyScore)),
		field("anomaly_flag", boolValue(got.AnomalyFlag)),
		field("sti", pulse.NumberValue(got.STI)),
	), want, 0)
	if score.Trust != pulse.Some(0) || score.Alignment != pulse.Some(0) || score.Enrichment != nil || score.EnrichmentError != "" {
		lines = append(lines, fmt.Sprintf(": got %+v, want both scores 0 and no enrichment", score))
	}
	return append(lines, s.stepDiff(sig, got, step)...)
}

// stepDiff compares what the old system computed on the way.
func (s *series) stepDiff(sig *pulse.Signal, got pulse.Ingest, step pulse.Value) []string {
	var lines []string
	if want, ok := step.Get("recency_raw"); ok && got.RawRecency != want.Number {
		lines = append(lines, fmt.Sprintf(" recency: got %v, want %v", got.RawRecency, want.Number))
	}
	if want, ok := step.Get("window_len"); ok && float64(len(s.window)) != want.Number {
		lines = append(lines, fmt.Sprintf(" window: got %d values, want %v", len(s.window), want.Number))
	}
	z, defined := s.profile.Anomaly.z(sig.Value, s.window)
	want, ok := step.Get("z")
	switch {
	case ok && want.Kind == pulse.Number && !(defined && math.Abs(z-want.Number) <= 1e-6*math.Abs(want.Number)):
		lines = append(lines, fmt.Sprintf(" z: got %v (%v), want %v", z, defined, want.Number))
	case ok && want.Kind == pulse.Null && defined:
		lines = append(lines, fmt.Sprintf(" z: got %v, want none", z))
	}
	return lines
}

// decode does what the service's decoder does before scoring, as far as the
// vectors need it.
func (s *series) decode(given pulse.Value) (*pulse.Signal, error) {
	name, hasName := given.Get("name")
	x, isNumber := asNumber(member(given, "value"))
	if !hasName || !isNumber {
		return nil, errors.New("name or value: absent or of the wrong type")
	}
	sig := &pulse.Signal{Name: name.String, Value: x, Source: "celery", Timestamp: s.now}
	if source, ok := given.Get("source"); ok {
		if source.Kind != pulse.String {
			return nil, errors.New("source: not a string")
		}
		sig.Source, sig.SourceGiven = source.String, true
	}
	if text := member(given, "timestamp"); text.Kind != pulse.Null {
		if s.raw {
			return nil, errors.New("timestamp: given, and handed on as it is")
		}
		var err error
		if sig.Timestamp, err = timestamp(text.String); err != nil {
			return nil, err
		}
		sig.TimestampGiven = true
	}
	return sig, nil
}

// sameKind is x as the JSON type it was sent as: the old record repeats a
// boolean as a boolean.
func sameKind(x float64, sent pulse.Value) pulse.Value {
	if sent.Kind == pulse.Bool {
		return boolValue(x != 0)
	}
	return pulse.NumberValue(x)
}

// timestamp parses RFC 3339, digits behind microseconds cut off.
func timestamp(text string) (pulse.Timestamp, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return pulse.Timestamp{}, err
	}
	_, offset := at.Zone()
	return pulse.Timestamp{Micros: at.UnixMicro(), Offset: int16(offset / 60)}, nil
}

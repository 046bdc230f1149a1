package scoring

import (
	"fmt"
	"math"
	"slices"
	"testing"

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
	compareForecasts(t, parityVectors(t, parityDir(t), "public_forecasts.jsonl", "forecast"))
}

func TestParity_Signals(t *testing.T) {
	t.Parallel()
	compareSignals(t, parityVectors(t, parityDir(t), "public_signals.jsonl", "signals"))
}

func TestParity_GeneratedForecasts(t *testing.T) {
	t.Parallel()
	compareForecasts(t, parityVectors(t, generatedDir, "forecasts.jsonl", "forecast"))
}

func TestParity_GeneratedSignals(t *testing.T) {
	t.Parallel()
	compareSignals(t, parityVectors(t, generatedDir, "signals.jsonl", "signals"))
}

const generatedDir = "testdata/generated"

func compareForecasts(t *testing.T, vectors []vector) {
	t.Helper()
	p := Parity()
	for _, v := range vectors {
		sig := &pulse.Signal{Name: "cpi", Kind: pulse.Forecasted, Record: member(v.in, "forecast")}
		score := p.Score(sig, 0, Seen{}, vectorContext(v))
		for _, line := range forecastDiff(score, v.want, p) {
			t.Errorf("%s%s", v.id, line)
		}
	}
}

func vectorContext(v vector) Context {
	return Context{
		Memory:       member(v.in, "memory"),
		CurrentState: member(v.in, "current_state"),
		ArcDrift:     member(v.in, "arc_drift"),
		RegretLog:    member(v.in, "regret_log"),
		License:      truthy(member(v.in, "license")),
	}
}

// forecastDiff compares one score with a vector's answer. Of errors only their
// presence is compared; the old system reports 0.0 for both scores then, the
// service null.
func forecastDiff(score pulse.Score, want pulse.Value, p *Profile) []string {
	if _, failed := want.Get("error"); failed {
		if score.EnrichmentError == "" || score.Enrichment != nil || score.Trust.Valid || score.Alignment.Valid {
			return []string{fmt.Sprintf(": got error %q, enrichment %+v, trust %v, want an error and no scores (the old one: %s)",
				score.EnrichmentError, score.Enrichment, score.Trust, reprText(member(want, "error")))}
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
			field("confidence", optionalValue(c.Confidence)),
			field("retrodiction", optionalValue(c.Retrodiction)),
			field("arc_stability", optionalValue(c.ArcStability)),
			field("tag_match", optionalValue(c.TagMatch)),
			field("novelty", optionalValue(c.Novelty)))),
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

package scoring

import (
	"strings"
	"testing"

	"pulse-scorer/internal/pulse"
)

// enriched is what v2 makes of a record, which Admit must take.
func enriched(t *testing.T, record string, ctx Context) *pulse.Enrichment {
	t.Helper()
	sig := &pulse.Signal{Kind: pulse.Forecasted, Record: value(t, record)}
	if bad := V2().Admit(sig, 0); bad != nil {
		t.Fatalf("%s: %v", record, bad)
	}
	e, err := V2().Enrich(sig.Record, ctx)
	if err != nil {
		t.Fatalf("%s: %v", record, err)
	}
	return e
}

func TestV2_TagsAreWholeWords(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"hope": "hope", "HOPE-index": "hope", "us_rage_7d": "rage", "index.of.despair": "despair", "fatigue!": "fatigue",
		"average": "neutral", "leverage": "neutral", "shopee": "neutral", "rage2": "neutral", "2rage": "neutral",
		"éhope": "neutral", "hopeß": "neutral", "hope٣": "neutral", "hope·rage": "hope", "average rage": "rage", "rage of hope": "hope", "": "neutral",
	} {
		if got := V2().SignalTags.of(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// The label of the old system came before fragility, and the cap made sure that
// no computed one could fail the gate.
func TestV2_FragilityComesFirstAndCanFailTheGate(t *testing.T) {
	t.Parallel()
	const fragile = `{"overlays":{"hope":0.9,"despair":0.9,"rage":0.9,"trust":0.9,"fatigue":1},"fragility":0,
		"symbolic_change":{"hope":5},"forecast":{"start_capital":{"spy":1},"end_capital":{"spy":1001}}}`
	e := enriched(t, fragile, Context{})
	// tension .81 + .81 + .45 = 2.07, volatility 1; over the cap.
	if e.Fragility.Number != 1 || e.TrustLabel != "🟡 Unstable" {
		t.Errorf("fragility %v, label %s", e.Fragility.Number, e.TrustLabel)
	}
	// base (0+1)/2, risk .25 of volatility + .01, no memory.
	if want := roundTo(0.4*0.5+0.3*(1-0.26)+0.2*0.8+0.1, 3); e.Confidence != want {
		t.Errorf("confidence %v, want %v", e.Confidence, want)
	}
}

func TestV2_ConfidenceHasNoFloor(t *testing.T) {
	t.Parallel()
	record := `{"overlays":{"hope":1,"despair":1,"rage":1,"trust":1},"symbolic_fragmented":true,"forecast":{"symbolic_change":{"hope":5},
		"start_capital":{"nvda":1},"end_capital":{"nvda":1}}}`
	memory := `[{"forecast":{"symbolic_change":{"hope":5}}},{"forecast":{"symbolic_change":{"hope":-5}}}]`
	e := enriched(t, record, Context{Memory: value(t, memory)})
	// base at its own floor .3, risk .2 + .01, history .5, a duplicate, fragmented.
	if want := roundTo(0.4*0.3+0.3*(1-0.21)+0.2*0.5-0.2, 3); e.Confidence != want || e.RawConfidence != want {
		t.Errorf("confidence %v, raw %v, want %v", e.Confidence, e.RawConfidence, want)
	}
}

func TestV2_ChangeCountsInEitherPlace(t *testing.T) {
	t.Parallel()
	const overlays = `{"overlays":{"hope":0.5},`
	inner := enriched(t, overlays+`"forecast":{"symbolic_change":{"hope":2.5}}}`, Context{})
	outer := enriched(t, overlays+`"symbolic_change":{"hope":2.5},"forecast":{}}`, Context{})
	both := enriched(t, overlays+`"symbolic_change":{"hope":5},"forecast":{"symbolic_change":{"hope":2.5}}}`, Context{})
	for place, e := range map[string]*pulse.Enrichment{"inner": inner, "outer": outer, "both": both} {
		if e.Fragility.Number != 0.2 || e.Confidence != inner.Confidence {
			t.Errorf("%s: fragility %v, confidence %v", place, e.Fragility.Number, e.Confidence)
		}
	}
	// What the stream remembers is the change that counted.
	record := value(t, overlays+`"symbolic_change":{"hope":2.5},"forecast":{}}`)
	memory := pulse.ListValue([]pulse.Value{V2().MemoryEntry(record, outer)})
	if again := enriched(t, overlays+`"symbolic_change":{"hope":2.5},"forecast":{}}`, Context{Memory: memory}); again.HistoricalConsistency != 1 ||
		again.Confidence >= outer.Confidence {
		t.Errorf("again: consistency %v, confidence %v after %v", again.HistoricalConsistency, again.Confidence, outer.Confidence)
	}
}

func TestV2_OnlyChangesCanBeDuplicates(t *testing.T) {
	t.Parallel()
	memory := value(t, `[{"forecast":{}},{"forecast":{"symbolic_change":{}}}]`)
	first := enriched(t, `{"forecast":{"symbolic_change":{}}}`, Context{})
	if e := enriched(t, `{"forecast":{"symbolic_change":{}}}`, Context{Memory: memory}); e.Confidence != roundTo(first.Confidence-0.2*0.1-0.3*0.4*0.4, 3) {
		t.Errorf("confidence %v after %v", e.Confidence, first.Confidence)
	}
}

func TestV2_TheModelsErrorIsPartOfTheRisk(t *testing.T) {
	t.Parallel()
	for given, want := range map[pulse.Optional]float64{{}: 0.01, pulse.Some(0): 0, pulse.Some(0.5): 0.05, pulse.Some(7): 0.1} {
		if e := enriched(t, `{}`, Context{ModelError: given}); e.RiskScore != want {
			t.Errorf("error %v: risk %v, want %v", given, e.RiskScore, want)
		}
	}
	e, err := Parity().Enrich(value(t, `{}`), Context{ModelError: pulse.Some(0.5)})
	if err != nil || e.RiskScore != 0.01 {
		t.Errorf("parity: risk %v, error %v", e.RiskScore, err)
	}
}

func TestV2_UnknownComponentsShareTheirWeight(t *testing.T) {
	t.Parallel()
	state := value(t, `{"overlays":{"hope":0.5}}`)
	for _, tt := range []struct {
		name, record             string
		state                    pulse.Value
		retrodiction, stability  pulse.Optional
		weights, expectedRestSum float64
	}{
		{"nothing known", `{}`, pulse.Value{}, pulse.Optional{}, pulse.Optional{}, 0.6, 0},
		{"null is none", `{"retrodiction_score":null}`, pulse.Value{}, pulse.Optional{}, pulse.Optional{}, 0.6, 0},
		{"nothing in common", `{"forecast":{"start_state":{"overlays":{"rage":1}}}}`, state, pulse.Optional{}, pulse.Optional{}, 0.6, 0},
		{"empty state", `{"forecast":{"start_state":{"overlays":{"rage":1}}}}`, value(t, `{}`), pulse.Optional{}, pulse.Optional{}, 0.6, 0},
		{"compared", `{"forecast":{"start_state":{"overlays":{"hope":1}}}}`, state, pulse.Some(0.75), pulse.Optional{}, 0.8, 0.75 * 0.2},
		{"null, compared", `{"retrodiction_score":null,"forecast":{"start_state":{"overlays":{"hope":1}}}}`, state, pulse.Some(0.75), pulse.Optional{}, 0.8, 0.75 * 0.2},
		{"scored", `{"retrodiction_score":0.5}`, state, pulse.Some(0.5), pulse.Optional{}, 0.8, 0.5 * 0.2},
		{"all", `{"retrodiction_score":0.5,"arc_volatility_score":0.25}`, pulse.Value{}, pulse.Some(0.5), pulse.Some(0.75), 1, 0.5*0.2 + 0.75*0.2},
	} {
		e := enriched(t, tt.record, Context{CurrentState: tt.state, SignalTag: "rage"})
		c := e.AlignmentComponents
		if c.Retrodiction != tt.retrodiction || c.ArcStability != tt.stability {
			t.Errorf("%s: %+v", tt.name, c)
		}
		want := roundTo((c.Confidence.Number*0.3+tt.expectedRestSum+0.15)/tt.weights*100, 2) // nothing to match, all new
		if e.AlignmentScore != want {
			t.Errorf("%s: alignment %v, want %v", tt.name, e.AlignmentScore, want)
		}
	}
}

func TestV2_TagMatchLooksAtBothTags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		overlays, signalTag string
		want                float64
	}{
		{`{"hope":0.9}`, "rage", 1},
		{`{"rage":0.9}`, "hope", 1},
		{`{"rage":0.9}`, "neutral", 1},
		{`{"hope":0.9}`, "hope", 1},
		{`{"rage":0.9}`, "despair", 0},
		{`{}`, "fatigue", 0},
	} {
		e := enriched(t, `{"overlays":`+tt.overlays+`}`, Context{SignalTag: tt.signalTag})
		if e.AlignmentComponents.TagMatch != pulse.Some(tt.want) {
			t.Errorf("%+v: got %v", tt, e.AlignmentComponents.TagMatch)
		}
	}
}

func TestV2_LicenseWantsAlignmentAndTakesStable(t *testing.T) {
	t.Parallel()
	const good = `{"overlays":{"hope":0.9},"retrodiction_score":1,"arc_volatility_score":`
	approved := enriched(t, good+`0,"drift_flag":"✅ Stable"}`, Context{License: true})
	if approved.LicenseStatus != "✅ Approved" || approved.AlignmentScore < 75 || strings.Contains(approved.LicenseExplanation, "drift") {
		t.Errorf("status %s at %v: %s", approved.LicenseStatus, approved.AlignmentScore, approved.LicenseExplanation)
	}
	low := enriched(t, `{"overlays":{"hope":0.9},"retrodiction_score":0.5,"arc_volatility_score":0.7,"drift_flag":"✅ Stable"}`, Context{License: true})
	if low.LicenseStatus != "⚠️ Low Alignment" || low.AlignmentScore < 70 || low.AlignmentScore >= 75 ||
		!strings.HasSuffix(low.LicenseExplanation, "reason(s):\n- Alignment score below threshold (71.71).") {
		t.Errorf("status %s at %v: %s", low.LicenseStatus, low.AlignmentScore, low.LicenseExplanation)
	}
	drifts := enriched(t, good+`0,"drift_flag":"Drifting"}`, Context{License: true})
	if drifts.LicenseStatus != "🔴 Blocked - Drifting" || !strings.Contains(drifts.LicenseExplanation, "drift detected: Drifting") {
		t.Errorf("status %s: %s", drifts.LicenseStatus, drifts.LicenseExplanation)
	}
}

func TestV2_RegretNeedsAnID(t *testing.T) {
	t.Parallel()
	log := value(t, `[{"trace_id":"unknown"},{},{"trace_id":null},{"trace_id":"a"}]`)
	for record, want := range map[string]string{
		`{}`: "open", `{"trace_id":null}`: "open", `{"trace_id":"a"}`: "true", `{"trace_id":"b"}`: "false", `{"trace_id":"unknown"}`: "true",
	} {
		e := enriched(t, record, Context{RegretLog: log})
		got := "open"
		if e.RepeatRegret != nil {
			got = map[bool]string{true: "true", false: "false"}[*e.RepeatRegret]
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", record, got, want)
		}
	}
	if e := enriched(t, `{}`, Context{}); e.TraceID.String != "unknown" {
		t.Errorf("id %v", e.TraceID)
	}
}

// In both profiles each objection of the licence is a reason of its explanation:
// a list of no reasons helps nobody.
func TestLicense_EveryObjectionHasAReason(t *testing.T) {
	t.Parallel()
	for _, p := range []*Profile{Parity(), V2()} {
		for alignment := 0.0; alignment <= 100; alignment += 0.5 {
			for _, confidence := range []float64{0.599, 0.6} {
				for _, drift := range []string{"", "x", "✅ Stable"} {
					e := &pulse.Enrichment{AlignmentScore: alignment, Confidence: confidence, TrustLabel: p.Gate.Trusted}
					e.LicenseStatus = p.License.status(e, pulse.StringValue(drift))
					text := p.licenseExplanation(e, pulse.StringValue(drift))
					if strings.HasSuffix(text, "\n- ") || (e.LicenseStatus == p.License.Approved) != strings.Contains(text, "fully licensed") {
						t.Errorf("%s: alignment %v, confidence %v, drift %q: %s, %q", p.Name, alignment, confidence, drift, e.LicenseStatus, text)
					}
				}
			}
		}
	}
}

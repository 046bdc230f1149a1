package scoring

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"pulse-scorer/internal/pulse"
)

func TestAdmit_RefusesTheFarFuture(t *testing.T) {
	t.Parallel()
	const now, skew = 1_700_000_000_000_000, 300_000_000
	for _, tt := range []struct {
		profile *Profile
		at      int64
		class   pulse.Class
	}{
		{V2(), now, ""},
		{V2(), now + skew, ""},
		{V2(), now + skew + 1, pulse.FutureTimestamp},
		{V2(), 1<<63 - 1, pulse.FutureTimestamp},
		{V2(), -1 << 63, ""},
		{Parity(), 1<<63 - 1, ""},
	} {
		bad := tt.profile.Admit(&pulse.Signal{Timestamp: pulse.Timestamp{Micros: tt.at}}, now)
		if (bad == nil) != (tt.class == "") || bad != nil && (bad.Class != tt.class || bad.Field != "timestamp") {
			t.Errorf("%s at %d: %v", tt.profile.Name, tt.at-now, bad)
		}
	}
	bad := V2().Admit(&pulse.Signal{Timestamp: pulse.Timestamp{Micros: now + 3_723_000_000}}, now)
	if want := "is 1h2m3s ahead of the record's time, more than 5m0s (PULSE_MAX_CLOCK_SKEW)"; bad == nil || bad.Message != want {
		t.Errorf("got %v, want %s", bad, want)
	}
}

func TestAdmit_NamesFieldsOfTheWrongType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ record, context, field, message string }{
		{`{"trace_id":7}`, ``, "trace_id", "must be a string, is a number"},
		{`{"overlays":null}`, ``, "overlays", "must be an object, is null"},
		{`{"overlays":{"other":"x","fatigue":true}}`, ``, "overlays.fatigue", "must be a number, is a boolean"},
		{`{"symbolic_change":{"any":[]}}`, ``, "symbolic_change.any", "must be a number, is a list"},
		{`{"symbolic_change":[1]}`, ``, "symbolic_change", "must be an object, is a list"},
		{`{"fragility":"0.5"}`, ``, "fragility", "must be a number, is a string"},
		{`{"fragility":null}`, ``, "fragility", "must be a number, is null"},
		{`{"arc_volatility_score":null}`, ``, "arc_volatility_score", "must be a number, is null"},
		{`{"arc_volatility_score":{}}`, ``, "arc_volatility_score", "must be a number, is an object"},
		{`{"retrodiction_score":"1"}`, ``, "retrodiction_score", "must be a number, is a string"},
		{`{"drift_flag":1}`, ``, "drift_flag", "must be a string, is a number"},
		{`{"forecast":{"start_capital":[]}}`, ``, "forecast.start_capital", "must be an object, is a list"},
		{`{"forecast":{"end_capital":{"spy":"1"}}}`, ``, "forecast.end_capital.spy", "must be a number, is a string"},
		{`{"forecast":{"symbolic_change":{"a":1,"b":null}}}`, ``, "forecast.symbolic_change.b", "must be a number, is null"},
		{`{"forecast":{"start_state":7}}`, ``, "forecast.start_state", "must be an object, is a number"},
		{`{"forecast":{"start_state":{"overlays":{"a":"x"}}}}`, ``, "forecast.start_state.overlays.a", "must be a number, is a string"},
		{`{}`, `{"current_state":null}`, "context.current_state", "must be an object, is null"},
		{`{}`, `{"current_state":{"overlays":{"a":""}}}`, "context.current_state.overlays.a", "must be a number, is a string"},
		{`{}`, `{"arc_drift":{"Hope Surge":"3"}}`, "context.arc_drift.Hope Surge", "must be a number, is a string"},
		{`{}`, `{"regret":{}}`, "context.regret", "must be a list, is an object"},
		{`{}`, `{"regret":[{},"a"]}`, "context.regret.1", "must be an object, is a string"},
		{`{}`, `{"regret":[{"trace_id":1}]}`, "context.regret.0.trace_id", "must be a string, is a number"},
		{`{"fragility":"first","drift_flag":1}`, `{"regret":1}`, "fragility", "must be a number, is a string"},
	} {
		sig := &pulse.Signal{Kind: pulse.Forecasted, Record: value(t, tt.record)}
		if tt.context != "" {
			sig.Context = value(t, tt.context)
		}
		bad := V2().Admit(sig, 0)
		if bad == nil || bad.Class != pulse.InvalidField || bad.Field != tt.field || bad.Message != tt.message {
			t.Errorf("%s %s: got %v, want %s: %s", tt.record, tt.context, bad, tt.field, tt.message)
		}
		if bad := Parity().Admit(sig, 0); bad != nil {
			t.Errorf("parity: %s: %v", tt.record, bad)
		}
	}
}

func TestAdmit_TakesWhatIsRightOrNotRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ record, context string }{
		{`{}`, `{}`},
		{`{"trace_id":null,"retrodiction_score":null,"symbolic_fragmented":[null],"symbolic_tag":5}`, `{"other":null}`},
		{`{"overlays":{"other":"x"},"forecast":{"start_capital":{"other":null},"other":7}}`, `{"current_state":{},"arc_drift":{},"regret":[{},{"trace_id":null}]}`},
	} {
		sig := &pulse.Signal{Kind: pulse.Forecasted, Record: value(t, tt.record), Context: value(t, tt.context)}
		if bad := V2().Admit(sig, 0); bad != nil {
			t.Errorf("%s %s: %v", tt.record, tt.context, bad)
		}
	}
	raw := &pulse.Signal{Record: value(t, `{"fragility":"x"}`)}
	if bad := V2().Admit(raw, 0); bad != nil {
		t.Errorf("raw: %v", bad)
	}
}

func TestAdmit_KeepsPathsShort(t *testing.T) {
	t.Parallel()
	record := `{"symbolic_change":{"` + strings.Repeat("é", 1000) + `":""}}`
	bad := V2().Admit(&pulse.Signal{Kind: pulse.Forecasted, Record: value(t, record)}, 0)
	if bad == nil || len(bad.Field) > maxPath+3 || !strings.HasSuffix(bad.Field, "é...") {
		t.Errorf("got %v", bad)
	}
}

// Of 20,000 wild forecasts, one after the other in a stream, those that are taken
// fail for nothing but the size of their numbers; that they are refused otherwise
// is what makes the stream's memory good.
func TestAdmit_WhatItTakesOnlySizeCanFail(t *testing.T) {
	t.Parallel()
	p, taken, memory := V2(), 0, []pulse.Value(nil)
	for seed := range uint64(20_000) {
		w := wild{rand.New(rand.NewPCG(seed, 2))}
		sig := &pulse.Signal{Kind: pulse.Forecasted, Record: w.record()}
		sig.Context = pulse.ObjectValue(field("current_state", w.state()), field("arc_drift", w.numbers("Unknown")), field("regret", w.list(2, w.entry)))
		if p.Admit(sig, 0) != nil {
			continue
		}
		taken++
		e, err := p.Enrich(sig.Record, ContextOf(sig.Context, pulse.ListValue(memory), true))
		if err != nil && !errors.Is(err, errFragilityRange) {
			t.Errorf("%s: %v", reprText(sig.Record), err)
		}
		if err == nil {
			memory = append(memory, p.MemoryEntry(sig.Record, e))
			memory = memory[max(0, len(memory)-p.MemorySize):]
		}
	}
	if taken < 2_000 || taken > 18_000 {
		t.Errorf("%d of 20000 were taken: the generator says little", taken)
	}
}

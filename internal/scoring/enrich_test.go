package scoring

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pulse-scorer/internal/pulse"
)

// plain is a forecast that nothing is wrong with.
const plain = `{"trace_id":"a","overlays":{"hope":0.8},"fragility":0.2,
	"forecast":{"start_capital":{"nvda":1000},"end_capital":{"nvda":1150},"symbolic_change":{"hope":0.3}}}`

func TestEnrich_FailsAsAWhole(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ record, memory, path string }{
		"record":                {`[]`, `null`, "record"},
		"overlays":              {`{"overlays":null}`, `null`, "overlays"},
		"inner":                 {`{"forecast":null}`, `null`, "forecast"},
		"memory":                {plain, `{"a":1}`, "memory"},
		"memory entry":          {plain, `[{},7]`, "memory[1]"},
		"memory entry's inner":  {plain, `[{"forecast":null}]`, "memory[0].forecast"},
		"memory entry's change": {plain, `[{"forecast":{"symbolic_change":[1]}}]`, "memory[0].forecast.symbolic_change"},
		"overlay":               {`{"overlays":{"hope":"0.9"}}`, `null`, "overlays.hope"},
		"capital":               {`{"forecast":{"start_capital":[1],"end_capital":{"spy":1}}}`, `null`, "forecast.start_capital"},
		"arc volatility":        {`{"arc_volatility_score":null}`, `null`, "arc_volatility_score"},
		"gate":                  {`{"fragility":"abc"}`, `null`, "fragility"},
		"summary":               {`{"fragility":"0.2","symbolic_change":null}`, `null`, "fragility"},
		"overflow":              {`{"overlays":{"rage":1e308,"trust":-1e308}}`, `null`, "overlays"},
	} {
		e, err := Parity().Enrich(value(t, tt.record), Context{Memory: value(t, tt.memory)})
		if err == nil || e != nil || !strings.HasPrefix(err.Error(), tt.path+": ") {
			t.Errorf("%s: got %+v, error %v, want an error at %s", name, e, err, tt.path)
		}
	}
}

// An empty current state is given, but empty: no retrodiction error, yet
// nothing to differ from. Null is not given.
func TestEnrich_TellsAnEmptyCurrentStateFromNone(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]float64{`null`: 0, `{}`: 1, `[]`: 0, `0`: 0} {
		e, err := Parity().Enrich(value(t, plain), Context{CurrentState: value(t, state)})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.AlignmentComponents.Retrodiction; got != pulse.Some(want) || e.HasRetrodictionError {
			t.Errorf("current state %s: retrodiction %v (error set: %v), want %v and none", state, got, e.HasRetrodictionError, want)
		}
	}
}

func TestEnrich_KeepsRawConfidenceBelowTheFloor(t *testing.T) {
	t.Parallel()
	record := `{"overlays":{},"symbolic_fragmented":true,"fragility":1,"forecast":{"symbolic_change":{"hope":1},
		"start_capital":{"nvda":1},"end_capital":{"nvda":1}}}`
	memory := `[{"forecast":{"symbolic_change":{"hope":1}}},{"forecast":{"symbolic_change":{"hope":-1}}}]`
	e, err := Parity().Enrich(value(t, record), Context{Memory: value(t, memory)})
	if err != nil {
		t.Fatal(err)
	}
	// 0.4·0.3 + 0.3·(1-0.21) + 0.2·0.5 + 0.1·0 - 0.2
	if e.RawConfidence != 0.257 || e.Confidence != 0.4 {
		t.Errorf("raw %v, confidence %v, want 0.257 and the floor 0.4", e.RawConfidence, e.Confidence)
	}
}

func TestEnrich_CountsTheAssetsOfTheProfile(t *testing.T) {
	t.Parallel()
	record := value(t, `{"forecast":{"start_capital":{"gold":100},"end_capital":{"gold":1100}}}`)
	p := Parity()
	before, _ := p.Enrich(record, Context{})
	p.Assets = []string{"gold"}
	after, _ := p.Enrich(record, Context{})
	if before.RiskScore != 0.01 || after.RiskScore != 0.26 {
		t.Errorf("risk without and with the asset: %v and %v, want 0.01 and 0.26", before.RiskScore, after.RiskScore)
	}
	if fresh := Parity().Assets[0]; fresh != "nvda" {
		t.Errorf("a later Parity has %q", fresh)
	}
}

func TestEnrich_PrintsFragilityAsItWasSent(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		`2`: "Fragility: 2,", `2.0`: "Fragility: 2.0,", `true`: "Fragility: True,", `-0`: "Fragility: 0,",
		`1e16`: "Fragility: 1e+16,", `0.00001`: "Fragility: 1e-05,", `0.0001`: "Fragility: 0.0001,",
		`123456789012345678901`: "Fragility: 123456789012345678901,",
	} {
		e, err := Parity().Enrich(value(t, `{"symbolic_change":null,"fragility":`+sent+`}`), Context{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.TrustSummary, want) {
			t.Errorf("fragility %s: summary %q, want %q in it", sent, e.TrustSummary, want)
		}
	}
	e, _ := Parity().Enrich(value(t, `{"symbolic_change":null}`), Context{})
	if e.HasFragility || !strings.Contains(e.TrustSummary, "Fragility: N/A,") {
		t.Errorf("without fragility: %+v", e)
	}
}

func TestContextOf_ReadsTheRecordsOwnContext(t *testing.T) {
	t.Parallel()
	memory := value(t, `[{}]`)
	got := ContextOf(value(t, `{"current_state":{"overlays":{}},"arc_drift":{"x":1},"regret":[{}]}`), memory, true)
	want := Context{
		Memory: memory, CurrentState: value(t, `{"overlays":{}}`), ArcDrift: value(t, `{"x":1}`),
		RegretLog: value(t, `[{}]`), License: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := ContextOf(pulse.Value{}, pulse.Value{}, false); !reflect.DeepEqual(got, Context{}) {
		t.Errorf("without a context: %+v, want nothing given", got)
	}
}

// enrichSane holds the invariants of Enrich for finite input: it does not
// panic, either fails or answers with finite numbers, changes none of its
// arguments, and gives the same again.
func enrichSane(t *testing.T, record pulse.Value, ctx Context) {
	t.Helper()
	ctx.ModelError = pulse.Some(0.5)
	profileSane(t, Parity(), record, ctx)
	profileSane(t, V2(), record, ctx)
}

func profileSane(t *testing.T, p *Profile, record pulse.Value, ctx Context) { //nolint:cyclop // a list of invariants
	t.Helper()
	recordBefore, memoryBefore := cloned(record), cloned(ctx.Memory)
	e, err := p.Enrich(record, ctx)
	again, errAgain := p.Enrich(record, ctx)
	if !reflect.DeepEqual(e, again) || (err == nil) != (errAgain == nil) {
		t.Fatalf("record %s: %+v %v, then %+v %v", reprText(record), e, err, again, errAgain)
	}
	if !reflect.DeepEqual(record, recordBefore) && reprText(record) != reprText(recordBefore) ||
		reprText(ctx.Memory) != reprText(memoryBefore) {
		t.Fatalf("record %s: an argument was changed", reprText(recordBefore))
	}
	if (err == nil) != (e != nil) || errors.Is(err, errNotFinite) {
		t.Fatalf("record %s: %+v, error %v", reprText(record), e, err)
	}
	if e != nil {
		if err := checkFinite(e); err != nil {
			t.Fatalf("record %s: %v: %+v", reprText(record), err, e)
		}
		if e.Confidence < p.Confidence.Floor || e.Confidence > 1 || e.AlignmentScore < 0 || e.AlignmentScore > 100 || e.RiskScore < 0 || e.RiskScore > 0.95 {
			t.Fatalf("record %s: out of range: %+v", reprText(record), e)
		}
		p.MemoryEntry(record, e)
	}
}

func TestEnrich_IsDeterministicAndFiniteOnWildRecords(t *testing.T) {
	t.Parallel()
	failed := 0
	for seed := range uint64(8_000) {
		w := wild{rand.New(rand.NewPCG(seed, 1))}
		record, ctx := w.record(), Context{
			Memory: w.list(6, w.entry), CurrentState: w.state(), ArcDrift: w.numbers("Hope Surge", "Unknown", "Rage Arc"),
			RegretLog: w.list(3, w.entry), License: seed%2 == 0,
		}
		enrichSane(t, record, ctx)
		if _, err := Parity().Enrich(record, ctx); err != nil {
			failed++
		}
	}
	if failed < 400 || failed > 7_600 {
		t.Errorf("%d of 8000 records failed: the generator says little", failed)
	}
}

// FuzzEnrich: the invariants of enrichSane for any JSON. An object's member
// "context" and "memory" are used as such.
func FuzzEnrich(f *testing.F) {
	for _, v := range parityVectors(f, "testdata/parity", "public_forecasts.jsonl", "forecast")[:60] {
		f.Add(jsonText(v.in.Members))
	}
	f.Add(`{"forecast":{"overlays":{"hope":1e308,"despair":1e308,"rage":-1e308,"trust":1e308}}}`)
	f.Add(`{"forecast":{"forecast":{"start_capital":{"spy":-1e308},"end_capital":{"spy":1e308}}},"memory":[{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		in, err := parseValue(text)
		if err != nil {
			t.Skip("not a finite JSON value")
		}
		enrichSane(t, member(in, "forecast"), vectorContext(vector{in: in}))
	})
}

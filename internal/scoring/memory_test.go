package scoring

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pulse-scorer/internal/pulse"
)

func TestMemoryEntry_KeepsTagAndChange(t *testing.T) {
	t.Parallel()
	for inner, want := range map[string]string{
		`{"symbolic_change":{"hope":0.3,"x":[1]},"start_capital":{"spy":1}}`: `{"symbolic_change":{"hope":0.3,"x":[1]}}`,
		`{"symbolic_change":null}`: `{"symbolic_change":null}`,
		`{"symbolic_change":{}}`:   `{"symbolic_change":{}}`,
		`{"symbolic_change":"x"}`:  `{}`,
		`{"symbolic_change":[1]}`:  `{}`,
		`{}`:                       `{}`,
	} {
		record := value(t, `{"overlays":{"hope":0.9},"forecast":`+inner+`}`)
		e, err := Parity().Enrich(record, Context{})
		if err != nil {
			t.Fatal(err)
		}
		got := Parity().MemoryEntry(record, e)
		if want := value(t, `{"symbolic_tag":"Hope","forecast":`+want+`}`); reprText(got) != reprText(want) {
			t.Errorf("inner %s: entry %s, want %s", inner, reprText(got), reprText(want))
		}
	}
}

// A symbolic_change of text passes its own forecast. Kept as it is, it would
// fail the next three of its stream.
func TestMemoryEntry_NeverFailsLaterForecasts(t *testing.T) {
	t.Parallel()
	p := Parity()
	next := value(t, plain)
	for seed := range uint64(5000) {
		w := wild{rand.New(rand.NewPCG(seed, 2))}
		record := w.record()
		e, err := p.Enrich(record, Context{})
		if err != nil {
			continue
		}
		memory := pulse.ListValue([]pulse.Value{p.MemoryEntry(record, e)})
		if _, err := p.Enrich(next, Context{Memory: memory}); err != nil {
			t.Fatalf("after %s: %v", reprText(record), err)
		}
	}
}

// What a stream remembers scores like the whole earlier records would.
func TestMemoryEntry_ScoresLikeTheWholeRecord(t *testing.T) {
	t.Parallel()
	p := Parity()
	compared := 0
	for seed := range uint64(5000) {
		w := wild{rand.New(rand.NewPCG(seed, 3))}
		earlier, next := w.record(), w.record()
		e, err := p.Enrich(earlier, Context{})
		inner, _ := earlier.Get("forecast")
		if err != nil || truthy(member(inner, "symbolic_change")) && member(inner, "symbolic_change").Kind != pulse.Object {
			continue
		}
		var whole []pulse.Member
		for _, m := range earlier.Members {
			if m.Name != "symbolic_tag" {
				whole = append(whole, m)
			}
		}
		whole = append(whole, field("symbolic_tag", pulse.StringValue(e.ForecastTag)))
		got, errGot := p.Enrich(next, Context{Memory: pulse.ListValue([]pulse.Value{p.MemoryEntry(earlier, e)})})
		want, errWant := p.Enrich(next, Context{Memory: pulse.ListValue([]pulse.Value{pulse.ObjectValue(whole...)})})
		if !reflect.DeepEqual(got, want) || (errGot == nil) != (errWant == nil) {
			t.Fatalf("earlier %s: %+v %v, want %+v %v", reprText(earlier), got, errGot, want, errWant)
		}
		compared++
	}
	if compared < 500 {
		t.Errorf("only %d compared", compared)
	}
}

func TestCombine_ShowsAFailedEnrichment(t *testing.T) {
	t.Parallel()
	p := Parity()
	sig := &pulse.Signal{Name: "rage", Value: 1, Kind: pulse.Forecasted, Record: value(t, `{"overlays":null}`)}
	got := p.Score(sig, 0, Seen{Window: []float64{1}}, Context{})
	if got.Trust.Valid || got.Alignment.Valid || got.Enrichment != nil || !strings.HasPrefix(got.EnrichmentError, "overlays: ") {
		t.Errorf("got %+v, want an error and no scores", got)
	}
	if got.Ingest.SignalTag != "rage" {
		t.Errorf("the ingest result is lost: %+v", got.Ingest)
	}
	sig.Record = value(t, plain)
	got = p.Score(sig, 0, Seen{Window: []float64{1}}, Context{})
	if got.Enrichment == nil || got.Trust != pulse.Some(got.Enrichment.Confidence) || got.Alignment != pulse.Some(got.Enrichment.AlignmentScore) {
		t.Errorf("got %+v, want the forecast's own scores", got)
	}
	sig.Kind = pulse.Raw
	if got = p.Score(sig, 0, Seen{Window: []float64{1}}, Context{}); got.Trust != pulse.Some(0) || got.Alignment != pulse.Some(0) || got.Enrichment != nil {
		t.Errorf("raw: got %+v, want 0 and 0", got)
	}
}

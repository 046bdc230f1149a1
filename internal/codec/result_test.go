package codec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

var update = flag.Bool("update", false, "write schemas/testdata/result anew from the encoder")

func testMeta() codec.Meta {
	return codec.Meta{
		Profile: "parity", ScorerVersion: "1.2.3", Attempts: 1,
		Topic: "pulse.signals", Partition: 3, Offset: 812, TimestampMs: recordMs,
	}
}

func rawScore() pulse.Score {
	return pulse.Score{
		Ingest: pulse.Ingest{SignalTag: "neutral", RawRecency: 0.99813, RecencyScore: 0.998, STI: 0.899},
		Trust:  pulse.Some(0), Alignment: pulse.Some(0),
	}
}

func forecastScore() pulse.Score {
	regret := false
	return pulse.Score{
		Ingest: pulse.Ingest{SignalTag: "hope", RecencyScore: 1, AnomalyFlag: true, AnomalyScore: pulse.Some(0.25), STI: 0.7},
		Trust:  pulse.Some(0.736), Alignment: pulse.Some(71.08),
		Enrichment: &pulse.Enrichment{
			TraceID: pulse.StringValue("abc123"), ArcLabel: "Hope Surge", ForecastTag: "Hope", Confidence: 0.736, RawConfidence: 0.736,
			RiskScore: 0.048, HistoricalConsistency: 0.8, TrustLabel: "🟢 Trusted", Fragility: pulse.NumberValue(0.096), HasFragility: true,
			HasRetrodictionError: true, AlignmentScore: 71.08,
			AlignmentComponents: pulse.AlignmentComponents{
				Confidence: pulse.Some(0.736), Retrodiction: pulse.Some(0.95), ArcStability: pulse.Some(0), TagMatch: pulse.Some(1), Novelty: pulse.Some(1),
			},
			AttentionScore: pulse.Some(0.2), RepeatRegret: &regret, LicenseStatus: "✅ Approved",
			LicenseExplanation: "all trust criteria met", TrustSummary: "Trust: 🟢 Trusted,\n\"Conf\": 0.736",
		},
	}
}

// results are the encoder's golden cases.
func results(t *testing.T) map[string][]byte {
	t.Helper()
	const forecast = `{"id":"f-1","name":"momentum","value":-1e-9,"source":"market","timestamp":"2025-06-01T12:00:00.5-07:30","forecast":{}}`
	bare, meta := forecastScore(), testMeta()
	bare.Enrichment = &pulse.Enrichment{TraceID: pulse.ListValue([]pulse.Value{{}, pulse.NumberValue(1)})}
	failed := forecastScore()
	failed.Enrichment, failed.EnrichmentError = nil, "overlays must be an object"
	failed.Trust, failed.Alignment = pulse.Optional{}, pulse.Optional{}
	overflow := forecastScore()
	overflow.Enrichment.Confidence, overflow.Enrichment.Fragility = math.NaN(), pulse.NumberValue(math.Inf(1))
	raw, enriched := rawScore(), forecastScore()
	quality, modelled, unmodelled := rawScore(), forecastScore(), failed
	quality.Ingest.AnomalyScore = pulse.Some(0.031)
	quality.Ingest.Quality = pulse.Quality{Freshness: 0.997, Normality: 0.969, Continuity: 1, Reliability: 0.992}
	quality.QualityScore, quality.Trust, quality.Alignment = pulse.Some(0.989), pulse.Some(0.989), pulse.Optional{}
	modelled.Enrichment.AlignmentComponents.ArcStability = pulse.Optional{}
	modelled.Model = &pulse.Model{Prediction: 0.731, Error: pulse.Some(0.005), Version: "rls-1"}
	unmodelled.Model = &pulse.Model{Prediction: 0.5, Version: "rls-1"}
	encode := func(value string, score *pulse.Score) []byte {
		return codec.AppendResult(nil, mustDecode(t, value), score, &meta)
	}
	return map[string][]byte{
		"raw":                   encode(`{"id":"climate/co2","name":"co2_ppm","value":315.7,"source":"climate","timestamp":-372729600}`, &raw),
		"raw-minimal":           encode(`{"name":"a\u0000\"\\\u2028é","value":1e300}`, &raw),
		"forecast":              encode(forecast, &enriched),
		"raw-quality":           encode(`{"name":"a","value":1}`, &quality),
		"forecast-model":        encode(forecast, &modelled),
		"forecast-failed-model": encode(forecast, &unmodelled),
		"forecast-nothing-set":  encode(forecast, &bare),
		"forecast-failed":       encode(forecast, &failed),
		"forecast-not-finite":   encode(forecast, &overflow),
		"cloudevent-sourced-id": encode(`{"specversion":"1.0","id":"7","source":"/a","type":"t","data":{"name":"n","value":1}}`, &raw),
	}
}

// The expected files are the encoder's own output, read by people before they
// were committed.
func TestAppendResult_MatchesGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, got := range results(t) {
		file := filepath.Join("..", "..", "schemas", "testdata", "result", name+".json")
		if *update {
			if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != strings.TrimSuffix(string(want), "\n") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestAppendResult_AppendsWithoutAllocating(t *testing.T) {
	sig, score, meta := mustDecode(t, benchRaw), rawScore(), testMeta()
	dst := make([]byte, 0, 2048)
	if n := testing.AllocsPerRun(1000, func() { dst = codec.AppendResult(dst[:0], sig, &score, &meta) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := codec.AppendResult([]byte("before "), sig, &score, &meta); string(got) != "before "+string(dst) {
		t.Errorf("got %s", got)
	}
}

func TestAppendResult_NumbersReadBackAndAreShortest(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 0.3, 0.7000000000000001, 1.0001, 1.00001, 99999999999.9999, 1e11,
		1e15, 1e20, 1e21, -1e22, 1e-6, 9.99e-7, 123456789.123456789, math.MaxFloat64, math.SmallestNonzeroFloat64, 5e-324, 4503599627370497.5, 0.00005,
	} {
		sig, score, meta := pulse.Signal{Value: f}, rawScore(), testMeta()
		var got struct {
			Value json.Number `json:"value"`
		}
		if err := json.Unmarshal(codec.AppendResult(nil, &sig, &score, &meta), &got); err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		back, err := got.Value.Float64()
		if err != nil || !sameFloat(back, f) {
			t.Errorf("%v written as %s reads as %v (%v)", f, got.Value, back, err)
		}
		want, err := json.Marshal(f)
		if err != nil || len(got.Value) > len(want)+1 { // e-07 for e-7
			t.Errorf("%v written as %s, encoding/json writes %s (%v)", f, got.Value, want, err)
		}
	}
}

func TestAppendError_IsTheAnswerOfScore(t *testing.T) {
	t.Parallel()
	got := codec.AppendError(nil, 7, &pulse.Bad{Class: pulse.InvalidField, Field: `a."b"`, Message: "must\nnot"})
	if want := `{"error":{"class":"invalid_field","field":"a.\"b\"","message":"must\nnot"},"line":7}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzResult holds that a result, whatever strings and numbers go in,
//   - is one valid JSON object without a line break,
//   - reads back to the values that went in: strings that are UTF-8 exactly,
//     finite numbers exactly, others as null,
//   - matches the result schema, if the input is what a decoder can produce.
func FuzzResult(f *testing.F) {
	f.Add("id", "name", "source", 1.5, int64(0), int16(0), "tag", 0.5, "summary", true)
	f.Add("\x00", "\u2028\"\\", "\xff\xc0", math.NaN(), int64(-62135596800000000), int16(-1439), "🟢", math.Inf(-1), "\n\r\t\x7f", false)
	f.Add("a", "b", "", math.Copysign(0, -1), int64(253402300799999999), int16(0), "", 1e-320, "\ufffd", true)
	f.Fuzz(func(t *testing.T, id, name, source string, value float64, micros int64, offset int16, tag string, number float64, summary string, forecast bool) {
		sig := pulse.Signal{ID: id, Name: name, Source: source, Value: value, Timestamp: pulse.Timestamp{Micros: micros % (1 << 56), Offset: offset % 1440}}
		score, meta := rawScore(), testMeta()
		if forecast {
			sig.Kind, score = pulse.Forecasted, forecastScore()
			score.Enrichment.ForecastTag, score.Enrichment.TrustSummary = tag, summary
			score.Enrichment.HistoricalConsistency = number
			score.Enrichment.TraceID = pulse.ObjectValue(pulse.Member{Name: name, Value: pulse.StringValue(source)})
		}
		text := codec.AppendResult(nil, &sig, &score, &meta)
		if bytes.ContainsAny(text, "\n\r") {
			t.Errorf("a line break in %s", text)
		}
		requireReadsBack(t, text, &sig, score.Enrichment)
		if id != "" && name != "" && len(id) <= 256 && len(name) <= 256 && isFinite(value) {
			requireSchema(t, compiledResult(), text)
		}
	})
}

// requireReadsBack checks that a result holds what it was made of.
func requireReadsBack(t *testing.T, text []byte, sig *pulse.Signal, e *pulse.Enrichment) {
	t.Helper()
	var got struct {
		ID         string   `json:"id"`
		Name       string   `json:"name"`
		Source     string   `json:"source"`
		Value      *float64 `json:"value"`
		Enrichment *struct {
			TraceID               map[string]string `json:"trace_id"`
			ForecastTag           string            `json:"forecast_tag"`
			TrustSummary          string            `json:"trust_summary"`
			HistoricalConsistency *float64          `json:"historical_consistency"`
		} `json:"enrichment"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	u := func(s string) string { return readBack(t, s) }
	if got.ID != u(sig.ID) || got.Name != u(sig.Name) || got.Source != u(sig.Source) || !readsAs(got.Value, sig.Value) {
		t.Errorf("%+v became %s", *sig, text)
	}
	if e == nil {
		return
	}
	g := got.Enrichment
	if g.ForecastTag != u(e.ForecastTag) || g.TrustSummary != u(e.TrustSummary) || g.TraceID[u(sig.Name)] != u(sig.Source) ||
		!readsAs(g.HistoricalConsistency, e.HistoricalConsistency) {
		t.Errorf("%+v became %s", *e, text)
	}
}

// readBack is what a reader makes of s: bytes that are not UTF-8 are U+FFFD.
func readBack(t *testing.T, s string) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back string
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func readsAs(got *float64, f float64) bool {
	if !isFinite(f) {
		return got == nil
	}
	return got != nil && sameFloat(*got, f)
}

package codec_test

import (
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

// benchRaw is a raw signal of 114 bytes with a value of 17 digits, the size
// and shape of the load the service is measured with.
const benchRaw = `{"id":"s00042-0001234","name":"series_00042","value":103.48291734659182,"source":"bench","timestamp":1763922333.12}`

const benchForecast = `{"id":"market/momentum_12m_sp500@2001-02-01T00:00:00Z","name":"momentum_12m_sp500","value":1231.6943,` +
	`"source":"market","timestamp":"2001-02-01T00:00:00Z","trace_id":"momentum_12m_sp500-200102",` +
	`"overlays":{"hope":0.4167,"despair":0.5833,"rage":0.5767,"fatigue":0.8747,"trust":1.0},` +
	`"forecast":{"start_capital":{"spy":1239.94},"end_capital":{"spy":1231.6943},"symbolic_change":{"hope":-0.1}}}`

func benchDecode(b *testing.B, value string) {
	b.Helper()
	d := newDecoder()
	text := []byte(value)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var sig pulse.Signal
	for b.Loop() {
		if bad := d.Decode(text, nil, recordMs, &sig); bad != nil {
			b.Fatal(bad)
		}
	}
}

func BenchmarkDecode_Raw(b *testing.B) { benchDecode(b, benchRaw) }

func BenchmarkDecode_RawDateTime(b *testing.B) {
	benchDecode(b, `{"id":"climate/co2_ppm@1958-03-01T00:00:00Z","name":"co2_ppm","value":315.7,"source":"climate","timestamp":"1958-03-01T00:00:00Z"}`)
}

func BenchmarkDecode_RawWithoutID(b *testing.B) {
	benchDecode(b, `{"name":"series_00042","value":103.48291734659182,"source":"bench","timestamp":1763922333.12}`)
}

func BenchmarkDecode_Forecast(b *testing.B) { benchDecode(b, benchForecast) }

func benchResult(b *testing.B, score *pulse.Score) {
	b.Helper()
	var sig pulse.Signal
	if bad := newDecoder().Decode([]byte(benchRaw), nil, recordMs, &sig); bad != nil {
		b.Fatal(bad)
	}
	meta := testMeta()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = codec.AppendResult(dst[:0], &sig, score, &meta)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkAppendResult_Raw(b *testing.B) {
	score := rawScore()
	benchResult(b, &score)
}

func BenchmarkAppendResult_RawQuality(b *testing.B) {
	score := rawScore()
	score.Ingest.AnomalyScore = pulse.Some(0.031207)
	score.Ingest.Quality = pulse.Quality{Freshness: 0.997, Normality: 0.969, Continuity: 1, Reliability: 0.992}
	score.QualityScore, score.Trust, score.Alignment = pulse.Some(0.989), pulse.Some(0.989), pulse.Optional{}
	benchResult(b, &score)
}

func BenchmarkAppendIdentity(b *testing.B) {
	sig := pulse.Signal{ID: "s00042-0001234", IDGiven: true, Source: "bench", SourceGiven: true}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = codec.AppendIdentity(dst[:0], &sig)
	}
}

package codec_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

// recordMs is the Kafka timestamp of the tests' records: 2025-11-23T18:45:33.123Z.
const recordMs = 1763923533123

func newDecoder() *codec.Decoder {
	return codec.NewDecoder(codec.Settings{DefaultSource: refDefaultSource})
}

func mustDecode(t *testing.T, value string, headers ...codec.Header) *pulse.Signal {
	t.Helper()
	var sig pulse.Signal
	if bad := newDecoder().Decode([]byte(value), headers, recordMs, &sig); bad != nil {
		t.Fatalf("decode %s: %v", value, bad)
	}
	return &sig
}

func mustRefuse(t *testing.T, value string, headers ...codec.Header) *pulse.Bad {
	t.Helper()
	var sig pulse.Signal
	bad := newDecoder().Decode([]byte(value), headers, recordMs, &sig)
	if bad == nil {
		t.Fatalf("decode %s: accepted as %+v", value, sig)
	}
	return bad
}

// goldens are the records of schemas/testdata/signal/<kind> by file name.
func goldens(tb testing.TB, kind string) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "schemas", "testdata", "signal", kind, "*.json"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no golden records of kind %s: %v", kind, err)
	}
	records := map[string][]byte{}
	for _, file := range files {
		if records[strings.TrimSuffix(filepath.Base(file), ".json")], err = os.ReadFile(file); err != nil {
			tb.Fatal(err)
		}
	}
	return records
}

func TestDecode_AcceptsGoldenRecords(t *testing.T) {
	t.Parallel()
	for name, value := range goldens(t, "valid") {
		var sig pulse.Signal
		if bad := newDecoder().Decode(value, nil, recordMs, &sig); bad != nil {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

func TestDecode_RefusesGoldenRecordsWithClassAndField(t *testing.T) {
	t.Parallel()
	for name, value := range goldens(t, "invalid") {
		parts := strings.Split(name, "--")
		field := strings.Replace(parts[1], "record", "", 1)
		var sig pulse.Signal
		bad := newDecoder().Decode(value, nil, recordMs, &sig)
		if bad == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if string(bad.Class) != parts[0] || bad.Field != field {
			t.Errorf("%s: got %s in %q", name, bad.Class, bad.Field)
		}
		if bad.Message == "" || len(bad.Message) > 120 || strings.ContainsAny(bad.Message, "\n\r") {
			t.Errorf("%s: message %q is not one short line", name, bad.Message)
		}
	}
}

func TestDecode_ReadsEveryMember(t *testing.T) {
	t.Parallel()
	sig := mustDecode(t, `{"id":"x\u002d1","name":"sp500","value":-1.25e2,"source":"market","timestamp":"2025-06-01T12:00:00.1234569+02:00"}`)
	want := pulse.Signal{
		ID: "x-1", IDGiven: true, Name: "sp500", Source: "market", SourceGiven: true, Value: -125,
		Timestamp: pulse.Timestamp{Micros: 1748772000123456, Offset: 120}, TimestampGiven: true,
	}
	if !equalSignals(sig, &want) {
		t.Errorf("got %+v, want %+v", *sig, want)
	}
}

// The example of the old system's documentation: no id, epoch seconds, with
// and without an empty forecast.
func TestDecode_ReadsTheOldDocumentationsExample(t *testing.T) {
	t.Parallel()
	const plain = `{"name":"market_sentiment","value":0.72,"source":"newswire","timestamp":1735689600`
	raw, forecast := mustDecode(t, plain+`}`), mustDecode(t, plain+`,"forecast":{}}`)
	for _, sig := range []*pulse.Signal{raw, forecast} {
		if sig.Name != "market_sentiment" || sig.Timestamp.String() != "2025-01-01T00:00:00+00:00" || sig.IDGiven {
			t.Errorf("got %+v", *sig)
		}
	}
	if raw.Kind != pulse.Raw || raw.Record.Kind != pulse.Null {
		t.Errorf("without a forecast: kind %v, record %+v", raw.Kind, raw.Record)
	}
	inner, ok := forecast.Record.Get("forecast")
	if forecast.Kind != pulse.Forecasted || !ok || inner.Kind != pulse.Object {
		t.Errorf("with a forecast: kind %v, record %+v", forecast.Kind, forecast.Record)
	}
	if raw.ID == forecast.ID {
		t.Errorf("the same derived ID %s with and without a forecast", raw.ID)
	}
}

func TestDecode_AbsentTimestampIsTheRecords(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`{"name":"a","value":1}`, `{"name":"a","value":1,"timestamp":null}`} {
		sig := mustDecode(t, value)
		if sig.TimestampGiven || sig.Timestamp != (pulse.Timestamp{Micros: recordMs * 1000}) {
			t.Errorf("%s: got %v, given %v", value, sig.Timestamp, sig.TimestampGiven)
		}
	}
}

func TestDecode_AbsentSourceIsTheDefault(t *testing.T) {
	t.Parallel()
	if sig := mustDecode(t, `{"name":"a","value":1}`); sig.Source != refDefaultSource || sig.SourceGiven {
		t.Errorf("absent: got %q, given %v", sig.Source, sig.SourceGiven)
	}
	if sig := mustDecode(t, `{"name":"a","value":1,"source":""}`); sig.Source != "" || !sig.SourceGiven {
		t.Errorf("empty: got %q, given %v", sig.Source, sig.SourceGiven)
	}
}

func TestDecode_RefusesNullValue(t *testing.T) {
	t.Parallel()
	var sig pulse.Signal
	bad := newDecoder().Decode(nil, nil, recordMs, &sig)
	if bad == nil || bad.Class != pulse.MalformedJSON || bad.Field != "" || !strings.Contains(bad.Message, "tombstone") {
		t.Errorf("got %v", bad)
	}
}

func TestDecode_RefusesRecordWithoutKafkaTimestamp(t *testing.T) {
	t.Parallel()
	for _, ms := range []int64{-1, -1 << 63, 253402300800000, 1<<63 - 1} {
		for _, value := range []string{`{"name":"a","value":1}`, `{"name":"a","value":1,"timestamp":5}`} {
			var sig pulse.Signal
			bad := newDecoder().Decode([]byte(value), nil, ms, &sig)
			if bad == nil || bad.Class != pulse.InvalidField || bad.Field != "record timestamp" {
				t.Errorf("%s at %d: got %v", value, ms, bad)
			}
		}
	}
}

func TestDecode_KeepsOnlyWhatScoringReadsOfAForecast(t *testing.T) {
	t.Parallel()
	sig := mustDecode(t, `{"overlays":1,"name":"a","value":1,"extra":1,"trace_id":null,"forecast":{"x":[1]},"overlays":{"hope":2,"z":0.0,"hope":3}}`)
	integer := func(n float64, digits string) pulse.Value {
		return pulse.Value{Kind: pulse.Number, Number: n, String: digits}
	}
	want := pulse.ObjectValue(
		pulse.Member{Name: "overlays", Value: pulse.ObjectValue(
			pulse.Member{Name: "hope", Value: integer(3, "3")}, pulse.Member{Name: "z", Value: pulse.NumberValue(0)})},
		pulse.Member{Name: "trace_id"},
		pulse.Member{Name: "forecast", Value: pulse.ObjectValue(
			pulse.Member{Name: "x", Value: pulse.ListValue([]pulse.Value{integer(1, "1")})})},
	)
	if !equalValues(&sig.Record, &want) {
		t.Errorf("got %+v, want %+v", sig.Record, want)
	}
}

// A record of a hundred thousand members must not cost their square.
func TestDecode_LastOfManyRepeatedNamesWins(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"name":"a","value":1,"forecast":{"x":0`)
	for i := range 100_000 {
		b.WriteString(`,"k`)
		b.WriteString(strings.Repeat("1", i%300))
		b.WriteString(`":`)
		b.WriteByte(byte('0' + i%10))
	}
	b.WriteString(`,"x":7}}`)
	forecast, _ := mustDecode(t, b.String()).Record.Get("forecast")
	if x, _ := forecast.Get("x"); len(forecast.Members) != 301 || forecast.Members[0].Name != "x" || x.Number != 7 {
		t.Errorf("got %d members, first %+v", len(forecast.Members), forecast.Members[0])
	}
}

func TestDecode_BoundsPathsAndMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 100_000)
	bad := mustRefuse(t, `{"name":"a","value":1,"forecast":{"`+long+`":{"`+long+`":1e999}}}`)
	if bad.Field != "forecast..." {
		t.Errorf("got a path of %d bytes: %.40s", len(bad.Field), bad.Field)
	}
}

// Strings of a signal stay what they were however many records follow, as long
// as their own record is untouched; those of trees also when it is not.
func TestDecode_StringsOutliveTheNextRecord(t *testing.T) {
	t.Parallel()
	d := newDecoder()
	var first, next pulse.Signal
	text := []byte(`{"name":"\u0061b\n","value":1,"forecast":{"\u0062":"c\t","plain":"text"}}`)
	if bad := d.Decode(text, nil, recordMs, &first); bad != nil {
		t.Fatal(bad)
	}
	id := strings.Clone(first.ID)
	for range 2000 {
		if bad := d.Decode([]byte(`{"name":"\u0078y\n","value":2}`), nil, recordMs, &next); bad != nil {
			t.Fatal(bad)
		}
	}
	clear(text)
	forecast, _ := first.Record.Get("forecast")
	b, _ := forecast.Get("b")
	plain, _ := forecast.Get("plain")
	if first.Name != "ab\n" || first.ID != id || b.String != "c\t" || plain.String != "text" {
		t.Errorf("got %+v", first)
	}
}

// A float64 that is one unit off is silently wrong. Mantissas of 16 to 20 digits
// are where reading by one multiplication would round twice.
func TestDecode_ReadsNumbersAsNearestFloat(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		text := strconv.FormatUint(random.Uint64()>>random.IntN(60), 10)
		if point := random.IntN(len(text)); point > 0 {
			text = text[:point] + "." + text[point:]
		}
		if random.IntN(2) == 0 {
			text += "e" + strconv.Itoa(random.IntN(60)-30)
		}
		want, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustDecode(t, `{"name":"a","value":`+text+`}`).Value; got != want {
			t.Fatalf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestDecode_AllocatesNothingForRawSignals(t *testing.T) {
	d := newDecoder()
	for name, value := range map[string]string{
		"plain":      benchRaw,
		"no id":      `{"name":"sp500","value":315.7,"timestamp":"2025-06-01T12:00:00Z"}`,
		"long float": `{"id":"a","name":"sp500","value":0.12345678901234567890123,"timestamp":1763922333.1234567}`,
		"escapes":    `{"id":"\u0061","name":"sp\"500","value":1}`,
	} {
		text := []byte(value)
		var sig pulse.Signal
		var bad *pulse.Bad
		if n := testing.AllocsPerRun(1000, func() { bad = d.Decode(text, nil, recordMs, &sig) }); n != 0 || bad != nil {
			t.Errorf("%s: %v allocations (%v)", name, n, bad)
		}
	}
}

func equalSignals(a, b *pulse.Signal) bool {
	if !sameFloat(a.Value, b.Value) || !equalValues(&a.Record, &b.Record) || !equalValues(&a.Context, &b.Context) {
		return false
	}
	return a.ID == b.ID && a.IDGiven == b.IDGiven && a.Name == b.Name && a.Source == b.Source &&
		a.SourceGiven == b.SourceGiven && a.Timestamp == b.Timestamp && a.TimestampGiven == b.TimestampGiven && a.Kind == b.Kind
}

func equalValues(a, b *pulse.Value) bool {
	if a.Kind != b.Kind || a.Bool != b.Bool || !sameFloat(a.Number, b.Number) || a.String != b.String ||
		len(a.List) != len(b.List) || len(a.Members) != len(b.Members) {
		return false
	}
	for i := range a.List {
		if !equalValues(&a.List[i], &b.List[i]) {
			return false
		}
	}
	for i := range a.Members {
		if a.Members[i].Name != b.Members[i].Name || !equalValues(&a.Members[i].Value, &b.Members[i].Value) {
			return false
		}
	}
	return true
}

// Bad records count against their source, so it is told where it can be.
func TestDecode_TellsTheSourceOfABadRecord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pulse.Signal{
		`{"name":"a","value":"1","source":"s"}`:                   {Source: "s", SourceGiven: true},
		`{"value":1,"id":"i","timestamp":5,"source":"s\u0031"}`:   {Source: "s1", SourceGiven: true},
		`{"name":"a","value":1,"forecast":null}`:                  {Source: "unknown"},
		`{"name":"a","value":1,"source":7}`:                       {},
		`{"source":"s","name":"a","value":1`:                      {},
		eventHead + `,"data":{"name":"a","value":1e999}}`:         {Source: "/feeds/7", SourceGiven: true},
		eventHead + `,"data":{"name":"a","value":1},"time":"no"}`: {Source: "/feeds/7", SourceGiven: true},
	} {
		sig := pulse.Signal{Name: "of the record before", SourceGiven: true}
		if bad := newDecoder().Decode([]byte(text), nil, recordMs, &sig); bad == nil || !equalSignals(&sig, &want) {
			t.Errorf("%s: got %+v, error %v; want %+v", text, sig, bad, want)
		}
	}
}

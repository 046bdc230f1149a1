package codec_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/schemas"
)

func compile(tb testing.TB, text string) *jsonschema.Schema {
	tb.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		tb.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

// compiledResult is compiled once, as fuzzing asks for it a million times.
var compiledResult = sync.OnceValue(func() *jsonschema.Schema {
	c := jsonschema.NewCompiler()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schemas.Result()))
	if err != nil {
		return nil // TestResultSchema_AcceptsWhatTheEncoderWrites says why
	}
	if c.AddResource("result.json", document) != nil {
		return nil
	}
	return c.MustCompile("result.json")
})

func matches(tb testing.TB, schema *jsonschema.Schema, text []byte) error {
	tb.Helper()
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return schema.Validate(instance)
}

func requireSchema(tb testing.TB, schema *jsonschema.Schema, text []byte) {
	tb.Helper()
	if err := matches(tb, schema, text); err != nil {
		tb.Errorf("%s: %v", text, err)
	}
}

func TestResultSchema_AcceptsWhatTheEncoderWrites(t *testing.T) {
	t.Parallel()
	schema := compile(t, schemas.Result())
	for _, text := range results(t) {
		requireSchema(t, schema, text)
	}
}

// A schema that accepts everything would pass the test above.
func TestResultSchema_RefusesBrokenResults(t *testing.T) {
	t.Parallel()
	schema := compile(t, schemas.Result())
	good := results(t)
	for _, c := range []struct{ golden, old, broken string }{
		{"raw", `"schema":"pulse.result/1"`, `"schema":"pulse.result/2"`},
		{"raw", `"anomaly_score":null,`, ``},
		{"raw", `"kind":"raw"`, `"kind":"forecast"`},
		{"raw", `"offset":812`, `"offset":"812"`},
		{"raw", `+00:00"`, `"`},
		{"raw", `"sti":0.899`, `"sti":null`},
		{"forecast", `"kind":"forecast"`, `"kind":"raw"`},
		{"forecast", `"trust_label":`, `"trustLabel":`},
		{"forecast-failed", `"enrichment_error":`, `"error":`},
	} {
		text := strings.Replace(string(good[c.golden]), c.old, c.broken, 1)
		if text == string(good[c.golden]) {
			t.Fatalf("%s has no %s", c.golden, c.old)
		}
		if matches(t, schema, []byte(text)) == nil {
			t.Errorf("accepted %s", text)
		}
	}
}

func TestSignalSchema_AgreesWithDecoderOnGoldenRecords(t *testing.T) {
	t.Parallel()
	schema := compile(t, schemas.Signal())
	for _, text := range goldens(t, "valid") {
		requireSchema(t, schema, text)
	}
	for name, text := range goldens(t, "invalid") {
		if strings.HasPrefix(name, string(pulse.MalformedJSON)) {
			continue // a schema speaks of values, not of texts
		}
		beyond := strings.HasSuffix(name, "--beyond-schema")
		if err := matches(t, schema, text); (err == nil) != beyond {
			t.Errorf("%s: schema says %v", name, err)
		}
	}
}

// The schema and the decoder decide alike on 20,000 records put together at
// random from values that are good or bad for some member. The values stay
// within what a schema can say (schemas/README.md).
func TestSignalSchema_AgreesWithDecoder(t *testing.T) {
	t.Parallel()
	schema := compile(t, schemas.Signal())
	names := []string{
		"name", "value", "source", "timestamp", "id", "forecast", "context", "trace_id", "overlays",
		"fragility", "symbolic_change", "Name", "unknown", "data", "type",
	}
	values := []string{
		`"a"`, `""`, `null`, `true`, `0`, `-0`, `1.5e3`, `1e309`, `-1e309`, `1e-400`, `{}`, `[]`, `{"a":{"b":[1,{"c":1e400}]}}`,
		`{"a":[null,"x",1e300]}`, `"2025-06-01T12:00:00Z"`, `"2025-06-01 12:00:00.25+05:30"`, `"2025-06-01t12:00:00"`, `"2025-13-01T12:00:00Z"`,
		`"2025-06-01"`, `1763922333`, `1763922333123`, `100000000000`, `-62135596800`, `-62135596801`, `253402300799999`, `253402300800000`,
		`"` + strings.Repeat("n", 256) + `"`, `"` + strings.Repeat("n", 257) + `"`, `"caf\u00e9"`,
	}
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	const records = 20_000
	for range records {
		text := []byte(randomRecord(random, names, values))
		var sig pulse.Signal
		bad := newDecoder().Decode(text, nil, recordMs, &sig)
		err := matches(t, schema, text)
		if (bad == nil) != (err == nil) {
			t.Fatalf("%s:\ndecoder: %v\nschema: %v", text, bad, err)
		}
		if bad == nil {
			accepted++
		}
	}
	if accepted < records/20 || accepted > records*19/20 {
		t.Errorf("%d of %d accepted: the records are too much alike", accepted, records)
	}
}

// randomRecord is a good record with some members added or written over.
func randomRecord(random *rand.Rand, names, values []string) string {
	var b strings.Builder
	b.WriteString(`{"name":"a","value":1`)
	if random.IntN(2) == 0 {
		b.WriteString(`,"forecast":{"start_capital":{"spy":1}}`)
	}
	for range random.IntN(4) {
		b.WriteString(`,"` + names[random.IntN(len(names))] + `":` + values[random.IntN(len(values))])
	}
	b.WriteByte('}')
	return b.String()
}

func TestDeadLetterSchema_AgreesWithGoldenRecords(t *testing.T) {
	t.Parallel()
	schema := compile(t, schemas.DeadLetterHeaders())
	for kind, good := range map[string]bool{"valid": true, "invalid": false} {
		files, err := filepath.Glob(filepath.Join("..", "..", "schemas", "testdata", "deadletter", kind, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no golden records of kind %s: %v", kind, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := matches(t, schema, text); (err == nil) != good {
				t.Errorf("%s: schema says %v", file, err)
			}
		}
	}
}

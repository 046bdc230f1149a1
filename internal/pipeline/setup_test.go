package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// recordMs is the Kafka timestamp of the records here, wallMs what the wall
// clock says.
const (
	recordMs = 1_735_690_000_000
	wallMs   = 1_735_700_000_000
)

func wall() time.Time { return time.UnixMilli(wallMs) }

func testSettings() Settings {
	return Settings{
		Group: "pulse-scorer", ScorerVersion: "1.2.3", DefaultSource: "unknown",
		MaxRecordBytes: 4096, License: true,
		State: state.Settings{DedupeWindow: time.Hour, DedupeMaxIDs: 10_000, WindowSize: 50, MemorySize: 100},
	}
}

// v2Settings are those of a task whose profile keeps no window.
func v2Settings() Settings {
	s := testSettings()
	s.State.WindowSize = 0
	return s
}

// eachProfile are the settings of both.
func eachProfile() []Settings { return []Settings{testSettings(), v2Settings()} }

// profileFor is the profile that settings are for.
func profileFor(s *Settings) *scoring.Profile {
	if s.State.WindowSize == 0 {
		return scoring.V2()
	}
	return scoring.Parity()
}

// newTask returns a task with metrics of its own.
func newTask(tb testing.TB, now func() time.Time) *Task {
	tb.Helper()
	return taskWith(tb, testSettings(), NewMetrics(prometheus.NewRegistry()), now)
}

func taskWith(tb testing.TB, s Settings, m *Metrics, now func() time.Time) *Task {
	tb.Helper()
	task, err := New(s, Deps{Profile: profileFor(&s), Metrics: m, HashKey: [16]byte{1, 2, 3}, Now: now})
	if err != nil {
		tb.Fatal(err)
	}
	return task
}

// signalAt is a record of the input topic.
func signalAt(offset int64, value string) *Record {
	return &Record{Topic: "pulse.signals", Partition: 3, Offset: offset, TimestampMs: recordMs + offset, Key: []byte("k"), Value: []byte(value)}
}

// written is one record given to a sink.
type written struct {
	to         Destination
	key, value []byte
	headers    []Header
}

// pages is a Sink that keeps copies, as the port asks.
type pages []written

var _ Sink = (*pages)(nil)

// From implements Sink.
func (*pages) From(int, int64) (refused Destination, ok bool) { return 0, false }

// Append implements Sink.
func (p *pages) Append(to Destination, key, value []byte, headers []Header) {
	w := written{to: to, key: bytes.Clone(key), value: bytes.Clone(value)}
	for _, h := range headers {
		w.headers = append(w.headers, Header{Key: strings.Clone(h.Key), Value: bytes.Clone(h.Value)})
	}
	*p = append(*p, w)
}

// equalWritten compares with null told from empty.
func equalWritten(a, b written) bool {
	same := func(x, y []byte) bool { return bytes.Equal(x, y) && (x == nil) == (y == nil) }
	return a.to == b.to && same(a.key, b.key) && same(a.value, b.value) &&
		slices.EqualFunc(a.headers, b.headers, func(x, y Header) bool { return x.Key == y.Key && same(x.Value, y.Value) })
}

// process hands over a record as the engine does: its bytes are another
// record's once Process has returned, and some were prefetched.
func process(task *Task, in *Record, out Sink) Answer {
	lent := *in
	lent.Key, lent.Value, lent.Headers = bytes.Clone(in.Key), bytes.Clone(in.Value), nil
	for _, h := range in.Headers {
		lent.Headers = append(lent.Headers, Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	if in.Offset%2 == 1 {
		task.Prefetch(&lent)
	}
	answer := task.Process(&lent, out)
	overwrite(lent.Key)
	overwrite(lent.Value)
	for _, h := range lent.Headers {
		overwrite(h.Value)
	}
	return answer
}

func overwrite(b []byte) {
	for i := range b {
		b[i] = 'X'
	}
}

// one processes a record that must have exactly one output.
func one(tb testing.TB, task *Task, in *Record) written {
	tb.Helper()
	var out pages
	process(task, in, &out)
	if len(out) != 1 {
		tb.Fatalf("record %d wrote %d records, want 1", in.Offset, len(out))
	}
	return out[0]
}

// none processes a record that must have no output.
func none(tb testing.TB, task *Task, in *Record) {
	tb.Helper()
	var out pages
	process(task, in, &out)
	if len(out) != 0 {
		tb.Fatalf("record %d wrote to %d: %s", in.Offset, out[0].to, out[0].value)
	}
}

// scoredAs processes a record that must be scored and returns its result.
func scoredAs(tb testing.TB, task *Task, in *Record) map[string]any {
	tb.Helper()
	w := one(tb, task, in)
	if w.to != Results {
		tb.Fatalf("record %d: %s", in.Offset, headerOf(w, headerMessage))
	}
	var result map[string]any
	if err := json.Unmarshal(w.value, &result); err != nil {
		tb.Fatalf("result %s: %v", w.value, err)
	}
	return result
}

// headerOf is the only header with this key.
func headerOf(w written, key string) string {
	found := slices.DeleteFunc(slices.Clone(w.headers), func(h Header) bool { return h.Key != key })
	if len(found) != 1 {
		return fmt.Sprintf("%d headers %s", len(found), key)
	}
	return string(found[0].Value)
}

// commit ends a batch; state records go nowhere.
func commit(task *Task) {
	var out pages
	task.Seal(wallMs, &out)
	task.Commit()
}

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

// panicsAt is a clock that panics at its nth reading, once.
func panicsAt(n int, cause any) func() time.Time {
	return func() time.Time {
		if n--; n == 0 {
			panic(cause)
		}
		return wall()
	}
}

func requireSchema(tb testing.TB, schema *jsonschema.Schema, text []byte) {
	tb.Helper()
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(instance)
	}
	if err != nil {
		tb.Errorf("%s: %v", text, err)
	}
}

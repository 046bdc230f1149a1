package pipeline

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/schemas"
)

// bad is a record that must become a dead letter.
type bad struct {
	name  string
	in    *Record
	class pulse.Class
	stage string
	// says is part of the message.
	says string
}

func badRecords() []bad {
	withheld := signalAt(64, "")
	withheld.Value, withheld.Withheld = nil, &Withheld{Size: 10 << 20, SHA256: sha256.Sum256([]byte("a"))}
	refused := signalAt(65, `{"name":"n","value":1}`)
	refused.ResultRefused = true
	null, absent := signalAt(66, ""), signalAt(67, `{"name":"n","value":1}`)
	null.Value, null.Key = nil, nil
	absent.TimestampMs = -1
	empty := signalAt(68, "")
	empty.Key = []byte{}
	return []bad{
		{"not JSON", signalAt(0, `{"name":"n","value":NaN}`), pulse.MalformedJSON, "decode", "not JSON"},
		{"empty value", empty, pulse.MalformedJSON, "decode", "white space"},
		{"null value", null, pulse.MalformedJSON, "decode", "null value"},
		{"invalid UTF-8", signalAt(1, "{\"name\":\"\xff\",\"value\":1}"), pulse.MalformedJSON, "decode", "not JSON"},
		{"deep nesting", signalAt(2, `{"name":"n","value":1,"x":`+strings.Repeat("[", 129)+strings.Repeat("]", 129)+`}`), pulse.MalformedJSON, "decode", "not JSON"},
		{"wrong type", signalAt(3, `{"name":"n","value":"1"}`), pulse.InvalidField, "decode", "value: must be a number"},
		{"missing name", signalAt(4, `{"value":1}`), pulse.InvalidField, "decode", "name: is missing"},
		{"no Kafka timestamp", absent, pulse.InvalidField, "decode", "record timestamp"},
		{"too large", signalAt(5, `{"name":"n","value":1,"x":"`+strings.Repeat("x", 4096)+`"}`), pulse.TooLarge, "decode", "PULSE_MAX_RECORD_BYTES"},
		{"withheld", withheld, pulse.TooLarge, "decode", "10485760"},
		{"result refused", refused, pulse.TooLarge, "decode", "max.message.bytes: raise it, or shorten source, trace_id or the answers of external enrichers"},
		{"other content under the same ID", signalAt(7, `{"id":"1","name":"n","value":2,"source":"s"}`), pulse.IDConflict, "dedupe", "other content"},
	}
}

// Every class that this profile can find makes a dead letter with the record's
// own bytes, and the partition goes on: the same task scores what follows.
func TestPath_EveryBadClassIsADeadLetter(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	schema := compile(t, schemas.DeadLetterHeaders())
	scoredAs(t, task, signalAt(6, `{"id":"1","name":"n","value":1,"source":"s"}`))
	for _, b := range badRecords() {
		b.in.Headers = []Header{{Key: "traceparent", Value: []byte("00-1-2-3")}, {Key: "null"}, {Key: "traceparent", Value: []byte{}}}
		want := written{to: DeadLetters, key: bytes.Clone(b.in.Key), value: bytes.Clone(b.in.Value), headers: b.in.Headers}
		got := one(t, task, b.in)
		requireLetter(t, b, got)
		requireHeaders(t, schema, got)
		if got.headers = got.headers[:3]; !equalWritten(got, want) {
			t.Errorf("%s: key, value or original headers were touched: %+v", b.name, got)
		}
	}
	scoredAs(t, task, signalAt(100, `{"id":"2","name":"n","value":2,"source":"s"}`))
}

func requireLetter(t *testing.T, b bad, got written) {
	t.Helper()
	for key, want := range map[string]string{
		headerClass: string(b.class), headerStage: b.stage, headerTopic: "pulse.signals", headerPartition: "3",
		headerOffset: strconv.FormatInt(b.in.Offset, 10), headerGroup: "pulse-scorer", headerDeliveryCount: "1",
		headerRecordTime: strconv.FormatInt(b.in.TimestampMs, 10), headerFirstSeen: strconv.Itoa(wallMs),
	} {
		if is := headerOf(got, key); is != want {
			t.Errorf("%s: header %s = %q, want %q", b.name, key, is, want)
		}
	}
	message := headerOf(got, headerMessage)
	if !strings.HasPrefix(message, string(b.class)+": ") || !strings.Contains(message, b.says) || strings.ContainsAny(message, "\n\r") {
		t.Errorf("%s: message %q, want %q in it", b.name, message, b.says)
	}
	if w := b.in.Withheld; w != nil {
		if size, sum := headerOf(got, headerValueSize), headerOf(got, headerValueSHA256); size != strconv.FormatInt(w.Size, 10) || sum != fmt.Sprintf("%x", w.SHA256) {
			t.Errorf("%s: value described as %s, %s", b.name, size, sum)
		}
	}
}

// A panic in any stage is a dead letter of class stage_panic, and nothing of
// the record stays but its ingest, once that is over.
func TestPath_APanicInAnyStageIsADeadLetter(t *testing.T) {
	t.Parallel()
	// The clock is read at the start and at the end of each stage of a record
	// whose offset is a multiple of 64.
	for reading, stage := range map[int]Stage{2: StageDecode, 3: StageDedupe, 4: StageIngest, 5: StageEnrich, 6: StageScore} {
		t.Run(stage.String(), func(t *testing.T) {
			t.Parallel()
			task := newTask(t, panicsAt(reading, "clock\n\x00 out of order\xff"))
			function := "admit"
			if stage > StageIngest {
				function = "complete"
			}
			rec := signalAt(64, `{"id":"1","name":"n","value":1,"source":"s","forecast":{"symbolic_change":{"hope":0.2}},"overlays":{"hope":0.9}}`)
			got := one(t, task, rec)
			b := bad{name: "panic", in: rec, class: pulse.StagePanic, stage: stage.String(), says: "panic: clock"}
			requireLetter(t, b, got)
			if message := headerOf(got, headerMessage); !strings.Contains(message, " at pipeline.") || !strings.Contains(message, "pipeline.(*Task)."+function+" (path.go:") {
				t.Errorf("message %q, want the stack from the panic on", message)
			}
			s := task.Stats()
			ingested := stage > StageIngest
			if s.Streams != 0 || (s.Series == 1) != ingested || (s.IDs == 1) != ingested {
				t.Errorf("left behind: %+v", s)
			}
			if l := task.Ledger(); l.In != 1 || l.Scored != 0 || len(l.Dead) != 1 || l.Dead[0].Count != 1 {
				t.Errorf("ledger %+v", l)
			}
		})
	}
}

// The observation that a dead signal brought is part of its series: it is
// judged with others, and when the signal comes again it is scored without
// being observed twice. A third time it is a duplicate.
func TestPath_APanicKeepsWhatWasIngested(t *testing.T) {
	t.Parallel()
	task := newTask(t, panicsAt(5, "out of order"))
	value := `{"id":"1","name":"n","value":7,"source":"s"}`
	if got := one(t, task, signalAt(64, value)); headerOf(got, headerStage) != "score" {
		t.Fatalf("died in stage %s", headerOf(got, headerStage))
	}
	commit(task)
	scoredAs(t, task, signalAt(65, `{"id":"2","name":"n","value":8,"source":"s"}`))
	scoredAs(t, task, signalAt(66, value))
	if got := task.state.Window("s", "n"); len(got) != 2 || got[0] != 7 || got[1] != 8 {
		t.Errorf("window %v, want 7 and 8", got)
	}
	none(t, task, signalAt(67, value))
	if l := task.Ledger(); l.In != 4 || l.Scored != 2 || l.Duplicate != 1 || len(l.Dead) != 1 {
		t.Errorf("ledger %+v", l)
	}
}

// A profile that makes no sense panics inside scoring; the letter says where.
func TestPath_APanicInScoringIsADeadLetter(t *testing.T) {
	t.Parallel()
	profile := scoring.Parity()
	profile.WindowSize = -1
	task := newTask(t, wall)
	task.profile = profile
	got := one(t, task, signalAt(1, `{"name":"n","value":1}`))
	if headerOf(got, headerClass) != "stage_panic" || !strings.Contains(headerOf(got, headerMessage), " at scoring.(*Profile).Ingest (ingest.go:") {
		t.Errorf("class %s, message %s", headerOf(got, headerClass), headerOf(got, headerMessage))
	}
	task.profile = scoring.Parity()
	scoredAs(t, task, signalAt(2, `{"name":"n","value":1}`))
}

// The example that the old system's documentation gives, with and without an
// empty forecast, has no id. Each is scored; sent again, at another time too,
// each is a duplicate.
func TestPath_TheDocumentedExampleIsScoredOnce(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	raw := `{"name":"market_sentiment","value":0.72,"source":"newswire","timestamp":1735689600}`
	forecast := `{"name":"market_sentiment","value":0.72,"source":"newswire","timestamp":1735689600,"forecast":{}}`
	if got := scoredAs(t, task, signalAt(0, raw)); got["kind"] != "raw" || got["timestamp"] != "2025-01-01T00:00:00+00:00" {
		t.Errorf("result %v", got)
	}
	none(t, task, signalAt(1, raw))
	if got := scoredAs(t, task, signalAt(2, forecast)); got["kind"] != "forecast" || got["enrichment"] == nil {
		t.Errorf("result %v", got)
	}
	commit(task)
	for offset, again := range []string{raw, forecast, ` { "value": 7.2e-1, "source":"newswire", "name":"market\u005fsentiment", "timestamp":"2025-01-01T01:00:00+01:00" } `} {
		none(t, task, signalAt(int64(10+offset), again))
	}
	if l := task.Ledger(); l.Scored != 2 || l.Duplicate != 4 {
		t.Errorf("ledger %+v", l)
	}
}

// Without a timestamp and an id, the record's time tells readings apart.
func TestPath_SecondReadingsAreNotDuplicates(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	value := `{"name":"n","value":1}`
	scoredAs(t, task, signalAt(1, value))
	scoredAs(t, task, signalAt(2, value))
	again := signalAt(3, value)
	again.TimestampMs = recordMs + 1
	none(t, task, again)
}

func TestPath_ResultsSayWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	w := one(t, task, signalAt(5, `{"name":"n","value":1,"id":"7"}`))
	for _, part := range []string{
		`"id":"7"`, `"source":"unknown"`, `"profile":"parity"`, `"scorer_version":"1.2.3"`, `"attempts":1`,
		`"input":{"topic":"pulse.signals","partition":3,"offset":5,"timestamp":"2025-01-01T00:06:40.005Z"}`,
	} {
		if !strings.Contains(string(w.value), part) {
			t.Errorf("%s has no %s", w.value, part)
		}
	}
	if w.to != Results || string(w.key) != "k" || w.headers != nil {
		t.Errorf("written %+v", w)
	}
}

func TestSettings_ValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Settings{Group: strings.Repeat("g", 1025)}, Deps{Profile: scoring.Parity(), Now: wall})
	for _, want := range []string{"PULSE_GROUP", "PULSE_MAX_RECORD_BYTES", "PULSE_DEFAULT_SOURCE", "PULSE_DEDUPE_WINDOW"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want it to name %s", err, want)
		}
	}
}

// A series is known by its source, which senders choose: whatever they write, a
// record of the state fits into its topic (512 KiB, broker.stateRecordBytes).
func TestPath_ASourceTooLongForTheStateIsADeadLetter(t *testing.T) {
	t.Parallel()
	for _, s := range eachProfile() {
		s.MaxRecordBytes = 1 << 20
		task := taskWith(t, s, NewMetrics(prometheus.NewRegistry()), wall)
		for i, long := range []int{longestSource, longestSource + 1, 600 << 10} {
			in := forecastAt(int64(i))
			in.Value = bytes.Replace(in.Value, []byte(`"source":"s"`), fmt.Appendf(nil, `"source":%q`, strings.Repeat("s", long)), 1)
			w := one(t, task, in)
			if good := long <= longestSource; good != (w.to == Results) || !good && !strings.Contains(headerOf(w, headerMessage), "source: must have at most") {
				t.Errorf("a source of %d bytes: destination %d, %s", long, w.to, headerOf(w, headerMessage))
			}
		}
		var out pages
		task.Seal(wallMs, &out)
		for _, w := range out {
			if size := len(w.key) + len(w.value); size > 500<<10 {
				t.Errorf("a record of the state has %d bytes", size)
			}
		}
	}
}

package pipeline

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/schemas"
)

// requireHeaders checks the headers as the schema takes them: one object.
func requireHeaders(t *testing.T, schema *jsonschema.Schema, w written) {
	t.Helper()
	object := make(map[string]any)
	for _, h := range w.headers {
		object[h.Key] = nil
		if h.Value != nil {
			object[h.Key] = string(h.Value)
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(instance); err != nil {
		t.Errorf("headers %s: %v", text, err)
	}
}

// Whatever a sender or a fault brings into them, our headers have 4 KiB
// together at most.
func TestDeadLetter_HeadersStaySmall(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.Group = strings.Repeat("g", maxGroupBytes)
	task := taskWith(t, s, newTask(t, wall).metrics, panicsAt(2, strings.Repeat("päng ", 10_000)))
	long := signalAt(64, `{"name":"n","value":1}`)
	long.Topic, long.Partition, long.Offset = strings.Repeat("t", 249), 1<<31-1, 1<<63-64
	withheld := *long
	withheld.Value, withheld.Withheld = nil, &Withheld{Size: 1<<63 - 1}
	talkative := Outcome{Kind: OutcomeDead, Bad: &pulse.Bad{Class: pulse.InvalidField, Field: strings.Repeat("f", 5000), Message: "x"}}
	var out pages
	out = append(out, one(t, task, long), one(t, task, &withheld))
	p := new(passage)
	p.begin(long)
	task.letters.dead(p, talkative, &out)
	for i, class := range []string{"stage_panic", "too_large", "invalid_field"} {
		size := 0
		for _, h := range out[i].headers {
			size += len(h.Key) + len(h.Value)
		}
		if got := headerOf(out[i], headerClass); size > 4096 || got != class {
			t.Errorf("%d bytes of headers, class %s, want %s", size, got, class)
		}
		requireHeaders(t, compile(t, schemas.DeadLetterHeaders()), out[i])
	}
}

// A dead letter that somebody sent to the input again dies again: its headers
// are replaced, not appended, and the sender's own stay as they are.
func TestDeadLetter_HeadersAreSetOnce(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	in := signalAt(1, "nonsense")
	in.Headers = []Header{{Key: "first", Value: []byte("1")}}
	first := one(t, task, in)
	again := signalAt(9, "nonsense")
	again.Headers = slices.Concat(first.headers, []Header{{Key: "last"}, {Key: headerClass, Value: []byte("made_up")}})
	second := one(t, task, again)
	if len(second.headers) != len(first.headers)+1 || second.headers[0].Key != "first" || second.headers[1].Key != "last" {
		t.Fatalf("headers %v, then %v", first.headers, second.headers)
	}
	if headerOf(second, headerOffset) != "9" || headerOf(second, headerClass) != "malformed_json" {
		t.Errorf("headers %v", second.headers)
	}
}

// A broker that refused the record with its value would refuse it with a
// large key or large headers too, for ever.
func TestDeadLetter_OfAWithheldRecordIsSmall(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	for _, size := range []int{100, maxCarriedBytes} {
		in := signalAt(1, "")
		in.Value, in.Withheld = nil, &Withheld{Size: 5}
		in.Headers = []Header{{Key: "h", Value: make([]byte, size)}}
		got := one(t, task, in)
		kept := size == 100
		if (got.key != nil) != kept || (got.headers[0].Key == "h") != kept || got.value != nil {
			t.Errorf("headers of %d bytes: key %q, first header %s", size, got.key, got.headers[0].Key)
		}
		if message := headerOf(got, headerMessage); strings.Contains(message, "limit") {
			t.Errorf("5 bytes are not over the limit: %s", message)
		}
	}
}

// score prints a panic as the error of a line.
func TestScorer_AnswersAPanicAndGoesOn(t *testing.T) {
	t.Parallel()
	scorer, err := NewScorer(testSettings(), newTask(t, wall).profile, wall)
	if err != nil {
		t.Fatal(err)
	}
	task := scorer.task
	profile := task.profile
	for i, value := range []string{`{"name":"n","value":1}`, `{"name":"n","value":2}`, `{"name":"n","value":3}`} {
		task.profile = profile
		if i == 1 {
			task.profile = nil
		}
		out, bad := scorer.AppendResult([]byte("kept"), []byte(value), wall())
		if (bad != nil) != (i == 1) || !bytes.HasPrefix(out, []byte("kept")) || (i == 1 && (bad.Class != pulse.StagePanic || string(out) != "kept")) {
			t.Errorf("line %d: %s, %v", i, out, bad)
		}
	}
	if got := task.state.Window("unknown", "n"); len(got) != 2 {
		t.Errorf("window %v, want that of two good lines", got)
	}
}

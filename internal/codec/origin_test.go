package codec_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

// What AppendResult writes, whatever the texts in it, is read back.
func TestReadOrigin_ReadsWhatAppendResultWrites(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain", `quo"te\`, "line\nbreak", "ünï", "\x00", "😀", strings.Repeat("x", 40<<10)} {
		sig := pulse.Signal{ID: text, Source: text + "2", Name: "input", Value: 1}
		meta := codec.Meta{Topic: "in." + text, Partition: 7, Offset: 1 << 40, Attempts: 3}
		value := codec.AppendResult(nil, &sig, &pulse.Score{}, &meta)
		var got codec.Origin
		if bad := codec.NewDecoder(codec.Settings{}).ReadOrigin(value, &got); bad != nil {
			t.Fatalf("%.40q: %v", text, bad)
		}
		want := codec.Origin{ID: sig.ID, Source: sig.Source, Topic: meta.Topic, Partition: 7, Offset: 1 << 40, Attempts: 3}
		if got != want {
			t.Errorf("got %.200v, want %.200v", got, want)
		}
	}
}

func TestReadOrigin_RefusesWhatIsNoResult(t *testing.T) {
	t.Parallel()
	good := `{"id":"a","source":"s","input":{"topic":"in","partition":0,"offset":5}}`
	d := codec.NewDecoder(codec.Settings{})
	var o codec.Origin
	if bad := d.ReadOrigin([]byte(good), &o); bad != nil {
		t.Fatalf("a minimal result is refused: %v", bad)
	}
	for _, value := range []string{
		"", "null", "[]", "{", "{}", good + "x", good[:len(good)-1],
		`{"id":"a","source":"s","input":{"topic":"in","partition":0}}`,
		`{"id":"a","source":"s","input":{"topic":"in","partition":0,"offset":-1}}`,
		`{"id":"a","source":"s","input":{"topic":"in","partition":0,"offset":1.5}}`,
		`{"id":"a","source":"s","input":{"topic":"in","partition":4294967296,"offset":5}}`,
		`{"id":7,"source":"s","input":{"topic":"in","partition":0,"offset":5}}`,
		`{"id":"a","source":"s","input":7}`,
		`{"source":"s","input":{"topic":"in","partition":0,"offset":5}}`,
	} {
		if bad := d.ReadOrigin([]byte(value), &o); bad == nil {
			t.Errorf("%s is taken for a result: %+v", value, o)
		}
	}
}

// Who looks for a signal finds it by what it says of itself, though it be bad.
func TestClaimed_ReadsWhatABadRecordSaysOfItself(t *testing.T) {
	t.Parallel()
	d := codec.NewDecoder(codec.Settings{})
	ce := []codec.Header{{Key: "ce_id", Value: []byte("e")}, {Key: "ce_source", Value: []byte("f")}}
	for _, c := range []struct {
		value      string
		headers    []codec.Header
		id, source string
	}{
		{`{"id":"a","source":"s","value":"x"}`, nil, "a", "s"},
		{`{"id":"\u0061","value":NaN}`, nil, "a", ""},
		{`{"value":1,"id":7}`, nil, "", ""},
		{`{"id":"a"`, nil, "a", ""},
		{"", nil, "", ""},
		{"[", nil, "", ""},
		{"{", nil, "", ""},
		{`{"id":"a"}`, ce, "e", "f"},
	} {
		if id, source := d.Claimed([]byte(c.value), c.headers); id != c.id || source != c.source {
			t.Errorf("%s: got %q and %q, want %q and %q", c.value, id, source, c.id, c.source)
		}
	}
}

// Invariants: no panic; what is accepted is what a strict JSON reader of another
// make finds there too.
func FuzzReadOrigin(f *testing.F) {
	f.Add([]byte(`{"id":"a","source":"s","attempts":1,"input":{"topic":"in","partition":0,"offset":5}}`))
	f.Add([]byte(`{"id":"\u0061","x":[{}],"input":{"topic":"","partition":-0,"offset":05}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		var o codec.Origin
		if bad := codec.NewDecoder(codec.Settings{}).ReadOrigin(value, &o); bad != nil {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(value, &members); err != nil {
			t.Fatalf("accepted %q: %v", value, err)
		}
	})
}

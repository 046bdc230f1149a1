package codec_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

func identity(sig *pulse.Signal) string { return string(codec.AppendIdentity(nil, sig)) }

func content(sig *pulse.Signal) string { return string(codec.AppendContent(nil, sig)) }

func TestIdentity_TellsSourcesAndIDsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]pulse.Signal{}
	for _, sig := range []pulse.Signal{
		{ID: "b", IDGiven: true, Source: "a", SourceGiven: true},
		{ID: "b", IDGiven: false, Source: "a", SourceGiven: true},
		{ID: "b", IDGiven: true, Source: "a"},
		{ID: "b", IDGiven: false, Source: "a"},
		{ID: "", IDGiven: true, Source: "ab", SourceGiven: true},
		{ID: "ab", IDGiven: true, Source: "", SourceGiven: true},
		{ID: "\x01b", IDGiven: true, Source: "", SourceGiven: true},
		{ID: "ab", IDGiven: true},
	} {
		if other, taken := seen[identity(&sig)]; taken {
			t.Errorf("%+v and %+v have the same identity", sig, other)
		}
		seen[identity(&sig)] = sig
	}
}

func TestIdentity_OfAnAbsentSourceIsNotTheConfiguredDefault(t *testing.T) {
	t.Parallel()
	a := pulse.Signal{ID: "b", IDGiven: true, Source: "unknown"}
	b := pulse.Signal{ID: "b", IDGiven: true, Source: "configured otherwise"}
	if identity(&a) != identity(&b) {
		t.Error("the default source has a part in the identity")
	}
}

func TestContent_IsNotAboutSpelling(t *testing.T) {
	t.Parallel()
	want := content(mustDecode(t, `{"name":"a","value":100,"source":"s","timestamp":1748772000,"forecast":{"x":0,"y":[1.5]},"trace_id":"t"}`))
	for _, value := range []string{
		` {"trace_id":"\u0074","forecast":{"y":[15e-1],"x":-0.0},"timestamp":"2025-06-01T12:00:00+02:00","source":"s","value":1e2,"name":"a"} `,
		`{"name":"a","value":100,"source":"s","timestamp":1748772000000,"forecast":{"x":1,"y":[1.50],"x":0},"trace_id":"t","id":"given",` +
			`"unknown":1,"context":{"a":1}}`,
	} {
		if content(mustDecode(t, value)) != want {
			t.Errorf("%s: other content", value)
		}
	}
}

func TestContent_ChangesWithEveryPart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, value := range []string{
		`{"name":"a","value":1}`,
		`{"name":"b","value":1}`,
		`{"name":"a","value":2}`,
		`{"name":"a","value":1,"source":"unknown"}`,
		`{"name":"a","value":1,"source":""}`,
		`{"name":"a","value":1,"timestamp":1763923533.123}`,
		`{"name":"a","value":1,"timestamp":1763923533.123001}`,
		`{"name":"a","value":1,"forecast":{}}`,
		`{"name":"a","value":1,"forecast":{"x":null}}`,
		`{"name":"a","value":1,"forecast":{"x":0}}`,
		`{"name":"a","value":1,"forecast":{"x":false}}`,
		`{"name":"a","value":1,"forecast":{"x":""}}`,
		`{"name":"a","value":1,"forecast":{"x":[]}}`,
		`{"name":"a","value":1,"forecast":{"x":{}}}`,
		`{"name":"a","value":1,"forecast":{"x":[[],[]]}}`,
		`{"name":"a","value":1,"forecast":{"x":[[[]]]}}`,
		`{"name":"a","value":1,"forecast":{"x":["ab",""]}}`,
		`{"name":"a","value":1,"forecast":{"x":["a","b"]}}`,
		`{"name":"a","value":1,"forecast":{},"trace_id":null}`,
		`{"name":"a","value":1,"forecast":{},"overlays":null}`,
	} {
		c := content(mustDecode(t, value))
		if other, taken := seen[c]; taken {
			t.Errorf("%s and %s have the same content", value, other)
		}
		seen[c] = value
	}
}

func derived(t *testing.T, value string, ms int64) string {
	t.Helper()
	var sig pulse.Signal
	if bad := newDecoder().Decode([]byte(value), nil, ms, &sig); bad != nil {
		t.Fatal(bad)
	}
	return sig.ID
}

func TestDerivedID_IsTheSameForARedelivery(t *testing.T) {
	t.Parallel()
	const bare, stamped = `{"name":"a","value":1}`, `{"name":"a","value":1,"timestamp":5}`
	if first, again := derived(t, bare, 1000), derived(t, bare, 1000); first != again {
		t.Error("the same record twice: other IDs")
	}
	if derived(t, bare, 1000) == derived(t, bare, 1001) {
		t.Error("two readings without timestamps: the same ID")
	}
	if derived(t, stamped, 1000) != derived(t, stamped, 2000) {
		t.Error("produced again with its timestamp: another ID")
	}
	if derived(t, stamped, 5000) == derived(t, bare, 5000) {
		t.Error("a record's time passes for a timestamp that was given")
	}
}

// The expected bytes were worked out by hand from the description of the form.
// They may never change: hashes of them are kept in state topics.
func TestIdentity_Golden(t *testing.T) {
	t.Parallel()
	sig := mustDecode(t, `{"name":"a","value":1,"source":"nyse","id":"7"}`)
	if got := hex.EncodeToString(codec.AppendIdentity(nil, sig)); got != "0103"+"04"+"6e797365"+"01"+"37" {
		t.Errorf("got %s", got)
	}
}

// See TestIdentity_Golden. 3ff0… is 1.0; 4c4b40 is five million microseconds.
func TestContent_Golden(t *testing.T) {
	t.Parallel()
	sig := mustDecode(t, `{"name":"a","value":1,"timestamp":5,"overlays":[true],"forecast":{}}`)
	want := "0104" + "00" + "0161" + "00000000004c4b40" + "3ff0000000000000" + "01" +
		"0502" + "08666f726563617374" + "0500" + "086f7665726c617973" + "0401" + "0101"
	if got := hex.EncodeToString(codec.AppendContent(nil, sig)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	const id = "h1:"
	if !strings.HasPrefix(sig.ID, id) || len(sig.ID) != len(id)+32 {
		t.Errorf("derived ID %q", sig.ID)
	}
}

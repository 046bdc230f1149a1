package codec_test

import (
	"encoding/base64"
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

func headers(pairs ...string) []codec.Header {
	var hs []codec.Header
	for i := 0; i < len(pairs); i += 2 {
		hs = append(hs, codec.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return hs
}

func binaryHeaders(more ...string) []codec.Header {
	return headers(append([]string{"ce_specversion", "1.0", "ce_id", "e-1", "ce_source", "/feeds/7", "ce_type", "pulse.signal"}, more...)...)
}

const (
	plainData = `{"name":"a","value":1,"id":7,"source":null}`
	eventHead = `{"specversion":"1.0","id":"e-1","source":"/feeds/7","type":"pulse.signal"`
)

// However an event arrives, it is the same signal, and its attributes go
// before what its data says about id and source.
func TestDecode_CloudEventModesAgree(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte(plainData))
	want := pulse.Signal{
		ID: "e-1", IDGiven: true, Name: "a", Source: "/feeds/7", SourceGiven: true, Value: 1,
		Timestamp: pulse.Timestamp{Micros: 1748779200000000}, TimestampGiven: true,
	}
	const stamp = "2025-06-01T12:00:00Z"
	structured := headers("content-type", "Application/CloudEvents+JSON; charset=utf-8")
	for name, c := range map[string]struct {
		value   string
		headers []codec.Header
	}{
		"binary":                     {plainData, binaryHeaders("ce_time", stamp, "content-type", "application/json")},
		"structured by content type": {eventHead + `,"time":"` + stamp + `","data":` + plainData + `}`, structured},
		"structured by member":       {eventHead + `,"data":` + plainData + `,"time":"` + stamp + `"}`, nil},
		"structured with tracing":    {eventHead + `,"data":` + plainData + `,"time":"` + stamp + `"}`, headers("traceparent", "00-1-2-3")},
		"structured over binary":     {eventHead + `,"time":"` + stamp + `","data":` + plainData + `}`, append(binaryHeaders("ce_id", "other"), structured...)},
		"base64":                     {eventHead + `,"time":"` + stamp + `","data_base64":"` + encoded + `"}`, nil},
		"escaped": {
			`{"\u0073pecversion":"1\u002e0","id":"e\u002d1","source":"/feeds/7","type":"t","time":"` + stamp + `","data":` + plainData + `}`,
			nil,
		},
	} {
		if sig := mustDecode(t, c.value, c.headers...); !equalSignals(sig, &want) {
			t.Errorf("%s: got %+v, want %+v", name, *sig, want)
		}
	}
}

func TestDecode_CloudEventTimeCountsWhereDataHasNone(t *testing.T) {
	t.Parallel()
	own := mustDecode(t, `{"name":"a","value":1,"timestamp":5}`, binaryHeaders("ce_time", "2025-06-01T12:00:00Z")...)
	if own.Timestamp.Micros != 5_000_000 {
		t.Errorf("own timestamp: got %v", own.Timestamp)
	}
	none := mustDecode(t, `{"name":"a","value":1,"timestamp":null}`, binaryHeaders()...)
	if none.TimestampGiven || none.Timestamp.Micros != recordMs*1000 {
		t.Errorf("neither: got %v", none.Timestamp)
	}
}

// A declared content type other than a CloudEvent's makes specversion an
// unknown member.
func TestDecode_DeclaredPlainSignalMayHaveSpecversion(t *testing.T) {
	t.Parallel()
	sig := mustDecode(t, `{"name":"a","value":1,"id":"own","specversion":"9"}`, headers("content-type", "application/json")...)
	if sig.ID != "own" {
		t.Errorf("got %+v", *sig)
	}
}

func TestDecode_CloudEventWithForecast(t *testing.T) {
	t.Parallel()
	sig := mustDecode(t, eventHead+`,"overlays":{"rage":1},"data":{"name":"a","value":1,"forecast":{},"overlays":{"hope":1}}}`)
	overlays, _ := sig.Record.Get("overlays")
	if _, ok := overlays.Get("hope"); sig.Kind != pulse.Forecasted || !ok || len(overlays.Members) != 1 {
		t.Errorf("got %+v", sig.Record)
	}
}

func TestDecode_RefusesBrokenCloudEventsWithPath(t *testing.T) {
	t.Parallel()
	structured := headers("content-type", "application/cloudevents+json")
	const d = `,"data":{"name":"a","value":1}}`
	for _, c := range []struct {
		name, value string
		headers     []codec.Header
		class       pulse.Class
		field       string
	}{
		{"binary without id", plainData, headers("ce_specversion", "1.0", "ce_source", "s", "ce_type", "t"), pulse.InvalidField, "ce_id"},
		{"binary with null id", plainData, append(binaryHeaders(), codec.Header{Key: "ce_id"}), pulse.InvalidField, "ce_id"},
		{"binary with long id", plainData, binaryHeaders("ce_id", string(make([]byte, 257))), pulse.InvalidField, "ce_id"},
		{"binary with empty source", plainData, binaryHeaders("ce_source", ""), pulse.InvalidField, "ce_source"},
		{"binary with source not UTF-8", plainData, binaryHeaders("ce_source", "\xff"), pulse.InvalidField, "ce_source"},
		{"binary without type", plainData, headers("ce_specversion", "1.0", "ce_source", "s", "ce_id", "t"), pulse.InvalidField, "ce_type"},
		{"binary of another version", plainData, binaryHeaders("ce_specversion", "0.3"), pulse.InvalidField, "ce_specversion"},
		{"binary with bad time", plainData, binaryHeaders("ce_time", "yesterday"), pulse.InvalidField, "ce_time"},
		{"binary with bad data", `{"name":"a"}`, binaryHeaders(), pulse.InvalidField, "value"},
		{"binary not JSON", `nope`, binaryHeaders(), pulse.MalformedJSON, ""},
		{"other event format", plainData, headers("content-type", "application/cloudevents+avro"), pulse.InvalidField, "content-type"},
		{"batch", `[]`, headers("content-type", "application/cloudevents-batch+json"), pulse.InvalidField, "content-type"},
		{"declared but not an event", plainData, structured, pulse.InvalidField, "specversion"},
		{"no id", `{"specversion":"1.0","source":"s","type":"t"` + d, nil, pulse.InvalidField, "id"},
		{"id number", `{"specversion":"1.0","id":4,"source":"s","type":"t"` + d, nil, pulse.InvalidField, "id"},
		{"empty source", `{"specversion":"1.0","id":"4","source":"","type":"t"` + d, nil, pulse.InvalidField, "source"},
		{"null type", `{"specversion":"1.0","id":"4","source":"s","type":null` + d, nil, pulse.InvalidField, "type"},
		{"version as number", `{"specversion":1.0,"id":"4","source":"s","type":"t"` + d, nil, pulse.InvalidField, "specversion"},
		{"time as number", eventHead + `,"time":5` + d, nil, pulse.InvalidField, "time"},
		{"bad time", eventHead + `,"time":"5"` + d, nil, pulse.InvalidField, "time"},
		{"no data", eventHead + `}`, nil, pulse.InvalidField, "data"},
		{"null data", eventHead + `,"data":null}`, nil, pulse.InvalidField, "data"},
		{"data as text", eventHead + `,"data":"{}"}`, nil, pulse.InvalidField, "data"},
		{"data without name", eventHead + `,"data":{"value":1}}`, nil, pulse.InvalidField, "data.name"},
		{"data with bad overlay", eventHead + `,"data":{"name":"a","value":1,"forecast":{"x":1e999}}}`, nil, pulse.InvalidField, "data.forecast.x"},
		{"two kinds of data", eventHead + `,"data_base64":"e30="` + d, nil, pulse.InvalidField, "data_base64"},
		{"not base64", eventHead + `,"data_base64":"e30"}`, nil, pulse.InvalidField, "data_base64"},
		{"base64 as number", eventHead + `,"data_base64":1}`, nil, pulse.InvalidField, "data_base64"},
		{"base64 of no JSON", eventHead + `,"data_base64":"` + base64.StdEncoding.EncodeToString([]byte("{")) + `"}`, nil, pulse.MalformedJSON, "data_base64"},
		{"base64 of a list", eventHead + `,"data_base64":"` + base64.StdEncoding.EncodeToString([]byte("[]")) + `"}`, nil, pulse.InvalidField, "data_base64"},
	} {
		bad := mustRefuse(t, c.value, c.headers...)
		if bad.Class != c.class || bad.Field != c.field {
			t.Errorf("%s: got %v, want %s in %q", c.name, bad, c.class, c.field)
		}
	}
}

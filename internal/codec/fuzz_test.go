package codec_test

import (
	"bytes"
	"strings"
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

// fuzzHeaders are the sets of headers a fuzzed record can have.
var fuzzHeaders = [][]codec.Header{
	nil,
	headers("traceparent", "00-1-2-3"),
	headers("content-type", "application/cloudevents+json"),
	headers("content-type", "application/json"),
	binaryHeaders(),
	binaryHeaders("ce_time", "2025-06-01T12:00:00.5-07:00"),
	binaryHeaders("ce_time", "noon"),
}

// FuzzDecode holds, for every record whatever its bytes, that the decoder
//   - accepts it exactly when the reference does, and then finds the same
//     signal, member by member, -0 told from 0;
//   - refuses it with the reference's class and field otherwise;
//   - does so again for the same bytes, with the same derived ID;
//   - keeps trees that do not change when the record's bytes do.
func FuzzDecode(f *testing.F) {
	for _, kind := range []string{"valid", "invalid"} {
		for _, value := range goldens(f, kind) {
			f.Add(value, uint8(0), int64(recordMs))
		}
	}
	for _, value := range traps {
		f.Add([]byte(value), uint8(0), int64(recordMs))
	}
	for i := range fuzzHeaders {
		f.Add([]byte(eventHead+`,"time":"2025-06-01T12:00:00Z","data":`+plainData+`}`), uint8(i), int64(0))
		f.Add([]byte(eventHead+`,"time":null,"data_base64":"eyJuYW1lIjoiYSIsInZhbHVlIjoxfQ=="}`), uint8(i), int64(-1))
		f.Add([]byte(benchForecast), uint8(i), int64(253402300799999))
	}
	d := newDecoder()
	f.Fuzz(func(t *testing.T, value []byte, header uint8, ms int64) {
		hs := fuzzHeaders[int(header)%len(fuzzHeaders)]
		want, fault := refDecode(value, hs, ms)
		text := bytes.Clone(value)
		if value == nil {
			text = nil
		}
		var sig pulse.Signal
		requireSame(t, d.Decode(text, hs, ms, &sig), &sig, fault, want)
		if fault != nil {
			return
		}
		id := strings.Clone(sig.ID)
		clear(text)
		if !equalValues(&sig.Record, &want.Record) || !equalValues(&sig.Context, &want.Context) {
			t.Errorf("%q: a tree changed with the record's bytes", value)
		}
		if bad := newDecoder().Decode(value, hs, ms, &sig); bad != nil || sig.ID != id {
			t.Errorf("%q: decoded again it has ID %q and not %q (%v)", value, sig.ID, id, bad)
		}
	})
}

// traps are inputs that one or another fast decoder takes for something else:
// see the package comment.
var traps = []string{
	`{"name":"a","value":NaN}`, `{"name":"a","value":-Infinity}`, `{"name":"a","value":1e400}`, `{"name":"a","value":+1}`, `{"name":"a","value":01}`,
	`{"name":"a","value":-01}`, `{"name":"a","value":1.}`, `{"name":"a","value":.5}`, `{"name":"a","value":1e+}`, `{"name":"a","value":0x1p4}`,
	`{"name":"a","value":1_0}`, `{"name":"a","value":"1"}`, `{"name":"\x61","value":1}`, `{"name":"\u12","value":1}`, `{"name":"\uD83D\uD83D","value":1}`,
	`{"name":"a","NAME":"b","value":1,"Value":2}`, `{"name":"a","name":"b","value":null,"value":1}`, "{\"name\":\"a\x00\",\"value\":1}",
	"{\"name\":\"a\x7f\u2028\",\"value\":1}", "{\"name\":\"a\xed\xa0\x80\",\"value\":1}", "{\"n\xc3me\":1,\"name\":\"a\",\"value\":1}",
	"{\"name\":\"a\",\"value\":1}\x00", "\ufeff{}", "{\"name\":\"a\",\u00a0\"value\":1}", `{"name":"a","value":1,}`, `{,"name":"a","value":1}`,
	`{"name":"a""value":1}`, `{"name":"a","value":1}}`, `{"name" "a"}`, `{"name":"a","value":tru}`, `{"name":"a","value":nulll}`, `{"a":[1,]}`, `{"a":[,1]}`,
	`{"name":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"bbbbbbbbbbbbb\\","value":123456789012345678901234567890.5e-12}`,
	`{"name":"a","value":0.000000000000000000000000000000000000001234567890123456789012345}`, `{"name":"a","value":9007199254740993}`,
	`{"name":"a","value":2.2250738585072011e-308}`, `{"name":"a","value":1.7976931348623158e308}`, `{"name":"a","value":-0}`,
	strings.Repeat("[", 129), `{"x":` + strings.Repeat(`{"x":`, 127) + `{}` + strings.Repeat("}", 128),
}

func requireSame(t *testing.T, bad *pulse.Bad, got *pulse.Signal, fault *refFault, want *pulse.Signal) {
	t.Helper()
	switch {
	case bad == nil && fault == nil:
		if !got.IDGiven && !want.IDGiven {
			want.ID = got.ID
			if !strings.HasPrefix(got.ID, "h1:") {
				t.Errorf("derived ID %q", got.ID)
			}
		}
		if !equalSignals(got, want) {
			t.Errorf("got  %+v\nwant %+v", *got, *want)
		}
	case bad == nil || fault == nil:
		t.Errorf("decoder says %v, the reference %+v", bad, fault)
	case bad.Class != fault.class || !samePath(bad.Field, fault.field):
		t.Errorf("decoder says %v, the reference %s in %q", bad, fault.class, fault.field)
	}
}

// samePath says whether got is want, or want cut short.
func samePath(got, want string) bool {
	start, short := strings.CutSuffix(got, "...")
	return got == want || short && strings.HasPrefix(want, start) && len(want) > 100
}

func TestDecode_AgreesWithTheReferenceOnTraps(t *testing.T) {
	t.Parallel()
	for _, value := range traps {
		want, fault := refDecode([]byte(value), nil, recordMs)
		var sig pulse.Signal
		requireSame(t, newDecoder().Decode([]byte(value), nil, recordMs, &sig), &sig, fault, want)
	}
}

// A decoder tries the members in the order of the record before. Whatever that was,
// and however much of the name it expects stands there, it finds what the reference
// does.
func TestDecode_DoesNotDependOnTheRecordBefore(t *testing.T) {
	t.Parallel()
	records := append([]string{
		`{"name":"a","value":1,"source":"b","id":"c"}`, `{"id":"c","source":"b","value":1,"name":"a"}`, `{"value":1,"name":"a"}`,
		`{"name" :"a","value": 1}`, `{"names":"b","name":"a","value":1}`, `{"n\u0061me":"a","value":1}`, `{"name":"a","x":0,"value":1,"x":0,"id":"d"}`,
		`{"name":"a","value":1,"value":2,"name":"b"}`, `{"name":`, `{"name":"a","value":`, `{"name":"a","valu`, `{"name":"a","value"`, `{}`,
	}, traps...)
	for _, before := range records {
		d := newDecoder()
		for _, value := range records {
			var sig pulse.Signal
			_ = d.Decode([]byte(before), nil, recordMs, &sig)
			want, fault := refDecode([]byte(value), nil, recordMs)
			requireSame(t, d.Decode([]byte(value), nil, recordMs, &sig), &sig, fault, want)
		}
	}
}

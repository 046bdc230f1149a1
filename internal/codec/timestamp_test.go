package codec_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pulse-scorer/internal/pulse"
)

// stampOf decodes a signal with a timestamp as it would be written in JSON.
func stampOf(text string) (pulse.Timestamp, *pulse.Bad) {
	var sig pulse.Signal
	bad := newDecoder().Decode([]byte(`{"name":"a","value":1,"timestamp":`+text+`}`), nil, recordMs, &sig)
	return sig.Timestamp, bad
}

func TestTimestamp_ReadsNumbersAsDecimals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0e999999999999": 0, "1": 1e6, "-1.5": -1_500_000,
		"1763922333.123":        1763922333123000,
		"1763922333.1229999":    1763922333123000,
		"1763922333.1234565":    1763922333123457,
		"-1763922333.1234565":   -1763922333123457,
		"1763922333.12345649":   1763922333123456,
		"1763922333123":         1763922333123000,
		"1763922333123.4567":    1763922333123457,
		"1.763922333123e12":     1763922333123000,
		"100000000000":          100000000000000000,
		"100000000000.5":        100000000000500,
		"99999999999.123456":    99999999999123456,
		"99999999999.9999999":   100000000000000000,
		"1e11":                  100000000000000000,
		"100000000001":          100000000001000,
		"0.0000004999":          0,
		"0.0000005":             1,
		"1e-7":                  0,
		"1e-999999999999999999": 0,
		"17639223330000000000000000000000000e-25":       1763922333000000,
		"1763922333.12300000000000000000000000001":      1763922333123000,
		"0." + strings.Repeat("0", 40) + "5e35":         5,
		"-62135596800":                                  pulse.MinMicros,
		"253402300799999.999":                           pulse.MaxMicros,
		"100000000000." + strings.Repeat("0", 30) + "1": 100000000000000,
	} {
		if got, bad := stampOf(text); bad != nil || got != (pulse.Timestamp{Micros: want}) {
			t.Errorf("%s: got %v (%d) %v, want %d", text, got, got.Micros, bad, want)
		}
		if got, ok := refEpoch(text); !ok || got.Micros != want {
			t.Errorf("%s: the reference says %d", text, got.Micros)
		}
	}
}

func TestTimestamp_RefusesNumbersOutOfRange(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"-62135596800.000001", "253402300800000", "253402300799999.9999", "1e15", "1e300", "1e999999999999999999",
		"-1e12", "-1e999", "18446744073709551616", "99999999999999999999999999999999999999",
	} {
		if got, bad := stampOf(text); bad == nil || bad.Field != "timestamp" {
			t.Errorf("%s: got %v, %v", text, got, bad)
		}
	}
}

func TestTimestamp_ReadsRFC3339(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pulse.Timestamp{
		"1970-01-01T00:00:00Z":             {},
		"2025-06-01T12:00:00":              {Micros: 1748779200000000},
		"2025-06-01 12:00:00z":             {Micros: 1748779200000000},
		"2025-06-01t12:00:00+02:00":        {Micros: 1748772000000000, Offset: 120},
		"2025-06-01T12:00:00-23:59":        {Micros: 1748865540000000, Offset: -1439},
		"2025-06-01T12:00:00-00:00":        {Micros: 1748779200000000},
		"1969-12-31T23:59:59.9999999Z":     {Micros: -1},
		"2024-02-29T00:00:00.1Z":           {Micros: 1709164800100000},
		"2000-02-29T00:00:00.000001+00:00": {Micros: 951782400000001},
		"0001-01-01T00:00:00Z":             {Micros: pulse.MinMicros},
		"9999-12-31T23:59:59.999999Z":      {Micros: pulse.MaxMicros},
		"9999-12-31T23:59:59+00:01":        {Micros: 253402300739000000, Offset: 1},
	} {
		if got, bad := stampOf(`"` + text + `"`); bad != nil || got != want {
			t.Errorf("%s: got %+v %v, want %+v", text, got, bad, want)
		}
	}
}

func TestTimestamp_RefusesOtherTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "2025-06-01", "2025-06-01T12:00Z", "2025-06-01T12:00:00.Z", "2025-06-01T12:00:00,5Z", "2025-06-01T12:00:00 Z",
		"2025-06-01T12:00:00+0200", "2025-06-01T12:00:00+02", "2025-06-01T12:00:00+24:00", "2025-06-01T12:00:00+00:60", "2025-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z", "2025-04-31T00:00:00Z", "2025-00-01T00:00:00Z", "2025-01-00T00:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01T23:60:00Z",
		"2016-12-31T23:59:60Z", "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "+2025-01-01T00:00:00Z",
		"2025-1-01T00:00:00Z", "25-01-01T00:00:00Z", "2025-01-01T00:00:0xZ", "-025-01-01T00:00:00Z", "２025-01-01T00:00:00Z", "1763922333", "now",
		"2025-06-01T12:00:00Zz", "2025-06-01T12:00:00+02:00Z", " 2025-06-01T12:00:00Z",
	} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, bad := stampOf(string(quoted)); bad == nil || bad.Class != pulse.InvalidField || bad.Field != "timestamp" {
			t.Errorf("%q: got %v, %v", text, got, bad)
		}
	}
}

// FuzzTimestamp holds that a text is read as package time's strict reader reads
// it, apart from the liberties doc.go names; that numbers are read with
// unlimited precision; and that what was read is written as the same instant.
func FuzzTimestamp(f *testing.F) {
	for _, seed := range []string{
		"2025-06-01T12:00:00Z", "2025-06-01 12:00:00.1234567+05:30", "0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999-00:01",
		"2024-02-29t23:59:60z", "1763922333.123", "-62135596800", "253402300799999.9995", "1e11",
		"100000000000.0000000000000000001", "1e-400", "12345678901234567890e-9", "  10", "1e", "-0001-01-01T00:00:00Z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil || readBack(t, text) != text {
			return
		}
		want, ok := refDateTime(text)
		requireStamp(t, string(quoted), want, ok)
		if n, err := refParse([]byte(text)); err == nil && n.kind == pulse.Number && n.text == text {
			want, ok := refEpoch(text)
			requireStamp(t, text, want, ok)
		}
	})
}

func requireStamp(t *testing.T, text string, want pulse.Timestamp, ok bool) {
	t.Helper()
	got, bad := stampOf(text)
	if (bad == nil) != ok || ok && got != want {
		t.Fatalf("%s: got %+v (%v), want %+v (%v)", text, got, bad, want, ok)
	}
	if !ok {
		return
	}
	if again, ok := refDateTime(got.String()); !ok || again != got {
		t.Errorf("%s: written as %s, which is %+v and not %+v", text, got, again, got)
	}
}

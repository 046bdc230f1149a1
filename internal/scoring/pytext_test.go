package scoring

import "testing"

// The wanted texts are what CPython 3.12's str and repr print.
func TestPlainText_PrintsLikePython(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		`null`: "None", `true`: "True", `false`: "False",
		`0`: "0", `-0`: "0", `7`: "7", `0.0`: "0.0", `-0.0`: "-0.0", `55.0`: "55.0", `0.1`: "0.1",
		`1e15`: "1000000000000000.0", `1e16`: "1e+16", `1.5e300`: "1.5e+300", `0.0001`: "0.0001",
		`0.00001`: "1e-05", `0.00012345`: "0.00012345", `5e-324`: "5e-324", `9007199254740993`: "9007199254740993",
		`"plain 'text'"`:      "plain 'text'",
		`["it's"]`:            `["it's"]`,
		`["it's \"q\""]`:      `['it\'s "q"']`,
		`["a\\\n\r\t"]`:       `['a\\\n\r\t']`,
		`["\u0001\u00e9"]`:    `['\x01é']`,
		`["\u200b\u2028"]`:    `['\u200b\u2028']`,
		`["\udb40\udc01"]`:    `['\U000e0001']`,
		`{"a":[],"b":{}}`:     "{'a': [], 'b': {}}",
		`[1,1.0,null,true]`:   "[1, 1.0, None, True]",
		`{"x":{"y":[0.5]}}`:   "{'x': {'y': [0.5]}}",
		`{"b":1,"a":2,"b":3}`: "{'b': 3, 'a': 2}",
	} {
		if got := plainText(value(t, sent)); got != want {
			t.Errorf("%s prints %q, want %q", sent, got, want)
		}
	}
}

func TestToFloat_ConvertsLikePythonButFiniteOnly(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]float64{
		`1.5`: 1.5, `true`: 1, `false`: 0, `"0.3"`: 0.3, `" 0.25 "`: 0.25, `"1e-1"`: 0.1, `"+.5"`: 0.5, `"5."`: 5,
		`"-2E+3"`: -2000, `"\u00a01\u2003"`: 1, `"\t1\n"`: 1, `"1e-999"`: 0, `"007"`: 7,
	} {
		if got, ok := toFloat(value(t, sent)); !ok || got != want {
			t.Errorf("%s converts to %v (%v), want %v", sent, got, ok, want)
		}
	}
	for _, sent := range []string{
		`null`, `[]`, `{}`, `[1]`, `""`, `" "`, `"abc"`, `"e"`, `"."`, `"+"`, `"1 2"`, `"0x1p3"`, `"1_000"`, `"inf"`,
		`"nan"`, `"Infinity"`, `"1e999"`, `"\u001c1"`, `"\u0661"`, `"1e"`, `"--1"`,
	} {
		if got, ok := toFloat(value(t, sent)); ok {
			t.Errorf("%s converts to %v, want none", sent, got)
		}
	}
}

func TestEqual_ComparesLikePython(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true},
		{`true`, `1`, true},
		{`false`, `0.0`, true},
		{`true`, `"1"`, false},
		{`null`, `null`, true},
		{`null`, `0`, false},
		{`null`, `{}`, false},
		{`{}`, `{}`, true},
		{`[]`, `{}`, false},
		{`""`, `null`, false},
		{`{"a":1,"b":2}`, `{"b":2.0,"a":true}`, true},
		{`{"a":1}`, `{"b":1}`, false},
		{`{"a":null}`, `{}`, false},
		{`[1,[2]]`, `[1,[2]]`, true},
		{`[1,2]`, `[2,1]`, false},
		{`{"a":{"b":[{}]}}`, `{"a":{"b":[{}]}}`, true},
	} {
		if got := equal(value(t, tt.a), value(t, tt.b)); got != tt.want {
			t.Errorf("%s == %s: %v, want %v", tt.a, tt.b, got, tt.want)
		}
		if got := equal(value(t, tt.b), value(t, tt.a)); got != tt.want {
			t.Errorf("%s == %s: %v, want %v", tt.b, tt.a, got, tt.want)
		}
	}
}

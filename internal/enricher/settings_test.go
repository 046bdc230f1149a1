package enricher

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse_TakesAndRefuses(t *testing.T) {
	t.Parallel()
	got, err := Parse([]string{"risk=http://risk:8080/enrich?required=true&timeout=200ms&k=v", "geo=https://geo/"})
	want := []Endpoint{
		{Name: "risk", URL: "http://risk:8080/enrich?k=v", Required: true, Timeout: 200 * time.Millisecond},
		{Name: "geo", URL: "https://geo/", Timeout: defaultTimeout},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for text, part := range map[string]string{
		"http://x":                "does not begin with a name",
		"A=http://x":              "does not begin with a name",
		"a=ftp://x":               "http or https",
		"a=http:///x":             "http or https",
		"a=http://x?required=yes": "neither true nor false",
		"a=http://x?timeout=5":    "timeout",
		"a=http://x?timeout=1h":   "timeout",
		"a=http://x?timeout=-1s":  "timeout",
		"a=http://x#f":            "http or https",
		"a=http://x?%zz":          "cannot be read",
	} {
		if _, err := Parse([]string{text}); err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "http://x") {
			t.Errorf("%q: %v, want one that says %q, without the address", text, err, part)
		}
	}
	if _, err := Parse([]string{"a=http://x", "a=http://y"}); err == nil {
		t.Error("two of one name are taken")
	}
}

func FuzzParse_TakesNothingThatCannotBeCalled(f *testing.F) {
	for _, s := range []string{"risk=http://risk:8080/enrich?required=true&timeout=200ms", "a=http://[::1]:1/?x=%20", "=", "a=http://user:pw@h/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse([]string{s})
		if (err == nil) != (len(got) == 1) {
			t.Fatalf("%d endpoints and %v", len(got), err)
		}
		if err != nil {
			return
		}
		if got[0].Timeout <= 0 || got[0].Timeout > maxTimeout {
			t.Errorf("time-out %v", got[0].Timeout)
		}
		if _, err := http.NewRequestWithContext(t.Context(), http.MethodPost, got[0].URL, http.NoBody); err != nil {
			t.Errorf("taken, and no request can be made: %v", err)
		}
	})
}

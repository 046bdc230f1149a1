package verify

import (
	"reflect"
	"testing"
)

func TestCompare_FindsWhatDiffers(t *testing.T) {
	t.Parallel()
	const is = `{"id":"1","value":1.5,"quality":{"freshness":1,"normality":0.25},"attempts":1,"input":{"offset":1},"scorer_version":"1","external":{"a":{}}}`
	for name, c := range map[string]struct {
		again string
		want  []Difference
	}{
		"equal bytes":         {is, nil},
		"how it came about":   {`{"id":"1","value":1.5,"quality":{"normality":0.25,"freshness":1},"attempts":2,"input":{"offset":2},"scorer_version":"2"}`, nil},
		"a number":            {`{"id":"1","value":1.25,"quality":{"freshness":1,"normality":0.25}}`, []Difference{{"value", "1.5", "1.25"}}},
		"within":              {`{"id":"1","value":1.5,"quality":{"freshness":1,"normality":0.5}}`, []Difference{{"quality.normality", "0.25", "0.5"}}},
		"attempts within":     {`{"id":"1","value":1.5,"quality":{"freshness":1,"normality":0.25,"attempts":1}}`, []Difference{{"quality.attempts", "", "1"}}},
		"one is not there":    {`{"value":1.5,"quality":{"freshness":1,"normality":0.25}}`, []Difference{{"id", `"1"`, ""}}},
		"one is there as nil": {`{"id":null,"value":1.5,"quality":null}`, []Difference{{"id", `"1"`, "null"}, {"quality", `{"freshness":1,"normality":0.25}`, "null"}}},
	} {
		got, err := Compare([]byte(is), []byte(c.again))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	if _, err := Compare([]byte(`nonsense`), []byte(is)); err == nil {
		t.Error("nonsense was compared")
	}
}

func TestReport_IsEqualOnlyIfSomethingWasCompared(t *testing.T) {
	t.Parallel()
	for want, rows := range map[Verdict][]Row{
		Equal:     {{Compared: 1}, {}},
		Different: {{Compared: 5, Different: 1}, {Compared: 2}},
		Nothing:   {{Skipped: Skipped{Retried: 3}}},
	} {
		if got := NewReport("1", "v2", rows).Verdict; got != want {
			t.Errorf("%+v: %s, want %s", rows, got, want)
		}
	}
}

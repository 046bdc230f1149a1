package codec_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

// A number that changed on its way through a tier would change the result.
func TestProgress_ReadsBackWhatIsWritten(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 500 {
		want := codec.Progress{}
		if n%3 > 0 {
			want.Ingest = &pulse.Ingest{
				SignalTag: []string{"hope", "\"<&>\u2028"}[r.IntN(2)], RawRecency: r.Float64(), RecencyScore: r.NormFloat64() * 1e-300,
				AnomalyFlag: r.IntN(2) == 0, AnomalyScore: pulse.Optional{Number: r.Float64(), Valid: true}, STI: 1 / 3.0,
				Quality: pulse.Quality{Freshness: r.Float64(), Normality: 1, Continuity: 1e-9 * r.Float64(), Reliability: 0},
			}
		}
		if n%4 == 1 {
			want.Features, want.FeatureVersion = []float64{r.NormFloat64(), 1e-300 * r.Float64(), 0, -8}, 1+r.IntN(2)
		}
		if n%2 == 0 {
			want.Token = []byte{byte(n), 0, 255}
			want.External = []pulse.External{{Enricher: "risk", Object: []byte(`{"a":"<b>","c":1e+2}`)}, {Enricher: "geo"}}
		}
		text, err := codec.AppendProgress([]byte("x"), &want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := codec.ReadProgress(text[1:])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestProgress_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "{}", "[]", `{"v":2}`, `{"v":1,"ingest":3}`, `{"v":1}x`} {
		if p, err := codec.ReadProgress([]byte(text)); err == nil {
			t.Errorf("%q: taken for %+v", text, p)
		}
	}
	if _, err := codec.AppendProgress(nil, &codec.Progress{External: []pulse.External{{Enricher: "x", Object: []byte("{")}}}); err == nil {
		t.Error("an answer that is not JSON was written")
	}
}

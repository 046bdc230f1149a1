package scoring

import (
	"testing"

	"pulse-scorer/internal/pulse"
)

// Single steps at limits that whole records hardly ever hit.

func TestAnomaly_IsNotFlaggedAtTheLimit(t *testing.T) {
	t.Parallel()
	window := []float64{1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 9}
	r := Parity().Anomaly
	z, ok := r.z(9, window)
	if r.ZLimit = z; !ok || r.flag(9, window) {
		t.Errorf("z %v (%v) is flagged at the limit %v", z, ok, r.ZLimit)
	}
	if r.ZLimit = z * 0.999; !r.flag(9, window) {
		t.Errorf("z %v is not flagged above the limit %v", z, r.ZLimit)
	}
}

func TestGate_PassesAtItsLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		confidence, risk float64
		fragility, want  string
	}{
		{0.5, 0.5, `0.7`, "🟢 Trusted"},
		{0.5, 0.5, `null`, "🟢 Trusted"},
		{0.5, 0.5, `"0.7"`, "🟢 Trusted"},
		{0.5, 0.501, `0.7`, "🟡 Unstable"},
		{0.5, 0.5, `0.701`, "🟡 Unstable"},
		{0.499, 0, `0`, "🔴 Rejected"},
	} {
		f := &forecast{fragility: value(t, tt.fragility)}
		got, err := Parity().Gate.label(f, tt.confidence, tt.risk)
		if got != tt.want || err != nil {
			t.Errorf("%+v: got %s, error %v", tt, got, err)
		}
	}
}

// Python's float power raises when the result is out of range, and the old
// system goes on with the next name; an infinite difference has an infinite
// square without raising.
func TestStateDistance_SkipsSquaresOutOfRange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		start, now string
		want       float64
	}{
		{`{"a":1e200}`, `{"a":0}`, 1},
		{`{"a":1e200,"b":0.5}`, `{"a":0,"b":0}`, 0.75},
		{`{"a":1e308}`, `{"a":-1e308}`, 0},
		{`{"a":"0.5","b":"x"}`, `{"a":0,"b":0}`, 0.75},
		{`{"a":1}`, `{"b":2}`, 1},
		{`[]`, `{"a":1}`, 1},
	} {
		record := value(t, `{"forecast":{"start_state":{"overlays":`+tt.start+`}}}`)
		e, err := Parity().Enrich(record, Context{CurrentState: value(t, `{"overlays":`+tt.now+`}`)})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.AlignmentComponents.Retrodiction; got != pulse.Some(tt.want) {
			t.Errorf("start %s, now %s: retrodiction %v, want %v", tt.start, tt.now, got, tt.want)
		}
	}
}

// The sum for risk is compensated, the one for confidence is not.
func TestCapitalMove_AddsInTwoWays(t *testing.T) {
	t.Parallel()
	f, err := Parity().openForecast(value(t, `{"forecast":{"start_capital":{"nvda":0},"end_capital":{"nvda":1e16,"msft":1,"ibit":-1}}}`), pulse.Value{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parity().capitalMove(f)
	if want := (capitalMove{known: true, running: 1e16, exact: 1e16 + 2}); got != want || err != nil {
		t.Errorf("got %+v, error %v, want %+v", got, err, want)
	}
}

func TestCompensated_IsExactWhereAPlainSumIsNot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		xs   []float64
		want float64
	}{
		{nil, 0},
		{[]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 1},
		{[]float64{1, 1e100, 1, -1e100}, 2},
	} {
		var sum compensated
		for _, x := range tt.xs {
			sum.add(x)
		}
		if got := sum.total(); got != tt.want {
			t.Errorf("sum of %v = %v, want %v", tt.xs, got, tt.want)
		}
	}
	sum := compensated{}
	sum.add(1e308)
	sum.add(1e308)
	if got := sum.total(); got < 1e308 || isFinite(got) {
		t.Errorf("1e308 twice = %v, want +Inf", got)
	}
}

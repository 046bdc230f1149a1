package scoring

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

func compareSignals(t *testing.T, vectors []vector) {
	t.Helper()
	p := Parity()
	signals := 0
	for _, v := range vectors {
		now, err := timestamp(member(v.in, "now").String)
		if err != nil {
			t.Fatalf("%s: in.now: %v", v.id, err)
		}
		decode := member(v.in, "decode").String
		if decode != "datetime" && decode != "raw" {
			t.Fatalf("%s: unknown decode %q", v.id, decode)
		}
		results, steps := member(v.want, "results").List, member(v.diag, "steps").List
		given := member(v.in, "signals").List
		if len(given) != len(results) || len(steps) != 0 && len(steps) != len(results) {
			t.Fatalf("%s: %d signals, %d results, %d steps", v.id, len(given), len(results), len(steps))
		}
		s := series{profile: p, now: now, raw: decode == "raw"}
		for i, want := range results {
			var step pulse.Value
			if len(steps) > 0 {
				step = steps[i]
			}
			for _, line := range s.diff(given[i], want, step) {
				t.Errorf("%s[%d]%s", v.id, i, line)
			}
			signals++
		}
	}
	t.Logf("%d signals compared", signals)
}

// series plays the signals of one vector: they share one window.
type series struct {
	profile *Profile
	now     pulse.Timestamp
	// raw is for vectors that hand timestamps on as they are, like the old
	// task did: any that is given then is an error. The service parses them, so
	// this part of such a vector is the test's, not the package's.
	raw    bool
	window []float64
}

func (s *series) diff(given, want, step pulse.Value) []string {
	sig, err := s.decode(given)
	if err == nil {
		s.window = append(s.window, sig.Value)
		s.window = s.window[max(0, len(s.window)-s.profile.WindowSize):]
		// The old system looks at the name last, when the value is in.
		if member(given, "name").Kind != pulse.String {
			err = errors.New("name: not a string")
		}
	}
	if _, failed := want.Get("error"); failed || err != nil {
		if failed != (err != nil) {
			return []string{fmt.Sprintf(": got error %v, want %s", err, reprText(want))}
		}
		return nil
	}
	score := s.profile.Score(sig, s.now.Micros, Seen{Window: s.window}, Context{})
	got := score.Ingest
	lines := diff("", pulse.ObjectValue(
		field("name", pulse.StringValue(sig.Name)),
		field("value", sameKind(sig.Value, member(given, "value"))),
		field("source", pulse.StringValue(sig.Source)),
		field("timestamp", pulse.StringValue(sig.Timestamp.String())),
		field("symbolic_tag", pulse.StringValue(got.SignalTag)),
		field("recency_score", pulse.NumberValue(got.RecencyScore)),
		field("anomaly_flag", boolValue(got.AnomalyFlag)),
		field("sti", pulse.NumberValue(got.STI)),
	), want, 0)
	if score.Trust != pulse.Some(0) || score.Alignment != pulse.Some(0) || score.Enrichment != nil || score.EnrichmentError != "" {
		lines = append(lines, fmt.Sprintf(": got %+v, want both scores 0 and no enrichment", score))
	}
	return append(lines, s.stepDiff(sig, got, step)...)
}

// stepDiff compares what the old system computed on the way.
func (s *series) stepDiff(sig *pulse.Signal, got pulse.Ingest, step pulse.Value) []string {
	var lines []string
	if want, ok := step.Get("recency_raw"); ok && got.RawRecency != want.Number {
		lines = append(lines, fmt.Sprintf(" recency: got %v, want %v", got.RawRecency, want.Number))
	}
	if want, ok := step.Get("window_len"); ok && float64(len(s.window)) != want.Number {
		lines = append(lines, fmt.Sprintf(" window: got %d values, want %v", len(s.window), want.Number))
	}
	z, defined := s.profile.Anomaly.z(sig.Value, s.window)
	want, ok := step.Get("z")
	switch {
	case ok && want.Kind == pulse.Number && !(defined && math.Abs(z-want.Number) <= 1e-6*math.Abs(want.Number)):
		lines = append(lines, fmt.Sprintf(" z: got %v (%v), want %v", z, defined, want.Number))
	case ok && want.Kind == pulse.Null && defined:
		lines = append(lines, fmt.Sprintf(" z: got %v, want none", z))
	}
	return lines
}

// decode does what the service's decoder does before scoring, as far as the
// vectors need it.
func (s *series) decode(given pulse.Value) (*pulse.Signal, error) {
	name, hasName := given.Get("name")
	x, isNumber := asNumber(member(given, "value"))
	if !hasName || !isNumber {
		return nil, errors.New("name or value: absent or of the wrong type")
	}
	sig := &pulse.Signal{Name: name.String, Value: x, Source: "celery", Timestamp: s.now}
	if source, ok := given.Get("source"); ok {
		if source.Kind != pulse.String {
			return nil, errors.New("source: not a string")
		}
		sig.Source, sig.SourceGiven = source.String, true
	}
	if text := member(given, "timestamp"); text.Kind != pulse.Null {
		if s.raw {
			return nil, errors.New("timestamp: given, and handed on as it is")
		}
		var err error
		if sig.Timestamp, err = timestamp(text.String); err != nil {
			return nil, err
		}
		sig.TimestampGiven = true
	}
	return sig, nil
}

// sameKind is x as the JSON type it was sent as: the old record repeats a
// boolean as a boolean.
func sameKind(x float64, sent pulse.Value) pulse.Value {
	if sent.Kind == pulse.Bool {
		return boolValue(x != 0)
	}
	return pulse.NumberValue(x)
}

// timestamp parses RFC 3339, digits behind microseconds cut off.
func timestamp(text string) (pulse.Timestamp, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return pulse.Timestamp{}, err
	}
	_, offset := at.Zone()
	return pulse.Timestamp{Micros: at.UnixMicro(), Offset: int16(offset / 60)}, nil
}

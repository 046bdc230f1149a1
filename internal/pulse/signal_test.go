package pulse_test

import (
	"testing"

	"pulse-scorer/internal/pulse"
)

func TestKind_NamesAreThoseOfResults(t *testing.T) {
	t.Parallel()
	if pulse.Raw.String() != "raw" || pulse.Forecasted.String() != "forecast" {
		t.Errorf("got %s and %s", pulse.Raw, pulse.Forecasted)
	}
}

func TestBad_ErrorNamesClassFieldAndReason(t *testing.T) {
	t.Parallel()
	for want, bad := range map[string]pulse.Bad{
		"malformed_json: empty":          {Class: pulse.MalformedJSON, Message: "empty"},
		"invalid_field: value: is text":  {Class: pulse.InvalidField, Field: "value", Message: "is text"},
		"too_large: 11 of 10 bytes":      {Class: pulse.TooLarge, Message: "11 of 10 bytes"},
		"stage_panic: score: index of 3": {Class: pulse.StagePanic, Field: "score", Message: "index of 3"},
	} {
		if got := bad.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

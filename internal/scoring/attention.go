package scoring

import (
	"math"

	"pulse-scorer/internal/pulse"
)

// AttentionRules turn the drift of a forecast's arc into a score.
type AttentionRules struct {
	// Scale is the drift that counts as full attention.
	Scale float64
}

// score is unrounded, in [0,1]; it does not apply without a drift table, and
// fails when that is not an object. A drift that is absent or does not convert
// is 0 (trust_engine.py:74-96 and 936-940).
func (r AttentionRules) score(arcDrift pulse.Value, arcLabel string) (pulse.Optional, error) {
	if !truthy(arcDrift) {
		return pulse.Optional{}, nil
	}
	if arcDrift.Kind != pulse.Object {
		return pulse.Optional{}, wrongType("context.arc_drift", "an object", arcDrift)
	}
	v, _ := arcDrift.Get(arcLabel)
	return pulse.Some(min(math.Abs(floatOrZero(v))/r.Scale, 1)), nil
}

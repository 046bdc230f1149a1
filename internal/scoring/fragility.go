package scoring

import (
	"errors"
	"math"

	"pulse-scorer/internal/pulse"
)

// FragilityRules weigh the tension between overlays and the size of the
// change.
type FragilityRules struct {
	// FatigueWeight is the share of fatigue times hope in the tension.
	FatigueWeight float64
	// ChangeScale is the sum of changes that counts as full volatility.
	ChangeScale                     float64
	TensionWeight, VolatilityWeight float64
	// Cap is the most a computed fragility can be. There is no lower bound:
	// negative overlays make it negative.
	Cap float64
	// First computes it before confidence and gate, which use it then. Otherwise
	// they use what the record came with, and it is computed after them.
	First bool
}

// errFragilityRange is for overlays so large that their products leave the
// range of a float. The old system went on with an infinite or undefined
// fragility, which JSON cannot carry.
var errFragilityRange = errors.New("overlays: too large, fragility is not a finite number")

// of is the rounded fragility. ok is false when an overlay or a change is not
// a number; the old system then keeps what the record came with
// (trust_engine.py:890-898, fragility_detector.py:28-60).
func (r FragilityRules) of(f *forecast, decimals int) (fragility float64, ok bool, err error) {
	tension, ok := r.tension(f)
	if !ok {
		return 0, false, nil
	}
	change, ok := changeSum(f.outer)
	if !ok {
		return 0, false, nil
	}
	volatility := min(change/r.ChangeScale, 1)
	tension = roundTo(tension, decimals)
	sum := float64(tension*r.TensionWeight) + float64(volatility*r.VolatilityWeight)
	fragility = roundTo(min(sum, r.Cap), decimals)
	if !isFinite(fragility) {
		return 0, false, errFragilityRange
	}
	return fragility, true, nil
}

// overlayNames are the overlays that are read; others are ignored.
var overlayNames = [...]string{"hope", "despair", "rage", "fatigue", "trust"}

// tension grows with overlays that contradict each other
// (symbolic_utils.py:32-50).
func (r FragilityRules) tension(f *forecast) (float64, bool) {
	var overlays [5]float64
	for i, name := range overlayNames {
		x, ok := f.overlay(name)
		if !ok {
			return 0, false
		}
		overlays[i] = x
	}
	hope, despair, rage, fatigue, trust := overlays[0], overlays[1], overlays[2], overlays[3], overlays[4]
	sum := float64(hope*despair) + float64(rage*trust)
	return sum + float64(float64(fatigue*hope)*r.FatigueWeight), true
}

// changeSum adds the sizes of all changes, in the order they were sent.
func changeSum(change pulse.Value) (float64, bool) {
	if change.Kind != pulse.Object {
		return 0, false
	}
	var sum compensated
	for _, m := range change.Members {
		x, ok := asNumber(m.Value)
		if !ok {
			return 0, false
		}
		sum.add(math.Abs(x))
	}
	return sum.total(), true
}

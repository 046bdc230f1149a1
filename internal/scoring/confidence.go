package scoring

import "pulse-scorer/internal/pulse"

// ConfidenceRules weigh a forecast's own signs, its risk and its history.
type ConfidenceRules struct {
	// AbsentFragility is used when the record brings none, or no number.
	AbsentFragility float64
	// MovementScale is the sum of capital moves that counts as full movement,
	// in the capital's own unit; AbsentMovement stands in without capital.
	MovementScale, AbsentMovement float64
	// A penalty above EmptyLimit falls to EmptyPenalty when the forecast has
	// neither overlays nor a change: then it says nothing.
	EmptyLimit, EmptyPenalty float64
	BaseFloor                float64

	BaseWeight, SafetyWeight, HistoryWeight, NoveltyWeight float64

	// FragmentedPenalty goes off a fragmented forecast, ArcPenalty off one
	// whose arc_volatility_score is above ArcLimit; never both.
	FragmentedPenalty, ArcPenalty, ArcLimit float64

	// Floor and Ceiling bound the confidence. The floor is the old system's
	// threshold: no confidence is ever below it.
	Floor, Ceiling float64
}

// raw is the confidence before rounding and bounds (trust_engine.py:349-508).
// risk is the rounded risk score.
func (r ConfidenceRules) raw(f *forecast, move capitalMove, risk float64, h history) (float64, error) {
	penalty, err := r.penalty(f)
	if err != nil {
		return 0, err
	}
	novelty := 1.0
	if h.duplicate {
		novelty = 0
	}
	sum := float64(r.BaseWeight*r.base(f, move)) + float64(r.SafetyWeight*(1-risk))
	sum += float64(r.HistoryWeight * h.consistency)
	sum += float64(r.NoveltyWeight * novelty)
	return sum - penalty, nil
}

// base is the mean of movement and the lack of fragility. It has no upper
// bound: a negative fragility brings it above 1.
func (r ConfidenceRules) base(f *forecast, move capitalMove) float64 {
	fragility, ok := toFloat(f.fragility)
	if !ok {
		fragility = r.AbsentFragility
	}
	fragility = min(fragility, 1)
	if fragility > r.EmptyLimit && !truthy(f.overlays) && !truthy(f.change) {
		fragility = r.EmptyPenalty
	}
	movement := r.AbsentMovement
	if move.known {
		movement = min(move.running/r.MovementScale, 1)
	}
	return max(((1-fragility)+movement)/2, r.BaseFloor)
}

// penalty fails when arc_volatility_score has to be compared and is not a
// number (symbolic_utils.py:72-80).
func (r ConfidenceRules) penalty(f *forecast) (float64, error) {
	if fragmented, _ := f.record.Get("symbolic_fragmented"); truthy(fragmented) {
		return r.FragmentedPenalty, nil
	}
	v := getOr(f.record, "arc_volatility_score", pulse.NumberValue(0))
	volatility, ok := asNumber(v)
	if !ok {
		return 0, wrongType("arc_volatility_score", "a number", v)
	}
	if volatility > r.ArcLimit {
		return r.ArcPenalty, nil
	}
	return 0, nil
}

// bounded is a raw confidence between floor and ceiling.
func (r ConfidenceRules) bounded(raw float64) float64 {
	return min(max(raw, r.Floor), r.Ceiling)
}

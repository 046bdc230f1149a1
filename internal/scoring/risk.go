package scoring

import "pulse-scorer/internal/pulse"

// RiskRules weigh volatility, history and a constant into the risk score.
type RiskRules struct {
	// VolatilityScale is the sum of capital moves that counts as full
	// volatility, in the capital's own unit.
	VolatilityScale                                 float64
	VolatilityWeight, HistoryWeight, ConstantWeight float64
	// Constant stands where the old system meant to have a model's
	// adjustment. Where the model's error is given it takes its place.
	Constant float64
	// FromModel takes the model's own error, in [0,1], for the constant.
	FromModel bool
	// Cap holds while fewer than CapBelow forecasts are remembered.
	Cap      float64
	CapBelow int
}

// score is unrounded, in [0,1] (trust_engine.py:99-212).
// modelError is how far the predictions of the stream were off.
func (r RiskRules) score(move capitalMove, h history, remembered int, modelError pulse.Optional) float64 {
	volatility := 0.0
	if move.known {
		volatility = min(move.exact/r.VolatilityScale, 1)
	}
	risk := float64(volatility*r.VolatilityWeight) + float64(h.risk*r.HistoryWeight)
	adjustment := r.Constant
	if r.FromModel && modelError.Valid {
		adjustment = unit(modelError.Number)
	}
	risk += float64(adjustment * r.ConstantWeight)
	if remembered < r.CapBelow {
		risk = min(risk, r.Cap)
	}
	return unit(risk)
}

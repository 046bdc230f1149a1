package scoring

import "pulse-scorer/internal/pulse"

// GateRules turn confidence, fragility and risk into a label.
type GateRules struct {
	ConfidenceMin, FragilityMax, RiskMax float64
	Trusted, Unstable, Rejected          string
}

// label reads the fragility that came with the record where it is computed
// later; absent and null count as 0 here although confidence takes 1
// (trust_engine.py:306-344). It fails when fragility is neither a number nor text
// that is one.
func (r GateRules) label(f *forecast, confidence, risk float64) (string, error) {
	fragility := 0.0
	if v := f.fragility; v.Kind != pulse.Null {
		var ok bool
		if fragility, ok = toFloat(v); !ok {
			return "", wrongType("fragility", "a number", v)
		}
	}
	switch {
	case confidence >= r.ConfidenceMin && fragility <= r.FragilityMax && risk <= r.RiskMax:
		return r.Trusted, nil
	case confidence >= r.ConfidenceMin:
		return r.Unstable, nil
	default:
		return r.Rejected, nil
	}
}

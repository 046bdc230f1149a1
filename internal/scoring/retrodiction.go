package scoring

import "pulse-scorer/internal/pulse"

// retrodictionError is set only when a current state with something in it was
// given: 1 less the record's retrodiction_score, null when that is absent or
// no number (trust_engine.py:901-919).
func retrodictionError(f *forecast, currentState pulse.Value) (set bool, value pulse.Optional) {
	if !truthy(currentState) {
		return false, pulse.Optional{}
	}
	score, _ := f.record.Get("retrodiction_score")
	x, ok := asNumber(score)
	if !ok {
		return true, pulse.Optional{}
	}
	return true, pulse.Some(1 - x)
}

// stateDistance is the mean squared distance between the overlays the forecast
// started from and those of the current state (learning.py:488-506), over the names
// compared, which both have. ok is false when one of the two states is not an
// object. Nothing to compare is a distance of 0.
func stateDistance(f *forecast, currentState pulse.Value, decimals int) (distance float64, compared int, ok bool) {
	startState := getOr(f.inner, "start_state", emptyObject())
	if startState.Kind != pulse.Object || currentState.Kind != pulse.Object {
		return 0, 0, false
	}
	start := getOr(startState, "overlays", emptyObject())
	current := getOr(currentState, "overlays", emptyObject())
	if start.Kind != pulse.Object || current.Kind != pulse.Object {
		return 0, 0, true
	}
	var sum compensated
	eachCommon(byName(start.Members), byName(current.Members), func(a, b pulse.Value) {
		if d, ok := squaredDifference(a, b); ok {
			sum.add(d)
			compared++
		}
	})
	if compared == 0 {
		return 0, 0, true
	}
	return roundTo(sum.total()/float64(compared), decimals), compared, true
}

// squaredDifference is not ok for what does not convert, nor for a square out
// of range: Python raises there and the old system goes on with the next name.
// A difference out of range has an infinite square in Python, without an
// error; the component then is 0.
func squaredDifference(a, b pulse.Value) (float64, bool) {
	x, okX := toFloat(a)
	y, okY := toFloat(b)
	if !okX || !okY {
		return 0, false
	}
	d := x - y
	sq := square(d)
	return sq, isFinite(sq) || !isFinite(d)
}

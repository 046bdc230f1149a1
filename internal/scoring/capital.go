package scoring

import (
	"math"

	"pulse-scorer/internal/pulse"
)

// capitalMove is how far the assets moved from start to end.
type capitalMove struct {
	// known is false when either side is absent or empty.
	known bool
	// running and exact are the same sum of absolute differences: the old
	// system adds them one by one for confidence and with sum() for risk, and
	// the last bits can differ.
	running, exact float64
}

// capitalMove fails when both sides hold something and one is not an object.
// An asset that is missing or no number counts as 0 (trust_engine.py:109-139).
func (p *Profile) capitalMove(f *forecast) (capitalMove, error) {
	start := getOr(f.inner, "start_capital", emptyObject())
	end := getOr(f.inner, "end_capital", emptyObject())
	if !truthy(start) || !truthy(end) {
		return capitalMove{}, nil
	}
	if start.Kind != pulse.Object {
		return capitalMove{}, wrongType("forecast.start_capital", "an object", start)
	}
	if end.Kind != pulse.Object {
		return capitalMove{}, wrongType("forecast.end_capital", "an object", end)
	}
	move := capitalMove{known: true}
	var exact compensated
	for _, asset := range p.Assets {
		from, _ := start.Get(asset)
		to, _ := end.Get(asset)
		d := math.Abs(floatOrZero(to) - floatOrZero(from))
		move.running += d
		exact.add(d)
	}
	move.exact = exact.total()
	return move, nil
}

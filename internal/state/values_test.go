package state

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"pulse-scorer/internal/pulse"
)

func equalValues(a, b pulse.Value) bool {
	return a.Kind == b.Kind && a.Bool == b.Bool && math.Float64bits(a.Number) == math.Float64bits(b.Number) && a.String == b.String &&
		slices.EqualFunc(a.List, b.List, equalValues) &&
		slices.EqualFunc(a.Members, b.Members, func(a, b pulse.Member) bool { return a.Name == b.Name && equalValues(a.Value, b.Value) })
}

func randomValue(rng *rand.Rand, depth int) pulse.Value {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	v := pulse.Value{Kind: pulse.ValueKind(rng.IntN(kinds))}
	switch v.Kind {
	case pulse.Null:
	case pulse.Bool:
		v.Bool = rng.IntN(2) == 0
	case pulse.Number:
		special := []float64{0, math.Copysign(0, -1), 1, -1, 1 << 47, 1 << 48, -1 << 48, 1 << 62, 1e300, math.Inf(1), math.NaN(), 0.1, rng.NormFloat64()}
		v.Number = special[rng.IntN(len(special))]
	case pulse.String:
		v.String = []string{"", "a", "ü\x00\xff", "some longer text"}[rng.IntN(4)]
	case pulse.List:
		for range rng.IntN(4) {
			v.List = append(v.List, randomValue(rng, depth-1))
		}
	case pulse.Object:
		for i := range rng.IntN(4) {
			v.Members = append(v.Members, pulse.Member{Name: strconv.Itoa(i), Value: randomValue(rng, depth-1)})
		}
	}
	return v
}

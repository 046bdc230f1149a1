package scoring

import (
	"fmt"
	"math"

	"pulse-scorer/internal/pulse"
)

// HistoryRules compare a forecast with the last ones of its stream.
type HistoryRules struct {
	// Depth is how many of the last remembered forecasts are compared.
	Depth int
	// NoMemory and NoChange stand in for the consistency, and RiskNoChange for
	// its share in the risk, where there is nothing to compare.
	NoMemory, NoChange, RiskNoChange float64
	// NothingShared is the similarity to a forecast without a common name.
	NothingShared float64
	// OnlyChanges says that an empty change is no duplicate of another one.
	OnlyChanges bool
}

// history is what the comparison finds.
type history struct {
	// consistency is in [0,1], unrounded; risk is the matching share in the
	// risk score.
	consistency, risk float64
	// duplicate is true when one of the forecasts compared had the same change.
	duplicate bool
}

// of fails when an entry that has to be looked at is not a forecast
// (trust_engine.py:141-195 and 420-489).
func (r HistoryRules) of(f *forecast) (history, error) {
	if len(f.memory) == 0 {
		return history{consistency: r.NoMemory}, nil
	}
	h := history{consistency: r.NoChange, risk: r.RiskNoChange}
	if truthy(f.change) {
		mean, err := r.meanSimilarity(f)
		if err != nil {
			return history{}, err
		}
		h = history{consistency: mean, risk: 1 - mean}
	}
	var err error
	h.duplicate, err = r.isDuplicate(f)
	return h, err
}

// first is the index of the oldest entry that is compared.
func (r HistoryRules) first(f *forecast) int { return max(0, len(f.memory)-r.Depth) }

func (r HistoryRules) meanSimilarity(f *forecast) (float64, error) {
	current := byName(f.change.Members)
	var sum compensated
	n := 0
	for i := r.first(f); i < len(f.memory); i++ {
		past, err := pastChange(f, i)
		if err != nil {
			return 0, err
		}
		similarity := r.NothingShared
		if truthy(past) {
			if f.change.Kind != pulse.Object {
				return 0, wrongType("forecast.symbolic_change", "an object", f.change)
			}
			if past.Kind != pulse.Object {
				return 0, wrongType(entryPath(i)+".forecast.symbolic_change", "an object", past)
			}
			similarity = r.similarity(current, byName(past.Members))
		}
		sum.add(similarity)
		n++
	}
	return sum.total() / float64(n), nil
}

// similarity is 1 less the mean distance over the names both have.
func (r HistoryRules) similarity(current, past []pulse.Member) float64 {
	distance, common := 0.0, 0
	eachCommon(current, past, func(x, y pulse.Value) {
		distance += math.Abs(floatOrZero(x) - floatOrZero(y))
		common++
	})
	if common == 0 {
		return r.NothingShared
	}
	return 1 - min(distance/float64(common), 1)
}

// isDuplicate stops at the first equal change and does not look at the entries
// behind it, so a bad one there does no harm. An empty change equals an empty
// one, unless OnlyChanges are compared.
func (r HistoryRules) isDuplicate(f *forecast) (bool, error) {
	if r.OnlyChanges && !truthy(f.change) {
		return false, nil
	}
	for i := r.first(f); i < len(f.memory); i++ {
		past, err := pastChange(f, i)
		if err != nil {
			return false, err
		}
		if equal(f.change, past) {
			return true, nil
		}
	}
	return false, nil
}

// pastChange is the symbolic_change of memory entry i, {} when it has none.
func pastChange(f *forecast, i int) (pulse.Value, error) {
	entry := f.memory[i]
	if entry.Kind != pulse.Object {
		return pulse.Value{}, wrongType(entryPath(i), "an object", entry)
	}
	inner := getOr(entry, "forecast", emptyObject())
	if inner.Kind != pulse.Object {
		return pulse.Value{}, wrongType(entryPath(i)+".forecast", "an object", inner)
	}
	return getOr(inner, "symbolic_change", emptyObject()), nil
}

func entryPath(i int) string { return fmt.Sprintf("memory[%d]", i) }

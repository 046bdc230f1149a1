package scoring

import (
	"slices"

	"pulse-scorer/internal/pulse"
)

// AlignmentRules weigh five components into a score of 0 to 100.
type AlignmentRules struct {
	// The weights add up to exactly 1.
	ConfidenceWeight, RetrodictionWeight, ArcStabilityWeight, TagMatchWeight, NoveltyWeight float64
	// TrustedTags are the tags that match, in lower-case ASCII letters.
	TrustedTags []string
	// Scale is the score when every component is 1.
	Scale float64
	// ScoreDecimals and DistanceDecimals are what score and state distance
	// are rounded to.
	ScoreDecimals, DistanceDecimals int
}

// components are unrounded, each in [0,1] (alignment_index.py:29-139).
// confidence is the rounded one, tag the tag of the forecast's arc.
func (r AlignmentRules) components(f *forecast, currentState pulse.Value, confidence float64, tag string) pulse.AlignmentComponents {
	return pulse.AlignmentComponents{
		Confidence:   unit(confidence),
		Retrodiction: r.retrodiction(f, currentState),
		ArcStability: arcStability(f),
		TagMatch:     r.tagMatch(tag),
		Novelty:      tagNovelty(f.memory, tag),
	}
}

func (r AlignmentRules) score(c pulse.AlignmentComponents) float64 {
	var sum compensated
	sum.add(float64(c.Confidence * r.ConfidenceWeight))
	sum.add(float64(c.Retrodiction * r.RetrodictionWeight))
	sum.add(float64(c.ArcStability * r.ArcStabilityWeight))
	sum.add(float64(c.TagMatch * r.TagMatchWeight))
	sum.add(float64(c.Novelty * r.NoveltyWeight))
	return roundTo(sum.total()*r.Scale, r.ScoreDecimals)
}

// retrodiction is the record's own score when it has the key, else how near
// the forecast's start is to the current state. An empty current state counts
// as given, and with nothing to compare as perfectly near.
func (r AlignmentRules) retrodiction(f *forecast, currentState pulse.Value) float64 {
	if v, present := f.record.Get("retrodiction_score"); present {
		x, _ := asNumber(v)
		return unit(x)
	}
	if currentState.Kind == pulse.Null {
		return 0
	}
	distance, ok := stateDistance(f, currentState, r.DistanceDecimals)
	if !ok {
		return 0
	}
	return unit(1 - distance)
}

// arcStability is 0 without an arc_volatility_score, and when that is not a
// number.
func arcStability(f *forecast) float64 {
	v, _ := f.record.Get("arc_volatility_score")
	x, ok := asNumber(v)
	if !ok {
		return 0
	}
	return 1 - unit(x)
}

func (r AlignmentRules) tagMatch(tag string) float64 {
	if slices.ContainsFunc(r.TrustedTags, func(trusted string) bool { return equalFold(tag, trusted) }) {
		return 1
	}
	return 0
}

// tagNovelty is the share of remembered forecasts with another tag, over all
// of the memory. Entries that are not objects are left out; one whose tag is
// not text makes the forecast new.
func tagNovelty(memory []pulse.Value, tag string) float64 {
	same, all := 0, 0
	for _, entry := range memory {
		if entry.Kind != pulse.Object {
			continue
		}
		other := getOr(entry, "symbolic_tag", pulse.StringValue(""))
		if other.Kind != pulse.String {
			return 1
		}
		all++
		if equalTags(other.String, tag) {
			same++
		}
	}
	return 1 - float64(same)/float64(max(1, all))
}

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
	// Unknowns leaves a component unknown of which nothing is known, and shares its
	// weight among the others. Otherwise it counts as 0, or as 1 where two states
	// have nothing in common.
	Unknowns bool
	// BothTags matches the tag of the series' name, too.
	BothTags bool
}

// components are unrounded, each in [0,1] (alignment_index.py:29-139).
// confidence is the rounded one, tag the tag of the forecast's arc.
func (r AlignmentRules) components(f *forecast, ctx Context, confidence float64, tag string) pulse.AlignmentComponents {
	return pulse.AlignmentComponents{
		Confidence:   pulse.Some(unit(confidence)),
		Retrodiction: r.known(r.retrodiction(f, ctx.CurrentState)),
		ArcStability: r.known(arcStability(f)),
		TagMatch:     pulse.Some(r.tagMatch(tag, ctx.SignalTag)),
		Novelty:      pulse.Some(tagNovelty(f.memory, tag)),
	}
}

// known is a component, null when nothing is known of it.
func (r AlignmentRules) known(x float64, ok bool) pulse.Optional {
	if r.Unknowns && !ok {
		return pulse.Optional{}
	}
	return pulse.Some(x)
}

func (r AlignmentRules) score(c pulse.AlignmentComponents) float64 {
	var sum, weights compensated
	for _, part := range [...]struct {
		component pulse.Optional
		weight    float64
	}{
		{c.Confidence, r.ConfidenceWeight},
		{c.Retrodiction, r.RetrodictionWeight},
		{c.ArcStability, r.ArcStabilityWeight},
		{c.TagMatch, r.TagMatchWeight},
		{c.Novelty, r.NoveltyWeight},
	} {
		if part.component.Valid {
			sum.add(float64(part.component.Number * part.weight))
			weights.add(part.weight)
		}
	}
	// All weights together are exactly 1, and dividing by that changes nothing.
	return roundTo(sum.total()/weights.total()*r.Scale, r.ScoreDecimals)
}

// retrodiction is the record's own score, else how near the forecast's start is
// to the current state. With Unknowns a score of null is none, and so are states
// with nothing to compare; without, null counts as 0, and an empty current state
// as given and perfectly near.
func (r AlignmentRules) retrodiction(f *forecast, currentState pulse.Value) (x float64, ok bool) {
	if v, present := f.record.Get("retrodiction_score"); present && (!r.Unknowns || v.Kind != pulse.Null) {
		x, ok = asNumber(v)
		return unit(x), ok
	}
	if currentState.Kind == pulse.Null {
		return 0, false
	}
	distance, compared, ok := stateDistance(f, currentState, r.DistanceDecimals)
	if !ok {
		return 0, false
	}
	return unit(1 - distance), compared > 0
}

// arcStability is 0 and not ok without an arc_volatility_score, and when that is
// not a number.
func arcStability(f *forecast) (x float64, ok bool) {
	v, _ := f.record.Get("arc_volatility_score")
	if x, ok = asNumber(v); !ok {
		return 0, false
	}
	return 1 - unit(x), true
}

func (r AlignmentRules) tagMatch(tag, signalTag string) float64 {
	if r.trusts(tag) || r.BothTags && r.trusts(signalTag) {
		return 1
	}
	return 0
}

func (r AlignmentRules) trusts(tag string) bool {
	return slices.ContainsFunc(r.TrustedTags, func(trusted string) bool { return equalFold(tag, trusted) })
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

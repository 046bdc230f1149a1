package scoring

// ArcRule gives a forecast its arc when one overlay is above a limit.
type ArcRule struct {
	Overlay    string
	Above      float64
	Label, Tag string
}

// ArcRules are tried in order; the first that holds names the arc.
type ArcRules struct {
	Rules []ArcRule
	// OtherLabel and OtherTag are for a forecast that none of them fits.
	OtherLabel, OtherTag string
}

// of fails when an overlay that has to be compared is not a number; overlays
// behind the first match are not looked at (trust_engine.py:281-301).
func (r ArcRules) of(f *forecast) (label, tag string, err error) {
	for _, rule := range r.Rules {
		x, ok := f.overlay(rule.Overlay)
		if !ok {
			v, _ := f.overlays.Get(rule.Overlay)
			return "", "", wrongType("overlays."+rule.Overlay, "a number", v)
		}
		if x > rule.Above {
			return rule.Label, rule.Tag, nil
		}
	}
	return r.OtherLabel, r.OtherTag, nil
}

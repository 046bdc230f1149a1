package scoring

import (
	"slices"
	"strings"

	"pulse-scorer/internal/pulse"
)

// MemoryEntry is what a stream remembers of an enriched forecast, the only
// parts that later ones read:
//
//	{"symbolic_tag": …, "forecast": {"symbolic_change": …}}
//
// enrichment is what Enrich returned for record without an error; a forecast
// that failed is not remembered. The entry shares no memory with either.
//
// symbolic_change is left out when the record has none, and also when it is
// neither an object nor empty: such a value does no harm to its own forecast,
// but as memory it would fail each of the next ones. The old system had no
// such memory to compare with. Held by TestMemoryEntry_NeverFailsLaterForecasts.
func (p *Profile) MemoryEntry(record pulse.Value, enrichment *pulse.Enrichment) pulse.Value {
	inner, _ := record.Get("forecast")
	var kept []pulse.Member
	change, present := inner.Get("symbolic_change")
	if !present && p.ChangeInEitherPlace {
		change, present = record.Get("symbolic_change")
	}
	if present && (change.Kind == pulse.Object || !truthy(change)) {
		kept = append(kept, pulse.Member{Name: "symbolic_change", Value: cloned(change)})
	}
	return pulse.ObjectValue(
		pulse.Member{Name: "symbolic_tag", Value: pulse.StringValue(enrichment.ForecastTag)},
		pulse.Member{Name: "forecast", Value: pulse.ObjectValue(kept...)},
	)
}

// cloned is a copy of v down to the bytes of its strings.
func cloned(v pulse.Value) pulse.Value {
	v.String = strings.Clone(v.String)
	v.List = slices.Clone(v.List)
	for i := range v.List {
		v.List[i] = cloned(v.List[i])
	}
	v.Members = slices.Clone(v.Members)
	for i, m := range v.Members {
		v.Members[i] = pulse.Member{Name: strings.Clone(m.Name), Value: cloned(m.Value)}
	}
	return v
}

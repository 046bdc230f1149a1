package scoring

import (
	"slices"
	"strings"

	"pulse-scorer/internal/pulse"
)

// equal is Python's == on decoded JSON: deep, numbers and booleans by value,
// the order of an object's names without meaning.
func equal(a, b pulse.Value) bool {
	if x, ok := asNumber(a); ok {
		y, ok := asNumber(b)
		return ok && x == y
	}
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind { //nolint:exhaustive // numbers and booleans are compared above
	case pulse.String:
		return a.String == b.String
	case pulse.List:
		return slices.EqualFunc(a.List, b.List, equal)
	case pulse.Object:
		return equalMembers(a.Members, b.Members)
	default:
		return true // null equals null
	}
}

func equalMembers(a, b []pulse.Member) bool {
	if len(a) != len(b) {
		return false
	}
	sameNames := slices.EqualFunc(a, b, func(x, y pulse.Member) bool { return x.Name == y.Name })
	if !sameNames {
		a, b = byName(a), byName(b)
	}
	return slices.EqualFunc(a, b, func(x, y pulse.Member) bool {
		return x.Name == y.Name && equal(x.Value, y.Value)
	})
}

// byName is a sorted copy of members. Sorting instead of looking up names one
// by one keeps a large object from costing its size squared.
func byName(members []pulse.Member) []pulse.Member {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(x, y pulse.Member) int { return strings.Compare(x.Name, y.Name) })
	return sorted
}

// eachCommon calls visit with the values of every name that both have, in byte
// order of the names. The old system walked a hash set here, so the order of
// its sums changed from process to process; this one is fixed. Both arguments
// are sorted by byName.
func eachCommon(a, b []pulse.Member, visit func(x, y pulse.Value)) {
	for len(a) > 0 && len(b) > 0 {
		switch strings.Compare(a[0].Name, b[0].Name) {
		case -1:
			a = a[1:]
		case 1:
			b = b[1:]
		default:
			visit(a[0].Value, b[0].Value)
			a, b = a[1:], b[1:]
		}
	}
}

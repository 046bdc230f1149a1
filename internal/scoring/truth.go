package scoring

import (
	"strconv"
	"strings"

	"pulse-scorer/internal/pulse"
)

// emptyObject is what the old system reads where an object is absent.
func emptyObject() pulse.Value { return pulse.ObjectValue() }

// truthy is Python's truth value: false for null, false, 0, "", [] and {}.
func truthy(v pulse.Value) bool {
	switch v.Kind {
	case pulse.Null:
		return false
	case pulse.Bool:
		return v.Bool
	case pulse.Number:
		return v.Number != 0
	case pulse.String:
		return v.String != ""
	case pulse.List:
		return len(v.List) > 0
	case pulse.Object:
		return len(v.Members) > 0
	}
	return false
}

// getOr is the member called name, or fallback when it is absent. A null
// member is present.
func getOr(v pulse.Value, name string, fallback pulse.Value) pulse.Value {
	if member, ok := v.Get(name); ok {
		return member
	}
	return fallback
}

// asNumber is v where Python would compare or add it as a number: a number, or
// a boolean as 1 or 0.
func asNumber(v pulse.Value) (float64, bool) {
	switch v.Kind { //nolint:exhaustive // nothing else is a number
	case pulse.Number:
		return v.Number, true
	case pulse.Bool:
		if v.Bool {
			return 1, true
		}
		return 0, true
	default:
		return 0, false
	}
}

// toFloat is Python's float(v): a number, a boolean, or text that is a decimal
// number. Text that Python takes and this does not: digits grouped with
// underscores, digits outside ASCII, infinities and not-a-number, also when
// they come from an exponent too large.
func toFloat(v pulse.Value) (float64, bool) {
	if v.Kind != pulse.String {
		return asNumber(v)
	}
	text := strings.TrimSpace(v.String)
	if !isDecimalText(text) {
		return 0, false
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil
}

// floatOrZero is toFloat with 0 for what does not convert.
func floatOrZero(v pulse.Value) float64 {
	x, _ := toFloat(v)
	return x
}

// isDecimalText keeps ParseFloat from the forms only Go knows (hexadecimal,
// underscores) and from names of numbers that are not finite.
func isDecimalText(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == 'e', c == 'E':
		default:
			return false
		}
	}
	return text != ""
}

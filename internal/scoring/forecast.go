package scoring

import (
	"fmt"

	"pulse-scorer/internal/pulse"
)

// forecast is a record opened for enrichment: the parts that several steps
// read, with the types that all of them rely on checked once.
type forecast struct {
	// record is the whole record, inner its member "forecast".
	record, inner pulse.Value
	overlays      pulse.Value
	// change is inner's symbolic_change, or the record's own where the profile
	// takes either; {} when absent, of whatever type.
	change pulse.Value
	// outer is the change that fragility reads: the record's own symbolic_change,
	// or the same as change.
	outer pulse.Value
	// fragility is what confidence and gate read, null when there is none.
	// hasFragility tells a null that was sent from none.
	fragility    pulse.Value
	hasFragility bool
	// memory is empty when none was given.
	memory []pulse.Value
}

// openForecast fails where the old enrichment raises whatever else the record
// holds: an overlays, forecast or memory of the wrong type.
func (p *Profile) openForecast(record, memory pulse.Value) (*forecast, error) {
	if record.Kind != pulse.Object {
		return nil, wrongType("record", "an object", record)
	}
	f := &forecast{
		record:   record,
		inner:    getOr(record, "forecast", emptyObject()),
		overlays: getOr(record, "overlays", emptyObject()),
	}
	if f.overlays.Kind != pulse.Object {
		return nil, wrongType("overlays", "an object", f.overlays)
	}
	if f.inner.Kind != pulse.Object {
		return nil, wrongType("forecast", "an object", f.inner)
	}
	f.outer = getOr(record, "symbolic_change", emptyObject())
	f.change = p.changeOf(record, f.inner)
	if p.ChangeInEitherPlace {
		f.outer = f.change
	}
	f.fragility, f.hasFragility = record.Get("fragility")
	if truthy(memory) {
		if memory.Kind != pulse.List {
			return nil, wrongType("memory", "a list", memory)
		}
		f.memory = memory.List
	}
	return f, nil
}

// changeOf is the change a forecast speaks of, {} when there is none.
func (p *Profile) changeOf(record, inner pulse.Value) pulse.Value {
	fallback := emptyObject()
	if p.ChangeInEitherPlace {
		fallback = getOr(record, "symbolic_change", fallback)
	}
	return getOr(inner, "symbolic_change", fallback)
}

// overlay is one overlay's value, 0 when absent; ok is false when it is not a
// number.
func (f *forecast) overlay(name string) (x float64, ok bool) {
	return asNumber(getOr(f.overlays, name, pulse.NumberValue(0)))
}

// wrongType is the error for a value of a type the old system raises on. It
// names the place and the type, never the value, which can be long.
func wrongType(path, want string, got pulse.Value) error {
	return fmt.Errorf("%s: want %s, got %s", path, want, kindName(got.Kind))
}

func kindName(k pulse.ValueKind) string {
	switch k {
	case pulse.Null:
		return "null"
	case pulse.Bool:
		return "a boolean"
	case pulse.Number:
		return "a number"
	case pulse.String:
		return "a string"
	case pulse.List:
		return "a list"
	case pulse.Object:
		return "an object"
	}
	return "an unknown type"
}

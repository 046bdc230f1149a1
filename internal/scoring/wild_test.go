package scoring

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"

	"pulse-scorer/internal/pulse"
)

// wild makes records in which anything may have any type and any size.
type wild struct{ *rand.Rand }

func (w wild) pick(names ...string) string { return names[w.IntN(len(names))] }

func (w wild) number() pulse.Value {
	switch w.IntN(6) {
	case 0:
		extremes := []float64{0, -1, 1, 5e-324, 1e-5, 1e154, -1e155, 1e308, -1e308, math.MaxFloat64, -math.MaxFloat64}
		return pulse.NumberValue(extremes[w.IntN(len(extremes))])
	case 1:
		if x := math.Float64frombits(w.Uint64()); isFinite(x) {
			return pulse.NumberValue(x)
		}
	}
	return pulse.NumberValue(w.Float64()*1.2 - 0.1)
}

func (w wild) any() pulse.Value {
	switch w.IntN(8) {
	case 0:
		return pulse.Value{}
	case 1:
		return boolValue(w.IntN(2) == 0)
	case 2:
		return pulse.StringValue(w.pick("", "x", "0.5", "1e400", "nan", " 1 ", "Hope", "it's", "\u2028\x01"))
	case 3:
		return w.list(2, w.any)
	case 4:
		return pulse.ObjectValue(field(w.pick("a", "overlays", "trace_id"), w.any()))
	default:
		return w.number()
	}
}

// mostly is f's value, and any other one time in twenty.
func (w wild) mostly(f func() pulse.Value) pulse.Value {
	if w.IntN(20) == 0 {
		return w.any()
	}
	return f()
}

func (w wild) list(most int, f func() pulse.Value) pulse.Value {
	list := make([]pulse.Value, w.IntN(most+1))
	for i := range list {
		list[i] = w.mostly(f)
	}
	return pulse.ListValue(list)
}

// object has each of the names three times out of four.
func (w wild) object(f func(name string) pulse.Value, names ...string) pulse.Value {
	var members []pulse.Member
	for _, name := range names {
		if w.IntN(4) != 0 {
			members = append(members, field(name, w.mostly(func() pulse.Value { return f(name) })))
		}
	}
	return pulse.ObjectValue(members...)
}

func (w wild) numbers(names ...string) pulse.Value {
	return w.object(func(string) pulse.Value { return w.number() }, names...)
}

func (w wild) overlays() pulse.Value {
	return w.numbers("hope", "despair", "rage", "fatigue", "trust", "x")
}

func (w wild) state() pulse.Value {
	return w.object(func(string) pulse.Value { return w.overlays() }, "overlays")
}

func (w wild) inner() pulse.Value {
	return w.object(func(name string) pulse.Value {
		switch name {
		case "symbolic_change":
			return w.overlays()
		case "start_state":
			return w.state()
		default:
			return w.numbers("nvda", "msft", "ibit", "spy", "cash")
		}
	}, "start_capital", "end_capital", "symbolic_change", "start_state")
}

func (w wild) entry() pulse.Value {
	return w.object(func(name string) pulse.Value {
		if name == "forecast" {
			return w.inner()
		}
		return pulse.StringValue(w.pick("Hope", "hope", "", "a"))
	}, "forecast", "symbolic_tag", "trace_id")
}

func (w wild) record() pulse.Value {
	return w.object(func(name string) pulse.Value {
		switch name {
		case "forecast":
			return w.inner()
		case "overlays", "symbolic_change":
			return w.overlays()
		case "trace_id", "drift_flag":
			return pulse.StringValue(w.pick("a", "b", "✅ Stable"))
		default:
			return w.number()
		}
	}, "trace_id", "forecast", "overlays", "symbolic_change", "fragility", "arc_volatility_score", "retrodiction_score", "drift_flag")
}

// jsonText is an object of members as JSON.
func jsonText(members []pulse.Member) string {
	text, err := json.Marshal(native(pulse.ObjectValue(members...)))
	if err != nil {
		panic(err) // a Value is always encodable
	}
	return strings.TrimSpace(string(text))
}

func native(v pulse.Value) any {
	switch v.Kind { //nolint:exhaustive // what is left is null
	case pulse.Bool:
		return v.Bool
	case pulse.Number:
		return v.Number
	case pulse.String:
		return v.String
	case pulse.List:
		list := make([]any, len(v.List))
		for i, item := range v.List {
			list[i] = native(item)
		}
		return list
	case pulse.Object:
		object := make(map[string]any, len(v.Members))
		for _, m := range v.Members {
			object[m.Name] = native(m.Value)
		}
		return object
	default:
		return nil
	}
}

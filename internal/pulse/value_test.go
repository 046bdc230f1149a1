package pulse_test

import (
	"testing"

	"pulse-scorer/internal/pulse"
)

func TestValue_ZeroIsNull(t *testing.T) {
	t.Parallel()
	var v pulse.Value
	if v.Kind != pulse.Null {
		t.Errorf("the zero Value is of kind %d", v.Kind)
	}
}

func TestValue_GetFindsMembersOfObjectsOnly(t *testing.T) {
	t.Parallel()
	object := pulse.ObjectValue(pulse.Member{Name: "a"}, pulse.Member{Name: "b", Value: pulse.NumberValue(2)})
	if got, ok := object.Get("b"); !ok || got.Number != 2 {
		t.Errorf("b: got %+v, %v", got, ok)
	}
	if got, ok := object.Get("a"); !ok || got.Kind != pulse.Null {
		t.Errorf("a, which is null: got %+v, %v", got, ok)
	}
	for name, v := range map[string]pulse.Value{
		"no such member": object, "null": {}, "text": pulse.StringValue("c"), "list": pulse.ListValue([]pulse.Value{object}),
	} {
		if got, ok := v.Get("c"); ok {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

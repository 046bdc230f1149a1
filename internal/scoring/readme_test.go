package scoring

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"pulse-scorer/internal/pulse"
)

// The README's table of profiles names every constant that differs, with both its
// values, and none that does not.
func TestProfiles_DifferAsTheREADMESays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, m := range regexp.MustCompile("`([A-Za-z.]+)` ([^ |,]+) → ([^ |,]+)").FindAllSubmatch(text, -1) {
		said[string(m[1])] = fmt.Sprintf("%s → %s", m[2], m[3])
	}
	differ := map[string]string{}
	differences(differ, "", reflect.ValueOf(*Parity()), reflect.ValueOf(*V2()))
	delete(differ, "Name")
	for _, name := range slices.Sorted(maps.Keys(differ)) {
		if said[name] != differ[name] {
			t.Errorf("%s: the README says %q, the profiles %q", name, said[name], differ[name])
		}
		delete(said, name)
	}
	for name, what := range said {
		t.Errorf("%s: the README says %q, and the profiles are alike in it", name, what)
	}
	if len(differ) < 20 {
		t.Errorf("%d differences were found: the comparison sees little", len(differ))
	}
}

// differences notes where two values of a kind differ, by their path.
func differences(into map[string]string, path string, a, b reflect.Value) {
	if _, ok := reflect.TypeAssert[pulse.Optional](a); !ok && a.Kind() == reflect.Struct {
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			differences(into, name, a.Field(i), b.Field(i))
		}
		return
	}
	if !reflect.DeepEqual(a.Interface(), b.Interface()) {
		into[path] = shown(a.Interface()) + " → " + shown(b.Interface())
	}
}

func shown(v any) string {
	if o, ok := v.(pulse.Optional); ok {
		if !o.Valid {
			return "null"
		}
		v = o.Number
	}
	return fmt.Sprint(v)
}

package plot

import (
	"math"
	"strings"
	"testing"
)

func TestPanels_OneBarForEachValue(t *testing.T) {
	t.Parallel()
	svg := Panels("cost <flat>", "µs", []Panel{
		{Name: "series", Caption: "largest / smallest 2.00", Bars: []Bar{{"1k", 2, 1, 3}, {"1M", 1, 0.5, 1.5}}},
		{Name: "workers", Bars: []Bar{{"1", 2, 2, 2}}},
	})
	count := wellFormed(t, svg)
	if count["rect"] != 1+3 || count["path"] != 3+2 {
		t.Errorf("%v in\n%s", count, svg)
	}
	// The highest whisker, 3, ends 8 px below the top, and a bar of 2 at two thirds of that.
	for _, want := range []string{"cost &lt;flat&gt;", ">1M<", "largest / smallest 2.00", "210.7h12m-6 0V92.0", `y="151.3"`, "240.3h12m-6 0V181.0"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
}

func TestPanels_AnyNumbers(t *testing.T) {
	t.Parallel()
	for name, panels := range map[string][]Panel{
		"none": nil, "empty": {{}}, "zero": {{Bars: []Bar{{}}}}, "below": {{Bars: []Bar{{"a", -1, -2, -0.5}}}},
		"tiny": {{Bars: []Bar{{"a", 1e-300, 0, 1e-290}}}}, "huge": {{Bars: []Bar{{"a", 1, 0, math.MaxFloat64 / 1e9}}}},
	} {
		svg := Panels(name, "", panels)
		wellFormed(t, svg)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || len(svg) > 5000 {
			t.Errorf("%s:\n%s", name, svg)
		}
	}
}

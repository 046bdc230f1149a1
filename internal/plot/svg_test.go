package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func at(minute int) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(minute) * time.Minute)
}

// wellFormed counts the elements of a picture.
func wellFormed(t *testing.T, svg string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
}

func TestSVG_DrawsAnySeries(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]float64{
		"none": nil, "one": {1}, "constant": {5, 5, 5}, "zeros": {0, 0}, "huge": {-math.MaxFloat64, math.MaxFloat64, 0},
		"tiny": {5e-324, 0, 1e-300}, "close": {1e16, 1e16 + 2, 1e16 + 4}, "usual": {1, 3, 2, 8, 5},
	} {
		s := &Series{Name: name + `<&">` + "\x00\xff", Source: "s", Threshold: new(0.9)}
		for i, v := range values {
			s.Points = append(s.Points, Point{Time: at(i), Value: v, Score: new(float64(i % 2)), Flag: i == 1})
		}
		svg := SVG(s)
		count := wellFormed(t, svg)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || count["svg"] != 1 || len(svg) > 20_000 {
			t.Errorf("%s: %v\n%s", name, count, svg)
		}
		if len(values) > 1 && (count["polyline"] != 2 || count["circle"] != 2) { // with the legend's
			t.Errorf("%s: %v", name, count)
		}
	}
}

func TestSVG_WithoutScoresHasOnePanel(t *testing.T) {
	t.Parallel()
	s := &Series{Name: "n", Source: "s", Points: []Point{{Time: at(2), Value: 1}, {Time: at(1), Value: 2}}}
	svg := SVG(s)
	if count := wellFormed(t, svg); count["polyline"] != 1 || strings.Contains(svg, "anomaly score") || strings.Contains(svg, "threshold") {
		t.Errorf("%v\n%s", count, svg)
	}
}

// However many points there are: each peak is there, and the file is small.
func TestSVG_KeepsEveryPeak(t *testing.T) {
	t.Parallel()
	s := &Series{Name: "n", Source: "s"}
	for i := range 200_000 {
		p := Point{Time: at(i), Value: math.Sin(float64(i) / 1000), Score: new(0.0)}
		if i == 123_457 {
			p.Value, p.Score = 100, new(1.0)
		}
		s.Points = append(s.Points, p)
	}
	svg := SVG(s)
	wellFormed(t, svg)
	if len(svg) > 200_000 || !strings.Contains(svg, ",68.0 ") || !strings.Contains(svg, ",340.0 ") {
		t.Errorf("%d bytes; the peak's value at 68: %v, its score at 340: %v", len(svg), strings.Contains(svg, ",68.0 "), strings.Contains(svg, ",340.0 "))
	}
}

package anomaly

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pulse-scorer/internal/anomaly/nab"
)

// floor is a little below what the detector reached when this was written (74.6 at the best
// threshold for all series, 74.3 or more at DefaultThreshold), so that what makes it worse shows.
const floor = 73.5

// The seven labelled series are what the detector was developed on: the figures say that nothing broke, not
// how it does on others. doc.go has what was measured otherwise.
func TestDetector_OnLabelledSeries(t *testing.T) {
	t.Parallel()
	all := labelled(t)
	old := judge(all, func() func(int64, float64) float64 { return new(window).flag })
	z := judge(all, func() func(int64, float64) float64 { return new(window).z })
	now := judge(all, func() func(int64, float64) float64 { return new(Detector).Next })
	t.Logf("%-22s %10s %10s %10s %s", "series", "old flag", "old z", "detector", "(standard profile, the best threshold for all)")
	for i, s := range all {
		t.Logf("%-22s %10.1f %10.1f %10.1f", s.name, old.alone(i), z.alone(i), now.alone(i))
	}
	for _, p := range []struct {
		name string
		of   nab.Profile
	}{{"standard", nab.Standard()}, {"reward low FP", nab.RewardLowFP()}, {"reward low FN", nab.RewardLowFN()}} {
		t.Logf("%-22s %10.1f %10.1f %10.1f", p.name, nab.Best(old.series, p.of).Score, nab.Best(z.series, p.of).Score, nab.Best(now.series, p.of).Score)
	}
	t.Logf("%-22s %10.1f %10.1f %10.1f", "left out in turn", old.leftOut(), z.leftOut(), now.leftOut())
	t.Logf("%-22s %10.2f %10.2f %10.2f", "µs a value", old.micros, z.micros, now.micros)
	fixed := nab.At(now.series, nab.Standard(), DefaultThreshold)
	t.Logf("detector at its default threshold: %s", describe(fixed))
	t.Logf("detector at the best threshold:    %s", describe(now.best))
	if now.best.Score < floor || fixed.Score < floor {
		t.Errorf("score %.1f, %.1f at the default threshold; want at least %v", now.best.Score, fixed.Score, floor)
	}
	if now.best.Score < z.best.Score+20 {
		t.Errorf("score %.1f is not clearly above %.1f of the old z-value", now.best.Score, z.best.Score)
	}
}

func describe(r nab.Result) string {
	return fmt.Sprintf("score %.1f at %.5f, %d of %d windows, %d false alarms", r.Score, r.Threshold, r.Detected, r.Windows, r.FalseAlarms)
}

// verdict is what a detector said of all series.
type verdict struct {
	series []nab.Series
	best   nab.Result
	micros float64
}

func judge(all []series, newDetector func() func(int64, float64) float64) verdict {
	var v verdict
	values := 0
	began := time.Now()
	for _, s := range all {
		next := newDetector()
		scores := make([]float64, len(s.values))
		for i, x := range s.values {
			scores[i] = next(s.times[i], x)
		}
		values += len(scores)
		v.series = append(v.series, nab.Series{Scores: scores, Windows: s.windows})
	}
	v.micros = float64(time.Since(began).Nanoseconds()) / 1000 / float64(values)
	v.best = nab.Best(v.series, nab.Standard())
	return v
}

// alone is the score of series i at the threshold for all.
func (v *verdict) alone(i int) float64 {
	return nab.At(v.series[i:i+1], nab.Standard(), v.best.Threshold).Score
}

// leftOut scores each series at the threshold that is best for the others.
func (v *verdict) leftOut() float64 {
	sum, windows := 0.0, 0
	for i, s := range v.series {
		others := append(append([]nab.Series{}, v.series[:i]...), v.series[i+1:]...)
		threshold := nab.Best(others, nab.Standard()).Threshold
		sum += nab.At([]nab.Series{s}, nab.Standard(), threshold).Score * float64(len(s.Windows))
		windows += len(s.Windows)
	}
	return sum / float64(windows)
}

// window is the detector that this one replaces: how many standard deviations a value
// lies from the mean of the last 50, itself included.
type window struct{ values []float64 }

func (w *window) z(_ int64, value float64) float64 {
	w.values = append(w.values, value)
	w.values = w.values[max(0, len(w.values)-50):]
	if len(w.values) < 10 {
		return 0
	}
	mean, squares := 0.0, 0.0
	for _, x := range w.values {
		mean += x / float64(len(w.values))
	}
	for _, x := range w.values {
		squares += (x - mean) * (x - mean) / float64(len(w.values))
	}
	return math.Abs(value-mean) / (math.Sqrt(squares) + 1e-6)
}

func (w *window) flag(at int64, value float64) float64 {
	if w.z(at, value) > 3 {
		return 1
	}
	return 0
}

package anomaly

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"testing"
	"time"

	"pulse-scorer/internal/anomaly/nab"
	"pulse-scorer/internal/sample"
)

// series is a named sequence of values with their times.
type series struct {
	name    string
	times   []int64 // microseconds since 1970
	values  []float64
	windows []nab.Window // known anomalies
}

// labelled returns the sample data's seven series with known anomalies (Numenta Anomaly
// Benchmark, MIT licence; internal/sample/data/README.md).
func labelled(t testing.TB) []series {
	t.Helper()
	text, err := os.ReadFile("../sample/data/known_anomaly_windows.json")
	if err != nil {
		t.Fatal(err)
	}
	var known map[string][][2]time.Time
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	all := sampled(t)
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	var found []series
	for _, name := range names {
		s, ok := all[name]
		if !ok {
			t.Fatalf("the sample data has no series %s", name)
		}
		for _, w := range known[name] {
			s.windows = append(s.windows, nab.Window{First: s.at(w[0]), Last: s.at(w[1])})
		}
		found = append(found, *s)
	}
	return found
}

func (s *series) at(when time.Time) int {
	return sort.Search(len(s.times), func(i int) bool { return s.times[i] >= when.UnixMicro() })
}

// sampled returns all series of the sample data by name.
func sampled(t testing.TB) map[string]*series {
	t.Helper()
	plain, err := gzip.NewReader(sample.Files()[0].Open())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*series{}
	for lines := bufio.NewScanner(plain); lines.Scan(); {
		var record struct {
			Name      string    `json:"name"`
			Value     float64   `json:"value"`
			Timestamp time.Time `json:"timestamp"`
		}
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		if all[record.Name] == nil {
			all[record.Name] = &series{name: record.Name}
		}
		s := all[record.Name]
		s.times = append(s.times, record.Timestamp.UnixMicro())
		s.values = append(s.values, record.Value)
	}
	return all
}

const step = 300 * 1_000_000 // five minutes

// wave is a rhythm of a period of values, between -1 and 1.
func wave(i, period int) float64 { return math.Sin(2 * math.Pi * float64(i) / float64(period)) }

// ordinary returns made-up series without anomalies, n values five minutes
// apart.
func ordinary(n int, seed uint64) []series {
	const day, week = 288, 7 * 288
	var all []series
	add := func(name string, next func(r *rand.Rand, i int, last float64) float64) {
		r := rand.New(rand.NewPCG(seed, uint64(len(all))))
		s := series{name: name}
		last := 0.0
		for i := range n {
			last = next(r, i, last)
			s.times = append(s.times, int64(i)*step)
			s.values = append(s.values, last)
		}
		all = append(all, s)
	}
	add("noise", func(r *rand.Rand, _ int, _ float64) float64 { return r.NormFloat64() })
	add("even noise", func(r *rand.Rand, _ int, _ float64) float64 { return r.Float64() })
	add("skewed noise", func(r *rand.Rand, _ int, _ float64) float64 { return math.Exp(0.7 * r.NormFloat64()) })
	add("heavy tail", func(r *rand.Rand, _ int, _ float64) float64 { return math.Pow(r.Float64(), -0.4) })
	add("inert", func(r *rand.Rand, _ int, last float64) float64 { return 0.9*last + r.NormFloat64() })
	add("walk", func(r *rand.Rand, _ int, last float64) float64 { return last + r.NormFloat64() })
	add("trend", func(r *rand.Rand, i int, _ float64) float64 { return 20 + 0.002*float64(i) + r.NormFloat64() })
	add("day", func(r *rand.Rand, i int, _ float64) float64 { return 50 + 20*wave(i, day) + 3*r.NormFloat64() })
	add("counts of a day", func(r *rand.Rand, i int, _ float64) float64 { return float64(poisson(r, 4*(1.2+wave(i, day)))) })
	add("week", func(r *rand.Rand, i int, _ float64) float64 {
		usual := 1000 * (1 + 0.5*wave(i, day)) * (1 + 0.05*r.NormFloat64())
		if i%week >= 5*day {
			return 0.7 * usual
		}
		return usual
	})
	return all
}

func poisson(r *rand.Rand, mean float64) int {
	n := 0
	for left := math.Exp(-mean); ; n++ {
		if left /= max(r.Float64(), 1e-300); left >= 1 {
			return n
		}
	}
}

// scores of all values, by a new detector.
func (s *series) scores() []float64 {
	var d Detector
	scores := make([]float64, len(s.values))
	for i, v := range s.values {
		scores[i] = d.Next(s.times[i], v)
	}
	return scores
}

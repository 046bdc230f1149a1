package deadletter

import "time"

// Histogram counts letters by what they are. Ages are those of the letters.
type Histogram struct {
	Letters  uint64            `json:"letters"`
	Class    map[string]uint64 `json:"class"`
	Stage    map[string]uint64 `json:"stage"`
	Age      map[string]uint64 `json:"age"`
	Standing map[string]uint64 `json:"standing"`
}

// NewHistogram returns an empty one.
func NewHistogram() *Histogram {
	return &Histogram{
		Class: make(map[string]uint64), Stage: make(map[string]uint64),
		Age: make(map[string]uint64), Standing: make(map[string]uint64),
	}
}

// maxNames bounds the classes and stages that are told apart: headers are
// whatever somebody has written.
const maxNames = 100

// Add counts a letter.
func (h *Histogram) Add(l *Letter, s Standing, now time.Time) {
	h.Letters++
	count(h.Class, l.Class)
	count(h.Stage, l.Stage)
	count(h.Standing, s.String())
	h.Age[ageOf(now.Sub(time.UnixMilli(l.TimeMs)))]++
}

func count(names map[string]uint64, name string) {
	if _, known := names[name]; !known && len(names) >= maxNames {
		name = "other"
	}
	names[name]++
}

// Ages are the names of the ages, the youngest first.
func Ages() []string {
	return []string{"under 1m", "under 10m", "under 1h", "under 6h", "under 1d", "under 7d", "7d and more"}
}

func ageOf(age time.Duration) string {
	const day = 24 * time.Hour
	names := Ages()
	for i, bound := range []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day} {
		if age < bound {
			return names[i]
		}
	}
	return names[len(names)-1]
}

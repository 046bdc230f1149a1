package nab

import (
	"cmp"
	"math"
	"slices"
)

// Profile weighs what a detector does, per event.
type Profile struct{ TruePositive, FalsePositive, FalseNegative float64 }

// Standard is the benchmark's main profile.
func Standard() Profile { return Profile{TruePositive: 1, FalsePositive: 0.11, FalseNegative: 1} }

// RewardLowFP has false alarms cost twice as much.
func RewardLowFP() Profile { return Profile{TruePositive: 1, FalsePositive: 0.22, FalseNegative: 1} }

// RewardLowFN has misses cost twice as much.
func RewardLowFN() Profile { return Profile{TruePositive: 1, FalsePositive: 0.11, FalseNegative: 2} }

// Window is a range of values that an anomaly is known to lie in: the numbers of
// its first and its last value.
type Window struct{ First, Last int }

// Series is what a detector said of one series: a score for each value, in
// order. Windows are in order and do not overlap.
type Series struct {
	Scores  []float64
	Windows []Window
}

// Result is how a detector did at one threshold: values whose score is at least
// Threshold are detections.
type Result struct {
	Threshold float64
	// Score is at most 100; negative when the false alarms outweigh the rest.
	Score float64
	// Windows of which Detected have a detection; FalseAlarms are detections outside of windows.
	Windows, Detected, FalseAlarms int
}

// Best returns the result at the threshold with the highest score. Without
// one that is better than silence, the threshold is infinite and the score 0.
func Best(series []Series, p Profile) Result {
	values, windows := judged(series, p)
	slices.SortStableFunc(values, func(a, b value) int { return cmp.Compare(b.score, a.score) })
	t := newTally(windows, p)
	best := t.result(math.Inf(1))
	for i, v := range values {
		t.detect(v)
		if i+1 < len(values) && values[i+1].score == v.score {
			continue // a threshold takes all values with its score
		}
		if r := t.result(v.score); r.Score > best.Score {
			best = r
		}
	}
	return best
}

// At returns the result at a given threshold.
func At(series []Series, p Profile, threshold float64) Result {
	values, windows := judged(series, p)
	t := newTally(windows, p)
	for _, v := range values {
		if v.score >= threshold {
			t.detect(v)
		}
	}
	return t.result(threshold)
}

// Probation is how many of a series' first values are not judged.
func Probation(length int) int { return min(length*15/100, 750) }

// value is one judged value; gain is what a detection there adds, window the number of
// its window over all series, -1 outside.
type value struct {
	score, gain float64
	window      int
}

// judged returns all values behind probation, and the number of windows.
func judged(series []Series, p Profile) (values []value, windows int) {
	for _, s := range series {
		next := 0 // the first window that does not end before i
		for i, score := range s.Scores {
			for next < len(s.Windows) && s.Windows[next].Last < i {
				next++
			}
			if i < Probation(len(s.Scores)) {
				continue
			}
			v := value{score: score, window: -1}
			if next < len(s.Windows) && s.Windows[next].First <= i {
				v.window = windows + next
				v.gain = float64(p.TruePositive * s.Windows[next].earliness(i))
			} else {
				v.gain = float64(p.FalsePositive * lateness(s.Windows[:next], i))
			}
			values = append(values, v)
		}
		windows += len(s.Windows)
	}
	return values, windows
}

// earliness of value i in the window: 1 at its begin, almost 0 at its end.
func (w Window) earliness(i int) float64 {
	width := float64(w.Last - w.First + 1)
	return sigmoid(-float64(w.Last-i+1)/width) / sigmoid(-1)
}

// lateness of value i behind the last of the windows that are over: almost 0
// next to it, -1 far away or when there was none.
func lateness(over []Window, i int) float64 {
	if len(over) == 0 {
		return -1
	}
	last := over[len(over)-1]
	y := float64(i-last.Last) / max(1, float64(last.Last-last.First))
	if y >= 3 {
		return -1
	}
	return sigmoid(y)
}

func sigmoid(y float64) float64 { return 2/(1+math.Exp(5*y)) - 1 }

// tally adds up detections.
type tally struct {
	profile  Profile
	raw      float64
	best     []float64 // of each window, -FalseNegative while it has no detection
	detected []bool
	r        Result
}

func newTally(windows int, p Profile) *tally {
	t := &tally{profile: p, best: make([]float64, windows), detected: make([]bool, windows)}
	for i := range t.best {
		t.best[i] = -p.FalseNegative
	}
	t.raw = -float64(p.FalseNegative * float64(windows))
	t.r.Windows = windows
	return t
}

func (t *tally) detect(v value) {
	if v.window < 0 {
		t.raw += v.gain
		t.r.FalseAlarms++
		return
	}
	if !t.detected[v.window] {
		t.detected[v.window] = true
		t.r.Detected++
	}
	if v.gain > t.best[v.window] {
		t.raw += v.gain - t.best[v.window]
		t.best[v.window] = v.gain
	}
}

// result is the sum on the scale from silence to perfection. Without windows there is no
// such scale; then each false alarm counts as one against a single window.
func (t *tally) result(threshold float64) Result {
	r := t.r
	r.Threshold = threshold
	windows := float64(max(1, r.Windows))
	silent := 0.0
	if r.Windows > 0 {
		silent = -float64(t.profile.FalseNegative * windows)
	}
	r.Score = 100 * (t.raw - silent) / float64((t.profile.TruePositive+t.profile.FalseNegative)*windows)
	return r
}

package nab

import (
	"math"
	"testing"
)

// s is the sigmoid of the paper's section II.B, written out once more.
func s(y float64) float64 { return 2/(1+math.Exp(5*y)) - 1 }

// at gives scores of 1 at these values of a series of 100, and 0 elsewhere.
func at(detections ...int) []float64 {
	scores := make([]float64, 100)
	for _, i := range detections {
		scores[i] = 1
	}
	return scores
}

func TestAt_AgreesWithSumsByHand(t *testing.T) {
	t.Parallel()
	one := []Window{{First: 40, Last: 49}}
	two := []Window{{First: 40, Last: 49}, {First: 60, Last: 79}}
	for _, c := range []struct {
		name    string
		series  []Series
		profile Profile
		want    float64
	}{
		{"silence", []Series{{at(), two}}, Standard(), 0},
		{"perfection", []Series{{at(40, 60), two}}, Standard(), 100},
		{"perfection in another profile", []Series{{at(40, 60), two}}, RewardLowFN(), 100},
		{"half of the windows", []Series{{at(40), two}}, Standard(), 50},
		{"half of the windows, misses dear", []Series{{at(40), two}}, RewardLowFN(), 50},
		{"the first detection in a window counts", []Series{{at(40, 41, 45, 49), one}}, Standard(), 100},
		{"a late detection", []Series{{at(45), one}}, Standard(), 100 * (1 + s(-0.5)/s(-1)) / 2},
		{"the last value of a window", []Series{{at(49), one}}, Standard(), 100 * (1 + s(-0.1)/s(-1)) / 2},
		{"a false alarm before any window", []Series{{at(20, 40), one}}, Standard(), 100 * (2 - 0.11) / 2},
		{"false alarms dear", []Series{{at(20, 40), one}}, RewardLowFP(), 100 * (2 - 0.22) / 2},
		{"a false alarm just behind a window", []Series{{at(40, 50), one}}, Standard(), 100 * (2 + 0.11*s(1.0/9)) / 2},
		{"a false alarm far behind", []Series{{at(40, 90), one}}, Standard(), 100 * (2 - 0.11) / 2},
		{"every false alarm costs", []Series{{at(20, 21, 22, 40), one}}, Standard(), 100 * (2 - 0.33) / 2},
		{"probation is not judged", []Series{{at(0, 14, 40), one}}, Standard(), 100},
		{"its end is", []Series{{at(15, 40), one}}, Standard(), 100 * (2 - 0.11) / 2},
		{"series add up", []Series{{at(40), one}, {at(20), one}, {at(20), nil}}, Standard(), 100 * (2 - 0.22) / 4},
		{"no window at all", []Series{{at(20), nil}}, Standard(), 100 * -0.11 / 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := At(c.series, c.profile, 1).Score; math.Abs(got-c.want) > 1e-9 {
				t.Errorf("score %v, want %v", got, c.want)
			}
		})
	}
}

func TestAt_CountsWindowsAndFalseAlarms(t *testing.T) {
	t.Parallel()
	got := At([]Series{{at(3, 20, 41, 42, 95), []Window{{40, 49}, {60, 79}}}}, Standard(), 0.5)
	want := Result{Threshold: 0.5, Score: got.Score, Windows: 2, Detected: 1, FalseAlarms: 2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestProbation_IsAtMost750Values(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]int{0: 0, 6: 0, 7: 1, 1882: 282, 4032: 604, 5000: 750, 22695: 750} {
		if got := Probation(length); got != want {
			t.Errorf("%d values have %d on probation, want %d", length, got, want)
		}
	}
}

// One threshold serves all series: the second series' false alarms at 0.6 cost more than the
// window of the first that only 0.6 detects.
func TestBest_FindsOneThresholdForAll(t *testing.T) {
	t.Parallel()
	first, second := at(), at()
	first[40], first[60] = 0.9, 0.6
	for i := range 30 {
		second[20+i] = 0.6
	}
	series := []Series{{first, []Window{{40, 49}, {60, 79}}}, {second, nil}}
	got := Best(series, Standard())
	if got.Threshold != 0.9 || math.Abs(got.Score-50) > 1e-9 || got.Detected != 1 {
		t.Errorf("got %+v, want score 50 at 0.9", got)
	}
	if again := At(series, Standard(), got.Threshold); math.Abs(again.Score-got.Score) > 1e-9 {
		t.Errorf("score %v at the best threshold, but %v found", again.Score, got.Score)
	}
	second = at()
	second[20] = 0.6
	series[1].Scores = second
	if got := Best(series, Standard()); got.Threshold != 0.6 || got.Detected != 2 || got.FalseAlarms != 1 {
		t.Errorf("got %+v, want 2 windows and 1 false alarm at 0.6", got)
	}
}

func TestBest_PrefersSilenceToLoss(t *testing.T) {
	t.Parallel()
	got := Best([]Series{{at(20, 90), []Window{{40, 49}}}}, Standard())
	if got.Score != 0 || !math.IsInf(got.Threshold, 1) {
		t.Errorf("got %+v, want silence", got)
	}
}

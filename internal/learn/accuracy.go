package learn

import "math"

// Accuracy compares the model with the naive predictors over the same forecasts,
// each predicted before its score was known (prequentially: Dawid, Statistical
// Theory: The Prequential Approach, 1984).
type Accuracy struct {
	// Forecasts that were counted: all but the first of each stream.
	Forecasts uint64
	// Model, Last and Mean are sums of absolute errors: the model's, that of the
	// stream's last score, that of the mean of its scores.
	Model, Last, Mean float64
}

// MAE returns the mean absolute errors of model, last score and mean score; 0
// before the first forecast.
func (a Accuracy) MAE() (model, last, mean float64) {
	n := float64(max(a.Forecasts, 1))
	return a.Model / n, a.Last / n, a.Mean / n
}

// Accuracy of the model's predictions so far.
func (m *Model) Accuracy() Accuracy { return m.accuracy }

func (m *Model) count(p Prediction, score float64) {
	a := &m.accuracy
	a.Forecasts++
	a.Model += math.Abs(p.Score - score)
	a.Last += math.Abs(p.Last - score)
	a.Mean += math.Abs(p.Mean - score)
}

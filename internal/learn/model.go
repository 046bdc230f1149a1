package learn

import "pulse-scorer/internal/series"

// Model predicts the trust score of a forecast before it is known, and learns
// from it afterwards. The zero value has learned nothing. One goroutine at a time
// may use it.
type Model struct {
	regression regression
	accuracy   Accuracy
}

// Prediction is what is expected of a forecast.
type Prediction struct {
	// Score is in [0,1].
	Score float64
	// Last and Mean are what the naive predictors say: the stream's last score,
	// and the mean of its scores.
	Last, Mean float64
	// Counted is false for the first forecast of a stream, for which the naive
	// predictors have nothing: its error is in no mean.
	Counted bool
}

// Accuracy compares the mean absolute errors of the model and of the naive
// predictors over the same forecasts, each predicted before it was known
// (prequential: Dawid 1984; Gama, Sebastião and Rodrigues 2013).
type Accuracy struct {
	// Forecasts that were counted.
	Forecasts uint64
	// Model, Last and Mean are sums of absolute errors.
	Model, Last, Mean float64
}

// Predict says what score a forecast will get.
func (m *Model) Predict(f *series.Features, history series.Trust) Prediction {
	p := Prediction{Last: history.Last, Mean: history.Mean, Counted: history.Known}
	p.Score = m.regression.predict(f)
	return p
}

// Learn takes the score in [0,1] that came of a prediction. An error is a Fault;
// the model has not learned from the forecast then, and is as good as before.
func (m *Model) Learn(f *series.Features, p Prediction, score float64) error {
	if !(score >= 0 && score <= 1) {
		return FaultTarget
	}
	m.accuracy.count(p, score)
	return m.regression.learn(f, score)
}

// Accuracy of the model's predictions so far.
func (m *Model) Accuracy() Accuracy { return m.accuracy }

func (a *Accuracy) count(p Prediction, score float64) {
	if !p.Counted {
		return
	}
	a.Forecasts++
	a.Model += max(p.Score-score, score-p.Score)
	a.Last += max(p.Last-score, score-p.Last)
	a.Mean += max(p.Mean-score, score-p.Mean)
}

package learn

import "pulse-scorer/internal/series"

// Version names the learner and the features it learns from, as results have it.
const Version = "rls-1/features-1"

// Model predicts the trust score of a forecast before it is known, and learns
// from it afterwards. The zero value has learned nothing. One goroutine at a time
// may use it.
type Model struct {
	regression regression
	// typical is the mean of the scores, for streams that have none yet.
	typical float64
	scores  uint64
	// accuracy is what Accuracy returns.
	accuracy Accuracy
}

// Prediction is what is expected of a forecast.
type Prediction struct {
	// Score is in [0,1].
	Score float64
	// Last and Mean are what the naive predictors say: the stream's last score,
	// and the mean of its scores.
	Last, Mean float64
	// Counted is false for the first forecast of a stream: the naive predictors
	// have nothing to say about it, so it is in no comparison.
	Counted bool
}

// Predict says what score a forecast will get: the stream's last one and what the
// regression expects it to change by. With a feature out of bounds it is the last
// one, and of a stream's first forecast the mean of all scores.
func (m *Model) Predict(f *series.Features, history series.Trust) Prediction {
	if !history.Known {
		return Prediction{Score: m.first()}
	}
	p := Prediction{Score: history.Last, Last: history.Last, Mean: history.Mean, Counted: true}
	var x vector
	if vectorOf(f, &x) {
		p.Score = max(0, min(history.Last+m.regression.value(&x), 1))
	}
	return p
}

func (m *Model) first() float64 {
	if m.scores == 0 {
		return 0.5
	}
	return m.typical
}

// Learn takes the score in [0,1] that came of a prediction, with the features it
// was made of. An error is a Fault: nothing was learned of the forecast, or
// everything forgotten, and the model is fit for use either way.
func (m *Model) Learn(f *series.Features, p Prediction, score float64) error {
	if !isShare(score) || !isShare(p.Score) || !isShare(p.Last) || !isShare(p.Mean) {
		return FaultTarget
	}
	m.scores++
	m.typical += (score - m.typical) / float64(m.scores)
	if !p.Counted {
		return nil
	}
	m.count(p, score)
	var x vector
	if !vectorOf(f, &x) {
		return FaultFeature
	}
	if !m.regression.learn(&x, score-p.Last) {
		return FaultDiverged
	}
	return nil
}

// isShare says whether x is in [0,1].
func isShare(x float64) bool { return x >= 0 && x <= 1 }

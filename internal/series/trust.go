package series

// Constants of the trust history.
const (
	// trustRate is the weight of a new score in the short run.
	trustRate = 1.0 / 8
	// errorRate is that of a new prediction error.
	errorRate = 1.0 / 32
	// PriorError stands for the prediction error of a stream that has none yet. It
	// is the constant that the old system had in its place for good.
	PriorError = 0.1
)

// trust is what a forecast stream remembers of its scores. The zero value
// remembers none.
type trust struct {
	// last, previous and third are the latest three scores, mean is that of all,
	// recent that of the last eight or so.
	last, previous, third, mean, recent float64
	// err is how far predictions were off, exponentially weighted.
	err   float64
	count uint32
}

// observe takes a score in [0,1] and what had been predicted for it. Anything else
// is not taken: nothing that is not a number can enter.
func (t *trust) observe(score, predicted float64) {
	if !isShare(score) || !isShare(predicted) {
		return
	}
	off := max(score-predicted, predicted-score)
	if t.count == 0 {
		*t = trust{last: score, previous: score, third: score, mean: score, recent: score, err: PriorError}
	}
	t.err += float64((off - t.err) * errorRate)
	if t.count < maxCount {
		t.count++
	}
	t.mean += (score - t.mean) / float64(t.count)
	t.recent += float64((score - t.recent) * trustRate)
	t.third, t.previous, t.last = t.previous, t.last, score
}

// isShare says whether x is in [0,1].
func isShare(x float64) bool { return x >= 0 && x <= 1 }

// Trust is what is known of a stream's trust before a forecast is scored.
type Trust struct {
	// Known is false when nothing of the stream has been scored.
	Known bool
	// Last and Mean of the stream's scores, in [0,1]: the naive predictions.
	Last, Mean float64
	// Error is the mean absolute error of the stream's late predictions.
	Error float64
}

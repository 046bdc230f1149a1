package learn

import (
	"math"

	"pulse-scorer/internal/series"
)

// inputs are the features and a constant.
const (
	inputs   = series.FeatureCount + 1
	products = inputs * (inputs + 1) / 2
)

const (
	// forgetting is what the weight of a forecast keeps when the next one comes:
	// the last 200 count for two thirds.
	forgetting = 0.995
	// ridge is the precision with which every weight is held at 0.
	ridge = 0.1
	// outlier is the residual from which a forecast counts less, as Huber's
	// estimator has it: the mean absolute error is what counts, and a score that
	// falls out of line for once is no lesson.
	outlier = 0.02
	// maxWeight bounds weights, and maxVariance what the covariance has on its
	// diagonal. Regularisation keeps both far below: beyond, rounding has won.
	maxWeight   = 1e3
	maxVariance = 1e6
)

// regression is recursive least squares with exponential forgetting (Haykin,
// Adaptive Filter Theory, 4th edition, chapter 9), regularised: forgetting alone
// lets the covariance grow without end in directions nothing is seen of, so each
// step also takes one weight in turn to be measured as 0 (Gunnarsson, Combining
// Tracking and Regularization in Recursive Least Squares Identification, CDC
// 1996). Over all turns that is the ridge.
type regression struct {
	weights [inputs]float64
	// covariance is the lower half of a symmetric matrix, row by row; the same
	// place stands for both sides, so that it stays symmetric.
	covariance [products]float64
	// turn is the weight that is regularised next. The regression has not started
	// while the covariance is zero.
	turn    uint32
	started bool
}

type vector [inputs]float64

func (r *regression) start() {
	*r = regression{started: true}
	for i := range inputs {
		r.covariance[place(i, i)] = 1 / ridge
	}
}

// place is that of row i, column j, with j no larger than i.
func place(i, j int) int { return i*(i+1)/2 + j }

// scales bring the features to the size that one ridge suits all of them: those
// about the values themselves to a tenth, since they say little of a score and
// are many.
func scaleOf(feature int) float64 {
	if feature < series.FeatureBalance3 {
		return 0.1
	}
	return 1
}

// vectorOf is false when a feature is not within its bounds.
func vectorOf(f *series.Features, x *vector) bool {
	for i, v := range f {
		if !(math.Abs(v) <= series.FeatureMax) {
			return false
		}
		x[i] = float64(v * scaleOf(i))
	}
	x[inputs-1] = 1
	return true
}

// value is how far above its stream's last score a forecast is expected.
func (r *regression) value(x *vector) float64 {
	sum := 0.0
	for i, w := range r.weights {
		sum += float64(w * x[i])
	}
	return sum
}

// learn takes what value should have said of x. It is false when the numbers have
// left their bounds, and the regression has begun anew.
func (r *regression) learn(x *vector, y float64) bool {
	if !r.started {
		r.start()
	}
	residual := y - r.value(x)
	// Weighted by outlier over residual, which divides the noise.
	noise := forgetting * max(1, math.Abs(residual)/outlier)
	var gain vector
	r.gain(x, &gain)
	power := noise
	for i := range gain {
		power += float64(gain[i] * x[i])
	}
	r.step(&gain, power, residual, 1/forgetting)
	r.regularise()
	if !(power >= noise) || !r.sound() {
		*r = regression{}
		return false
	}
	return true
}

// gain is the covariance times x.
func (r *regression) gain(x, gain *vector) {
	rest := r.covariance[:]
	for i := range inputs {
		row, left, out := rest[:i], x[:i], gain[:i]
		sum, own := float64(rest[i]*x[i]), x[i]
		for j, p := range row {
			sum += float64(p * left[j])
			out[j] += float64(p * own)
		}
		gain[i] += sum
		rest = rest[i+1:]
	}
}

// step is one measurement: covariance times direction is gain, and power the
// variance of what was measured. The covariance grows by a factor afterwards.
func (r *regression) step(gain *vector, power, residual, growth float64) {
	rest := r.covariance[:]
	for i := range inputs {
		k := gain[i] / power
		r.weights[i] += float64(k * residual)
		row := rest[:i+1]
		for j, g := range gain[:i+1] {
			row[j] = (row[j] - float64(k*g)) * growth
		}
		rest = rest[i+1:]
	}
}

// regularise measures the weight whose turn it is as 0, with the precision that
// its ridge has lost to forgetting since its last turn.
func (r *regression) regularise() {
	const lost = inputs * (1 - forgetting) * ridge
	turn := int(r.turn)
	var gain vector
	for i := range inputs {
		gain[i] = r.covariance[place(max(i, turn), min(i, turn))]
	}
	r.step(&gain, 1/lost+gain[turn], -r.weights[turn], 1)
	r.turn = (r.turn + 1) % inputs
}

// sound says whether all numbers are what regularisation leaves room for; what is
// not a number is not.
func (r *regression) sound() bool {
	for i, w := range r.weights {
		variance := r.covariance[place(i, i)]
		if !(math.Abs(w) <= maxWeight) || !(variance > 0 && variance <= maxVariance) {
			return false
		}
	}
	return true
}

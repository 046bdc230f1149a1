package learn

import (
	"math"

	"pulse-scorer/internal/series"
)

// inputs are the features and a constant.
const inputs = series.FeatureCount + 1

const (
	// ridge is the regularisation: the precision the weights start with.
	ridge = 1.0
	// forgetting is the share that the weight of a forecast keeps when the
	// next one comes.
	forgetting = 0.9995
	// maxWeight bounds each weight.
	maxWeight = 100
	// maxTrace bounds the covariance, which grows without end in directions
	// nothing is seen of (wind-up).
	maxTrace = 100 * inputs
)

// regression is recursive least squares with exponential forgetting (Haykin,
// Adaptive Filter Theory, chapter 10).
type regression struct {
	started    bool
	weights    [inputs]float64
	covariance [inputs][inputs]float64
}

func (r *regression) start() {
	*r = regression{started: true}
	for i := range r.covariance {
		r.covariance[i][i] = 1 / ridge
	}
}

func (r *regression) predict(f *series.Features) float64 {
	x := inputOf(f)
	y := 0.5 // the middle, as long as nothing is known
	if f[series.FeatureTrustKnown] != 0 {
		y = f[series.FeatureTrustRecent]
	}
	for i, w := range r.weights {
		y += float64(w * x[i])
	}
	if math.IsNaN(y) {
		return 0.5
	}
	return max(0, min(y, 1))
}

func inputOf(f *series.Features) (x [inputs]float64) {
	copy(x[:], f[:])
	x[inputs-1] = 1
	return x
}

func (r *regression) learn(f *series.Features, y float64) error {
	x := inputOf(f)
	for _, v := range x {
		if math.IsNaN(v) || math.Abs(v) > maxInput {
			return FaultFeature
		}
	}
	if !r.started {
		r.start()
	}
	residual := y - r.predict(f)
	var gain [inputs]float64
	power := forgetting
	for i := range gain {
		for j := range x {
			gain[i] += float64(r.covariance[i][j] * x[j])
		}
		power += float64(gain[i] * x[i])
	}
	for i := range gain {
		k := gain[i] / power
		r.weights[i] += float64(k * residual)
		for j := range gain {
			r.covariance[i][j] = (r.covariance[i][j] - float64(k*gain[j])) / forgetting
		}
	}
	return nil
}

// maxInput bounds features.
const maxInput = 64

package pipeline

import (
	"math"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/learn"
)

// modelGauges tell how good the models of the working tasks are.
type modelGauges struct{ mae, naive *prometheus.Desc }

func newModelGauges() modelGauges {
	return modelGauges{
		mae: prometheus.NewDesc("pulse_model_mae",
			"Mean absolute error of the predicted trust scores of forecasts, each predicted before it was scored, "+
				"since the states of this process's tasks began. Absent without forecasts.", nil, nil),
		naive: prometheus.NewDesc("pulse_model_naive_mae",
			"The same of predictors that learn nothing, over the same forecasts: the stream's last score, and the mean of its scores.",
			[]string{"predictor"}, nil),
	}
}

func (g *modelGauges) describe(out chan<- *prometheus.Desc) {
	out <- g.mae
	out <- g.naive
}

// accuracy is a learn.Accuracy that a task's goroutine sets and a scrape reads. The
// four numbers may be of two commits; each is a sum, and they are close.
type accuracy struct{ forecasts, model, last, mean atomic.Uint64 }

func (a *accuracy) store(from learn.Accuracy) {
	a.forecasts.Store(from.Forecasts)
	a.model.Store(math.Float64bits(from.Model))
	a.last.Store(math.Float64bits(from.Last))
	a.mean.Store(math.Float64bits(from.Mean))
}

func (a *accuracy) addTo(sum *learn.Accuracy) {
	sum.Forecasts += a.forecasts.Load()
	sum.Model += math.Float64frombits(a.model.Load())
	sum.Last += math.Float64frombits(a.last.Load())
	sum.Mean += math.Float64frombits(a.mean.Load())
}

func (g *modelGauges) collect(sum learn.Accuracy, out chan<- prometheus.Metric) {
	if sum.Forecasts == 0 {
		return
	}
	n := float64(sum.Forecasts)
	out <- prometheus.MustNewConstMetric(g.mae, prometheus.GaugeValue, sum.Model/n)
	out <- prometheus.MustNewConstMetric(g.naive, prometheus.GaugeValue, sum.Last/n, "last")
	out <- prometheus.MustNewConstMetric(g.naive, prometheus.GaugeValue, sum.Mean/n, "mean")
}

package enricher

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	duration *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pulse_enricher_duration_seconds", Help: "Duration of a call of an external enricher, observed once a call, whatever came of it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"enricher"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_enricher_failures_total",
			Help: "Rises by one for each signal that an external enricher gives no answer about, by class; enricher_down at each try of a batch that is held.",
		}, []string{"enricher", "class"}),
	}
	r.MustRegister(m.duration, m.failures)
	return m
}

// watchBreaker shows whether calls are let through.
func (m *metrics) watchBreaker(r prometheus.Registerer, c *client) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pulse_breaker_open", Help: "1 while an external enricher is down and not asked, but for one call a second.",
		ConstLabels: prometheus.Labels{"enricher": c.endpoint.Name},
	}, func() float64 {
		if c.down() {
			return 1
		}
		return 0
	}))
}

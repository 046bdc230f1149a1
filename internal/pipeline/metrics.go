package pipeline

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the record path. All tasks of a process share one.
type Metrics struct {
	ingested   *prometheus.CounterVec
	trust      prometheus.Histogram
	records    [outcomes]prometheus.Counter
	letters    *prometheus.CounterVec
	failures   *prometheus.CounterVec
	stages     [stages]prometheus.Observer
	misplaced  *prometheus.CounterVec
	endToEnd   prometheus.Histogram
	enrichment prometheus.Counter
	unlearned  prometheus.Counter
	remembered *remembered

	mu      sync.Mutex // guards sources
	sources map[string]prometheus.Counter
}

// maxSources and maxSourceBytes bound the label source: senders choose it.
const (
	maxSources     = 100
	maxSourceBytes = 256
)

// NewMetrics registers the metrics of the record path.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		ingested: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_signal_ingest_total",
			Help: "Rises by one for each signal ingested, once per ID, when its batch has committed; duplicates do not count. Sources beyond the first 100, and those longer than 256 bytes, count as other.",
		}, []string{"source"}),
		trust: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "pulse_signal_trust_score", Help: "Trust scores of results, observed once a result when its batch has committed. Forecasts that could not be scored have none.",
			Buckets: twentieths(),
		}),
		letters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_dead_letters_total", Help: "Rises by one for each dead letter, when its batch has committed, by error class.",
		}, []string{"class"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_stage_failures_total", Help: "Rises by one for each record that fails in a stage, by error class, when its batch has committed: dead letters, and what is tried again.",
		}, []string{"stage", "class"}),
		misplaced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_misplaced_keys_total",
			Help: "Rises by one for each scored signal whose record key is absent or differs from the name, so that its series may be spread over partitions.",
		}, []string{"reason"}),
		endToEnd: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "pulse_end_to_end_seconds", Help: "From a record's Kafka timestamp to the commit of its result, sampled (one record in 64, and one a batch).",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 18),
		}),
		enrichment: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_enrichment_errors_total", Help: "Rises by one for each committed result whose forecast could not be scored (enrichment_error).",
		}),
		unlearned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_forecasts_unlearned_total", Help: "Rises by one for each forecast that is too large to be remembered for the next of its stream.",
		}),
		remembered: newRemembered(),
		sources:    make(map[string]prometheus.Counter),
	}
	records := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pulse_records_total", Help: "Rises by one for each record of the input or of a retry tier, by what has become of it, when its batch has committed.",
	}, []string{"outcome"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pulse_stage_duration_seconds", Help: "Time a record spends in a stage, sampled (one record in 64).",
		Buckets: prometheus.ExponentialBuckets(100e-9, 4, 12),
	}, []string{"stage"})
	for o := range outcomes {
		m.records[o] = records.WithLabelValues(o.String())
	}
	for s := range stages {
		m.stages[s] = durations.WithLabelValues(s.String())
	}
	r.MustRegister(m.ingested, m.trust, m.letters, m.failures, m.misplaced, m.endToEnd, m.enrichment, m.unlearned, m.remembered, records, durations)
	return m
}

// twentieths are the buckets of scores from 0 to 1. prometheus.LinearBuckets adds up, and what
// it gives is not what one would ask for: 0.15000000000000002, and 0.39999999999999997, so
// that a score of 0.4 would count as more than that.
func twentieths() []float64 {
	const steps = 20
	bounds := make([]float64, steps)
	for i := range bounds {
		bounds[i] = float64(i+1) / steps
	}
	return bounds
}

// committed adds a batch that has become visible.
func (m *Metrics) committed(c *tally, now time.Time) {
	for name, source := range c.sources {
		m.source(name).Add(float64(source.n))
	}
	for o, n := range c.outcomes {
		m.records[o].Add(float64(n))
	}
	for class, n := range c.letters {
		m.letters.WithLabelValues(string(class)).Add(float64(n))
	}
	for d, n := range c.failures {
		m.failures.WithLabelValues(d.stage.String(), string(d.class)).Add(float64(n))
	}
	for _, t := range c.trust {
		m.trust.Observe(t)
	}
	nowMs := now.UnixMilli()
	for _, t := range c.times {
		m.endToEnd.Observe(max(0, float64(nowMs-t)/1000))
	}
	m.misplaced.WithLabelValues("absent").Add(float64(c.keysAbsent))
	m.misplaced.WithLabelValues("differs").Add(float64(c.keysDiffer))
	for _, f := range c.followed {
		f.Committed()
	}
	m.enrichment.Add(float64(c.enrichmentErrors))
	m.unlearned.Add(float64(c.unlearned))
}

// source is the counter of a source, "other" beyond the first hundred.
func (m *Metrics) source(name string) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.sources[name]; ok {
		return c
	}
	if len(m.sources) >= maxSources || len(name) > maxSourceBytes {
		return m.ingested.WithLabelValues("other")
	}
	c := m.ingested.WithLabelValues(name)
	m.sources[name] = c
	return c
}

// sampleEvery: the offset decides which records are timed.
const sampleEvery = 64

// stageClock times the stages of sampled records.
type stageClock struct {
	now     func() time.Time
	metrics *Metrics
	active  bool
	last    time.Time
}

func (c *stageClock) start(offset int64) {
	if c.active = c.metrics != nil && offset%sampleEvery == 0; c.active {
		c.last = c.now()
	}
}

// lap ends a stage.
func (c *stageClock) lap(s Stage) {
	if !c.active {
		return
	}
	now := c.now()
	c.metrics.stages[s].Observe(now.Sub(c.last).Seconds())
	c.last = now
}

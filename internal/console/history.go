package console

import (
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
)

const (
	// SampleEvery is the distance of two samples, samples how many are kept: 15 minutes.
	SampleEvery = 5 * time.Second
	samples     = 180
)

// measured is a number that JSON shows as null when nothing was measured.
type measured float64

// MarshalJSON implements json.Marshaler.
func (m measured) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(m)) || math.IsInf(float64(m), 0) {
		return []byte("null"), nil
	}
	return appendRounded(nil, float64(m)), nil
}

// sample is one moment of the history: rates over the time since the one before,
// everything else as it was.
type sample struct {
	at                               time.Time
	scored, duplicate, retried, dead measured // a second
	lagRecords, lagSeconds           measured
	p50, p99                         measured // of the end-to-end time, in seconds
}

// reading is what the metrics said at a moment.
type reading struct {
	at         time.Time
	outcomes   map[string]float64
	lagRecords float64
	lagSeconds float64
	parked     float64
	// bounds and counts are the end-to-end histogram's, cumulative.
	bounds []float64
	counts []uint64
}

// read takes from the exposition what the page shows.
func read(families []*dto.MetricFamily, at time.Time) reading {
	r := reading{at: at, outcomes: make(map[string]float64)}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "pulse_records_total":
				r.outcomes[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			case "pulse_consumer_lag_records":
				r.lagRecords += m.GetGauge().GetValue()
			case "pulse_consumer_lag_seconds":
				r.lagSeconds = max(r.lagSeconds, m.GetGauge().GetValue())
			case "pulse_parked_records":
				r.parked = m.GetGauge().GetValue()
			case "pulse_end_to_end_seconds":
				for _, b := range m.GetHistogram().GetBucket() {
					r.bounds = append(r.bounds, b.GetUpperBound())
					r.counts = append(r.counts, b.GetCumulativeCount())
				}
				r.counts = append(r.counts, m.GetHistogram().GetSampleCount())
			}
		}
	}
	return r
}

// since compares with an earlier reading.
func (r *reading) since(before *reading) sample {
	s := sample{at: r.at, lagRecords: measured(r.lagRecords), lagSeconds: measured(r.lagSeconds)}
	took := r.at.Sub(before.at).Seconds()
	rate := func(outcome string) measured {
		return measured(max(0, r.outcomes[outcome]-before.outcomes[outcome]) / took)
	}
	s.scored, s.duplicate, s.retried, s.dead = rate("scored"), rate("duplicate"), rate("retried"), rate("dead")
	s.p50, s.p99 = r.quantile(before, 0.50), r.quantile(before, 0.99)
	return s
}

// quantile estimates a quantile of what was observed between two readings, as
// Prometheus does: evenly spread within a bucket
// (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile).
func (r *reading) quantile(before *reading, q float64) measured {
	if len(r.counts) == 0 || len(before.counts) != len(r.counts) {
		return measured(math.NaN())
	}
	count := func(i int) float64 { return float64(r.counts[i] - before.counts[i]) }
	last := len(r.counts) - 1
	rank := q * count(last)
	if count(last) == 0 {
		return measured(math.NaN())
	}
	low, below := 0.0, 0.0
	for i, bound := range r.bounds {
		if n := count(i); n >= rank {
			return measured(low + (bound-low)*(rank-below)/max(1, n-below))
		}
		low, below = bound, count(i)
	}
	return measured(low) // beyond the last bound: at least that
}

// history is a ring of samples.
type history struct {
	last   *reading
	kept   [samples]sample
	n      int // how many are kept
	newest int
}

func (h *history) add(r *reading) {
	if h.last != nil && r.at.After(h.last.at) {
		h.newest = (h.newest + 1) % samples
		h.kept[h.newest] = r.since(h.last)
		h.n = min(samples, h.n+1)
	}
	h.last = r
}

// after are the samples after a time, the oldest first.
func (h *history) after(t time.Time) []sample {
	var out []sample
	for i := h.n - 1; i >= 0; i-- {
		if s := &h.kept[(h.newest-i+samples)%samples]; s.at.After(t) {
			out = append(out, *s)
		}
	}
	return out
}

package pipeline

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/state"
)

// remembered collects what the working tasks of the process remember: signal IDs
// and parked records. A task that has been given away is not in it (TestMetrics_DedupeOfTheWorkingTasks).
type remembered struct {
	ids, window *prometheus.Desc
	parked      *prometheus.Desc
	resting     *prometheus.Desc
	model       modelGauges
	evictions   *prometheus.CounterVec

	mu    sync.Mutex // guards tasks
	tasks map[*figures]struct{}
}

// figures of one task. Its goroutine sets them at each commit, a scrape reads
// them.
type figures struct {
	ids, windowNanos, parked, resting atomic.Int64

	accuracy accuracy
	// evicted is the task goroutine's alone.
	evicted state.Evictions
}

var _ prometheus.Collector = (*remembered)(nil)

func newRemembered() *remembered {
	return &remembered{
		ids: prometheus.NewDesc("pulse_dedupe_ids", "Signal IDs remembered by the tasks of this process.", nil, nil),
		window: prometheus.NewDesc("pulse_dedupe_window_seconds",
			"The shortest effective dedupe window among the tasks of this process: an ID committed within it is still known. "+
				"Less than PULSE_DEDUPE_WINDOW while PULSE_DEDUPE_MAX_IDS bites. Absent without tasks.", nil, nil),
		parked: prometheus.NewDesc("pulse_parked_records",
			"Records that wait in the state behind one of their series that is retried (PULSE_RETRY_ORDER=key).", nil, nil),
		resting: prometheus.NewDesc("pulse_resting_series",
			"Series that the state has of profiles of the other kind than PULSE_PROFILE: "+
				"they are kept in the state topic, and go on if that comes back.", nil, nil),
		model: newModelGauges(),
		evictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_dedupe_evictions_total",
			Help: "Rises by one for each signal ID that is forgotten, when its batch has committed: time when the window has passed, count when there were more than PULSE_DEDUPE_MAX_IDS.",
		}, []string{"reason"}),
		tasks: make(map[*figures]struct{}),
	}
}

// Describe implements prometheus.Collector.
func (r *remembered) Describe(out chan<- *prometheus.Desc) {
	out <- r.ids
	out <- r.window
	out <- r.parked
	out <- r.resting
	r.model.describe(out)
	r.evictions.Describe(out)
}

// Collect implements prometheus.Collector.
func (r *remembered) Collect(out chan<- prometheus.Metric) {
	var ids, window, parked, resting int64
	var sum learn.Accuracy
	r.mu.Lock()
	tasks := len(r.tasks)
	first := true
	for f := range r.tasks {
		ids += f.ids.Load()
		parked += f.parked.Load()
		resting += f.resting.Load()
		f.accuracy.addTo(&sum)
		if w := f.windowNanos.Load(); first || w < window {
			window = w
		}
		first = false
	}
	r.mu.Unlock()
	out <- prometheus.MustNewConstMetric(r.ids, prometheus.GaugeValue, float64(ids))
	out <- prometheus.MustNewConstMetric(r.parked, prometheus.GaugeValue, float64(parked))
	out <- prometheus.MustNewConstMetric(r.resting, prometheus.GaugeValue, float64(resting))
	r.model.collect(sum, out)
	if tasks > 0 {
		out <- prometheus.MustNewConstMetric(r.window, prometheus.GaugeValue, time.Duration(window).Seconds())
	}
	r.evictions.Collect(out)
}

func (r *remembered) add(f *figures) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[f] = struct{}{}
}

func (r *remembered) remove(f *figures) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tasks, f)
}

// sample takes over a task's figures.
func (r *remembered) sample(f *figures, t *state.Task) {
	s := t.Dedupe()
	f.parked.Store(int64(t.Parked()))
	f.resting.Store(int64(t.Resting()))
	f.accuracy.store(t.Model().Accuracy())
	f.ids.Store(int64(s.IDs))
	f.windowNanos.Store(int64(s.DedupeWindow))
	r.evictions.WithLabelValues("time").Add(float64(s.Evictions.ByTime - f.evicted.ByTime))
	r.evictions.WithLabelValues("count").Add(float64(s.Evictions.ByCount - f.evicted.ByCount))
	f.evicted = s.Evictions
}

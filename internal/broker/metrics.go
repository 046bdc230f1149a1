package broker

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// How a transaction can end: label result of pulse_transaction_duration_seconds.
const (
	resultCommitted = "committed"
	resultSettled   = "settled"
)

// metrics of the engine.
type metrics struct {
	lagRecords       *prometheus.GaugeVec
	lagSeconds       *prometheus.GaugeVec
	transactions     *prometheus.HistogramVec
	restores         prometheus.Histogram
	restoreShare     prometheus.Gauge
	stalled          prometheus.Counter
	rebalances       prometheus.Counter
	fenced           prometheus.Counter
	hanging          prometheus.Counter
	assigned         prometheus.Gauge
	offsetResets     prometheus.Counter
	offsetMismatches prometheus.Counter
	skipped          prometheus.Counter
	statesLost       prometheus.Counter
	recreated        *prometheus.CounterVec
	refusals         prometheus.Counter
	retryPending     *prometheus.GaugeVec
	lateness         prometheus.Histogram
	checks           *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		lagRecords: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pulse_consumer_lag_records",
			Help: "Offsets between the group's and the end of an input partition of this process, as kafka-consumer-groups counts them, at most a second old. Rises while input comes faster than it is committed, and in a hold. A partition that was given away has no series.",
		}, []string{"topic", "partition"}),
		lagSeconds: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pulse_consumer_lag_seconds",
			Help: "Age of the next record to process of an input partition: the brokers' clock less the record's Kafka timestamp, or, before the first of a backlog has been read, less the time at which lag was first seen; 0 when there is none that can be processed. Rises with the clock while nothing is committed. What waits in retry tiers is no lag.",
		}, []string{"topic", "partition"}),
		transactions: newTransactions(),
		restores: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "pulse_state_restore_seconds", Help: "Time to read the state of a task that was taken, observed once a restore.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 15),
		}),
		restoreShare: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pulse_state_restore_ratio", Help: "Share of the state that the restores under way have read, from 0 to 1; 1 when there are none.",
		}),
		stalled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_stalled_tasks_total", Help: "Rises by one when a task is given up because it made no progress for the stall time-out though it had work. Restart the process.",
		}),
		rebalances: counter("pulse_rebalances_total",
			"Rises by one with each assignment received from the consumer group: a member came, went, or was restarted."),
		fenced: counter("pulse_fenced_total",
			"Rises by one for each former owner's transactional ID that this process fences when it takes tasks: nothing of that owner can commit any more."),
		hanging: counter("pulse_hanging_transactions_total",
			"Rises by one for each transaction whose end a broker had lost (KAFKA-20734), and that this process has ended again as it had ended."),
		assigned: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pulse_assigned_partitions", Help: "Tasks (input partitions) assigned to this process.",
		}),
		offsetResets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_offset_resets_total", Help: "Rises by one when a committed offset is outside the log, so that reading goes on at the log's start. Records may be lost: look at retention.",
		}),
		offsetMismatches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_offset_mismatches_total", Help: "Rises by one when a task is taken whose committed offset differs from the one its state was written with: an operator's reset, or a recreated topic.",
		}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_skipped_offsets_total", Help: "Rises by the number of input offsets that are passed over unread: retention had deleted them, or an operator moved the group's offset. The log has each range.",
		}),
		statesLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_states_lost_total", Help: "Rises by one when a task is taken whose state topic was deleted and made again: its seen IDs and windows are gone.",
		}),
		recreated: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_topics_recreated_total", Help: "Rises by one when a task is taken whose topic is not the one its state was written with: it was deleted and made again, or another one is named.",
		}, []string{"topic"}),
		checks: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pulse_health", Help: "1 when the last periodic check (PULSE_HEALTH_INTERVAL) found all well, 0 when it needs a person or could not be made: the log and /status say what.",
		}, []string{"check"}),
		retryPending: newRetryPending(), lateness: newLateness(),
		refusals: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pulse_refused_batches_total", Help: "Rises by one when the broker refuses a batch as too large: the topics' max.message.bytes are smaller than the input needs.",
		}),
	}
	r.MustRegister(m.lagRecords, m.lagSeconds, m.transactions, m.restores, m.restoreShare, m.stalled, m.rebalances, m.fenced, m.hanging, m.assigned,
		m.offsetResets, m.offsetMismatches, m.skipped, m.statesLost, m.recreated, m.refusals, m.checks,
		m.retryPending, m.lateness)
	return m
}

func newTransactions() *prometheus.HistogramVec {
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "pulse_transaction_duration_seconds",
		Help:    "Duration of a transaction from its first request to its outcome, observed once a transaction: committed as asked, or settled after a failure.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
	}, []string{"result"})
	for _, result := range []string{resultCommitted, resultSettled} {
		durations.WithLabelValues(result) // there from the start, so that a rate begins at the first
	}
	return durations
}

func newRetryPending() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "pulse_retry_pending",
		Help: "Offsets between the group's and the end of a retry tier, over the tasks of this process: records that wait, and the markers between them. Rises with each record that fails and is to be tried again.",
	}, []string{"tier"})
}

func newLateness() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "pulse_retry_lateness_seconds",
		Help:    "How long after its not-before time a record of a retry tier was taken up, observed once a try. Time in which a required enricher was down, or the task was being restored, does not count.",
		Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
	})
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// lag sets both gauges of a partition.
func (m *metrics) lag(topic string, partition int32, records int64, seconds float64) {
	p := strconv.Itoa(int(partition))
	m.lagRecords.WithLabelValues(topic, p).Set(float64(records))
	m.lagSeconds.WithLabelValues(topic, p).Set(seconds)
}

// forget removes the series of a partition that was given away.
func (m *metrics) forget(topic string, partition int32) {
	p := strconv.Itoa(int(partition))
	m.lagRecords.DeleteLabelValues(topic, p)
	m.lagSeconds.DeleteLabelValues(topic, p)
}

package brokertest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
)

// worker is one running engine.
type worker struct {
	t        *testing.T
	engine   *broker.Engine
	network  *network
	recorder *recorder
	registry *prometheus.Registry
	cancel   context.CancelFunc
	ended    chan struct{} // closed when Run has returned
	err      error         // what it returned, when it has
}

// drainTimeout is how long an engine that was cut off takes to give up.
const drainTimeout = 3 * time.Second

// sessionTimeout is the least that a broker allows by default.
const sessionTimeout = 6 * time.Second

// settings of an engine as the service ships it, with a shorter session.
func (b *bundle) settings() broker.Settings {
	return broker.Settings{
		Group: b.group, Topics: b.topology, Start: broker.Earliest,
		CommitInterval: 100 * time.Millisecond, TransactionTimeout: 10 * time.Second,
		SessionTimeout: sessionTimeout, HeartbeatInterval: 200 * time.Millisecond,
		StallTimeout: 30 * time.Second, DrainTimeout: drainTimeout, TopicsCreate: true,
		MaxRecordBytes: 1 << 20, MaxInflightBytes: 64 << 20, Compression: batch.LZ4,
	}
}

// start runs an engine with fake tasks.
func (b *bundle) start(change ...func(*broker.Settings)) *worker {
	b.t.Helper()
	recorder := newRecorder()
	w := b.startWith(func(id int32) broker.Task { return newTask(recorder, id) }, change...)
	w.recorder = recorder
	return w
}

// startWith runs an engine with the record path that newTask makes.
func (b *bundle) startWith(newTask func(int32) broker.Task, change ...func(*broker.Settings)) *worker {
	b.t.Helper()
	return b.startOn(newNetwork(), newTask, change...)
}

// startArmed runs an engine with fake tasks and a fault that waits for it.
func (b *bundle) startArmed(api int16, do action) (*worker, *fault) {
	b.t.Helper()
	n, recorder := newNetwork(), newRecorder()
	f := n.arm(api, do)
	w := b.startOn(n, func(id int32) broker.Task { return newTask(recorder, id) })
	w.recorder = recorder
	return w, f
}

func (b *bundle) startOn(n *network, newTask func(int32) broker.Task, change ...func(*broker.Settings)) *worker {
	b.t.Helper()
	set := b.settings()
	for _, do := range change {
		do(&set)
	}
	w := &worker{t: b.t, network: n, registry: prometheus.NewRegistry(), ended: make(chan struct{})}
	var err error
	w.engine, err = broker.New(
		broker.Connection{Brokers: b.cluster.Brokers, ClientID: "suite", Dial: w.network.dial}, set,
		broker.Deps{
			Log:      slog.New(slog.NewTextHandler(b.t.Output(), nil)).With(slog.String("group", b.group)),
			Registry: w.registry, NewTask: newTask, Now: func() time.Time { return time.Now().Add(b.ahead) },
		})
	if err != nil {
		b.t.Fatalf("engine: %v", err)
	}
	w.engine.TopicsChecked()
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	w.cancel = cancel
	go func() {
		defer close(w.ended)
		w.err = w.engine.Run(ctx)
	}()
	b.t.Cleanup(func() {
		w.network.die()
		cancel()
		await(b.t, "engine did not end", w.ended)
	})
	return w
}

// stop asks the engine to end and waits for it.
func (w *worker) stop() {
	w.t.Helper()
	w.cancel()
	await(w.t, "engine did not drain", w.ended)
	if w.err != nil {
		w.t.Fatalf("a stop that was asked for returned %v, want nil", w.err)
	}
}

// kill takes its network away and lets it end by itself. The brokers hear
// nothing more of it.
func (w *worker) kill() {
	w.network.die()
	w.cancel()
}

// awaitReady waits until the engine has joined and restored its tasks.
func (w *worker) awaitReady() {
	w.t.Helper()
	eventually(w.t, func() string {
		if err := w.engine.Ready(); err != nil {
			return err.Error()
		}
		return ""
	})
}

// metric sums the values of a metric's series; histograms count.
func (w *worker) metric(name string) (sum float64, series int) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatalf("metrics: %v", err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			series++
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum, series
}

// transactions counts those that ended in a way.
func (w *worker) transactions(result string) (count int) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatalf("metrics: %v", err)
	}
	for _, f := range families {
		if f.GetName() != "pulse_transaction_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == result {
				count += int(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return count
}

// transactionsEnded counts those whose outcome is known, whatever it is.
func (w *worker) transactionsEnded() int {
	w.t.Helper()
	return w.transactions("committed") + w.transactions("settled")
}

// awaitMetric waits for a metric's value.
func (w *worker) awaitMetric(name string, want float64) {
	w.t.Helper()
	eventually(w.t, func() string {
		got, _ := w.metric(name)
		return differ(name, []float64{got}, []float64{want})
	})
}

// assigned is how many tasks the engine has.
func (w *worker) assigned() int {
	n, _ := w.metric("pulse_assigned_partitions")
	return int(n)
}

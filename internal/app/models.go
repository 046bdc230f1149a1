package app

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pipeline"
)

// modelPublisher writes one record.
type modelPublisher interface {
	Publish(ctx context.Context, partition int32, now time.Time, key, value []byte) error
	Close()
}

// modelWriter brings snapshots of models to their topic, at best effort: nothing
// waits for it, and what cannot be written is written later, or the next snapshot in
// its place. A failure is counted and logged (TestModels_AFailureStopsNothing).
type modelWriter struct {
	to      modelPublisher
	log     *slog.Logger
	now     func() time.Time
	written *prometheus.CounterVec
	// again is how long it waits after a failure.
	again time.Duration

	mu      sync.Mutex // guards waiting
	waiting map[int32][]byte
	wake    chan struct{}
}

var _ pipeline.Models = (*modelWriter)(nil)

const (
	modelsAgain = 30 * time.Second
	// modelPatience bounds one write, and, at the end, all of them.
	modelPatience = 3 * time.Second
)

func newModelWriter(to modelPublisher, d Deps, registry prometheus.Registerer) *modelWriter {
	w := &modelWriter{
		to: to, log: d.Log, now: d.Now, again: modelsAgain,
		written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pulse_model_snapshots_total", Help: "Snapshots of models brought to the models topic, by result: written or failed.",
		}, []string{"result"}),
		waiting: make(map[int32][]byte), wake: make(chan struct{}, 1),
	}
	for _, result := range []string{resultWritten, resultFailed} {
		w.written.WithLabelValues(result)
	}
	registry.MustRegister(w.written)
	return w
}

const resultWritten, resultFailed = "written", "failed"

// Offer implements pipeline.Models.
func (w *modelWriter) Offer(task int32, snapshot []byte) {
	w.mu.Lock()
	w.waiting[task] = snapshot
	w.mu.Unlock()
	w.signal()
}

// run writes until ctx ends, then what is left. It has no error of its own: nothing
// may stop because of it. A nil writer waits for the end.
func (w *modelWriter) run(ctx context.Context) error {
	if w == nil {
		<-ctx.Done()
		return nil
	}
	defer w.to.Close()
	for ctx.Err() == nil {
		select {
		case <-w.wake:
		case <-ctx.Done():
			continue
		}
		if w.write(ctx) {
			continue
		}
		select {
		case <-time.After(w.again):
			w.signal()
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), modelPatience)
	defer cancel()
	w.write(last)
	return nil
}

func (w *modelWriter) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it knows
	}
}

// write writes what waits; false says that some of it could not be.
func (w *modelWriter) write(ctx context.Context) bool {
	w.mu.Lock()
	batch := w.waiting
	w.waiting = make(map[int32][]byte)
	w.mu.Unlock()
	for task, snapshot := range batch {
		err := w.writeOne(ctx, task, snapshot)
		if err != nil && errors.Is(ctx.Err(), context.Canceled) {
			w.keep(batch) // the service stops: run writes once more what is left
			return false
		}
		if err != nil {
			w.written.WithLabelValues(resultFailed).Inc()
			w.log.Warn("a snapshot of a model was not written; the service goes on without", slog.Int("task", int(task)), slog.Any("err", err))
			w.keep(batch)
			return false
		}
		w.written.WithLabelValues(resultWritten).Inc()
		delete(batch, task)
	}
	return true
}

func (w *modelWriter) writeOne(ctx context.Context, task int32, snapshot []byte) error {
	ctx, cancel := context.WithTimeout(ctx, modelPatience)
	defer cancel()
	return w.to.Publish(ctx, task, w.now(), strconv.AppendInt(nil, int64(task), 10), snapshot)
}

// keep makes snapshots wait again, unless there are newer ones.
func (w *modelWriter) keep(batch map[int32][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for task, snapshot := range batch {
		if _, newer := w.waiting[task]; !newer {
			w.waiting[task] = snapshot
		}
	}
}

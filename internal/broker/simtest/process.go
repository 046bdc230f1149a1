package simtest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// process is one worker process: an engine, its network and its tasks.
type process struct {
	world   *world
	number  int
	link    *link
	metrics *pipeline.Metrics
	log     *slog.Logger

	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // what it returned, when it has

	// waiting is how many faults wait for a step of it.
	waiting atomic.Int32
	// stopAtWork asks it to stop in the middle of its next input, for a fault
	// in its drain.
	stopAtWork atomic.Pointer[fault]

	// Guarded by world.mu.
	faults            []*fault
	crashed, stopping bool
}

// The time-outs are those of a service, in the time of the simulation.
const (
	sessionTimeout     = 6 * time.Second
	transactionTimeout = 3 * time.Second
	drainTimeout       = 15 * time.Second
	healthInterval     = 10 * time.Second
)

func (w *world) settings() broker.Settings {
	return broker.Settings{
		Group: group, Topics: topics(), Start: broker.Earliest,
		CommitInterval: 50 * time.Millisecond, TransactionTimeout: transactionTimeout,
		SessionTimeout: sessionTimeout, HeartbeatInterval: 400 * time.Millisecond,
		StallTimeout: time.Minute, DrainTimeout: drainTimeout, HealthInterval: healthInterval,
		MaxRecordBytes: maxRecordBytes, MaxInflightBytes: 16 << 20, Compression: batch.None,
	}
}

// start runs a new worker, with faults that wait for it.
func (w *world) start(waiting ...*fault) *process {
	p := &process{
		world: w, number: int(w.started.Add(1)) - 1,
		ended: make(chan struct{}), metrics: pipeline.NewMetrics(prometheus.NewRegistry()),
	}
	p.log = w.journal.With(slog.Int("worker", p.number))
	p.link = newLink(p, w.network.DialContext, w.plan.latency(p.number))
	engine, err := broker.New(
		broker.Connection{Brokers: w.cluster.ListenAddrs(), ClientID: p.clientID(), Dial: p.link.Dial},
		w.settings(),
		broker.Deps{Log: p.log, Registry: prometheus.NewRegistry(), Now: time.Now, NewTask: p.newTask})
	if err != nil {
		w.t.Fatalf("engine: %v", err)
	}
	for _, f := range waiting {
		p.await(f)
	}
	p.log.Info("SIMULATION worker starts")
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	p.cancel = cancel
	w.mu.Lock()
	w.processes = append(w.processes, p)
	w.mu.Unlock()
	go func() {
		defer close(p.ended)
		p.err = engine.Run(ctx)
		w.onEnd(p)
	}()
	return p
}

func (p *process) clientID() string { return fmt.Sprintf("worker-%d", p.number) }

// onEnd judges an engine that has ended.
func (w *world) onEnd(p *process) {
	w.mu.Lock()
	asked, void := p.stopping, p.crashed || w.closing
	w.mu.Unlock()
	p.log.Info("SIMULATION worker ended", slog.Any("err", p.err))
	if void {
		return // nobody hears of it
	}
	if p.err != nil || !asked {
		w.failf("worker %d ended with %v (asked to: %v)", p.number, p.err, asked)
	}
}

// await makes a fault wait for a step of the process.
func (p *process) await(f *fault) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	f.process = p
	p.faults = append(p.faults, f)
	p.waiting.Add(1)
}

// at tells that the process has come to a step; it returns the fault that
// happens there.
func (p *process) at(now []Step) (happens *fault) {
	if p.waiting.Load() == 0 || len(now) == 0 {
		return nil
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p.faults = slices.DeleteFunc(p.faults, func(f *fault) bool {
		if !slices.Contains(now, f.Step) {
			return false
		}
		if f.seen++; f.seen < f.Nth || happens != nil {
			return false
		}
		happens, f.state = f, happening
		p.waiting.Add(-1)
		return true
	})
	if happens != nil {
		p.log.Info("SIMULATION fault", slog.String("fault", happens.String()))
		if happens.provokes {
			p.link.change(func(s *stage) { s.doubt = true })
		}
	}
	return happens
}

// forget takes back a fault that waits for the process.
func (p *process) forget(f *fault) {
	p.faults = slices.DeleteFunc(p.faults, func(o *fault) bool {
		if o == f {
			p.waiting.Add(-1)
		}
		return o == f
	})
}

// inTask is at for the steps of the record path. It stands still while the
// process does.
func (p *process) inTask(s Step) {
	if f := p.at([]Step{s}); f != nil {
		p.world.happen(f, p)
	}
	if p.link.frozen.Load() {
		p.link.pass(nil)
	}
}

// alive tells whether it may be given something to do. The caller holds world.mu.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return !p.crashed && !p.stopping
	}
}

// crash abandons the process: whatever it still does reaches nobody.
func (p *process) crash() {
	p.world.mu.Lock()
	p.crashed = true
	p.world.mu.Unlock()
	p.link.die()
	p.cancel()
}

// stop asks it to drain.
func (p *process) stop() {
	p.world.mu.Lock()
	p.stopping = true
	p.world.mu.Unlock()
	p.link.change(func(s *stage) { s.stopping = true })
	p.log.Info("SIMULATION worker is asked to stop")
	p.cancel()
}

package app

import (
	"sync/atomic"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/ops"
)

// health answers the probes for the engine.
type health struct {
	engine *broker.Engine
	// started is set for good when the service was ready once.
	started atomic.Bool
}

var (
	_ ops.Probe  = (*health)(nil)
	_ ops.Status = (*health)(nil)
)

// Live implements ops.Probe.
func (h *health) Live() ops.Report { return report("progress", h.engine.Live()) }

// Ready implements ops.Probe.
func (h *health) Ready() ops.Report {
	r := report("work", h.engine.Ready())
	if r.OK() {
		h.started.Store(true)
	}
	return r
}

// Started implements ops.Probe.
func (h *health) Started() ops.Report {
	if h.started.Load() {
		return ops.Report{{Name: "started", OK: true}}
	}
	return h.Ready()
}

// Status implements ops.Status.
func (h *health) Status() any { return h.engine.Status() }

func report(name string, err error) ops.Report {
	if err != nil {
		return ops.Report{{Name: name, Detail: err.Error()}}
	}
	return ops.Report{{Name: name, OK: true}}
}

package app

import (
	"sync/atomic"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/enricher"
	"pulse-scorer/internal/ops"
)

// health answers the probes for the engine.
type health struct {
	engine *broker.Engine
	// enrichers is nil when there are none.
	enrichers *enricher.Enrichers
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
	r := append(report("work", h.engine.Ready()), h.breakers()...)
	if r.OK() {
		h.started.Store(true)
	}
	return r
}

// breakers say which enrichers are down. The service is ready all the same: what it
// waits for is not its own.
func (h *health) breakers() ops.Report {
	if h.enrichers == nil {
		return nil
	}
	required, optional := h.enrichers.Down()
	var r ops.Report
	for _, name := range required {
		r = append(r, ops.Check{Name: "enricher " + name, Advisory: true, Detail: "is down and required: fetching and the retry tiers wait for it"})
	}
	for _, name := range optional {
		r = append(r, ops.Check{Name: "enricher " + name, Advisory: true, Detail: "is down: results go without it"})
	}
	if r == nil {
		r = ops.Report{{Name: "enrichers", OK: true}}
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

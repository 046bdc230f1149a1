package app

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/enricher"
	"pulse-scorer/internal/ops"
)

// health answers the probes for the engine.
type health struct {
	engine *broker.Engine
	// enrichers is nil when there are none.
	enrichers *enricher.Enrichers
	build     ops.Build
	group     string
	now       func() time.Time
	began     time.Time
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
	r := slices.Concat(reportOf(h.engine.Readiness()), h.breakers(), h.crowded())
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

// crowded says for which tasks the input waits. The service is ready all the same: its
// tiers go on, and make room.
func (h *health) crowded() ops.Report {
	var tasks []int32
	for _, t := range h.engine.Status().Tasks {
		if t.InputHeld {
			tasks = append(tasks, t.Partition)
		}
	}
	if tasks == nil {
		return nil
	}
	return ops.Report{{Name: "input", Advisory: true, Detail: fmt.Sprintf("of tasks %v waits: as much waits to be tried again, or is parked, as may "+
		"(PULSE_RETRY_MAX_PARKED, PULSE_DEDUPE_MAX_IDS; the log says which)", tasks)}}
}

// Started implements ops.Probe.
func (h *health) Started() ops.Report {
	if h.started.Load() {
		return ops.Report{{Name: "started", OK: true}}
	}
	return h.Ready()
}

// Status is what /status shows.
type Status struct {
	broker.Status

	Build ops.Build `json:"build"`
	Group string    `json:"group"`
	// UptimeSeconds is since the process was wired.
	UptimeSeconds float64 `json:"uptime_seconds"`
	Ready         bool    `json:"ready"`
	Live          bool    `json:"live"`
	// EnrichersDown are those whose breakers are open, required ones or not.
	EnrichersDown []string `json:"enrichers_down,omitempty"`
}

// Status implements ops.Status.
func (h *health) Status() any {
	s := Status{
		Build: h.build, Group: h.group, UptimeSeconds: h.now().Sub(h.began).Seconds(),
		Ready: h.engine.Ready() == nil, Live: h.engine.Live() == nil, Status: h.engine.Status(),
	}
	if h.enrichers != nil {
		required, optional := h.enrichers.Down()
		s.EnrichersDown = slices.Concat(required, optional)
	}
	return s
}

// checks are those of the periodic look that the engine cannot make.
func (h *health) checks() []broker.Check {
	if h.enrichers == nil {
		return nil
	}
	c := broker.Check{Name: "enrichers", OK: true}
	for _, b := range h.breakers() {
		if !b.OK {
			c.OK = false
			c.Detail += "; " + b.Name + " " + b.Detail
		}
	}
	c.Detail = strings.TrimPrefix(c.Detail, "; ")
	return []broker.Check{c}
}

func reportOf(checks []broker.Check) (r ops.Report) {
	for _, c := range checks {
		r = append(r, ops.Check{Name: c.Name, OK: c.OK, Detail: c.Detail})
	}
	return r
}

func report(name string, err error) ops.Report {
	if err != nil {
		return ops.Report{{Name: name, Detail: err.Error()}}
	}
	return ops.Report{{Name: name, OK: true}}
}

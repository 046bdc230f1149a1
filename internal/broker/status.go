package broker

import "slices"

// TopicsChecked tells the engine that the topics are as they must be; it is
// not ready before.
func (e *Engine) TopicsChecked() { e.health.topicsChecked() }

// Status is what /status shows.
type Status struct {
	Joined bool `json:"joined"`
	// Restoring is how many tasks are being taken or restored.
	Restoring int `json:"restoring"`
	// Pending: there is something that could be processed.
	Pending bool `json:"pending"`
	// Hold says why nothing goes on that is known and no fault of the process.
	Hold string `json:"hold,omitempty"`
	// Health is the last periodic check, nil before the first.
	Health *HealthCheck `json:"health,omitempty"`
	// Stalled are tasks that this process has given up.
	Stalled []int32 `json:"stalled,omitempty"`
	// Restores are those under way.
	Restores []RestoreStatus `json:"restores,omitempty"`
	// Tasks are those of this process, by partition.
	Tasks []TaskStatus `json:"tasks"`
	// Throughput is that of this process.
	Throughput Throughput `json:"throughput"`
}

// waitsForEnrichers is why nothing goes on while a required enricher is down, or a task is
// long busy with what was parked.
const waitsForEnrichers = "a required external enricher is down, or has much to answer about signals that were parked: fetching and the retry tiers wait for it"

// Status describes the engine. It may be called from anywhere.
func (e *Engine) Status() Status {
	h := e.health
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Status{
		Joined: h.joined, Restoring: h.restoring, Pending: h.pending, Hold: h.hold, Health: h.check,
		Stalled: slices.Clone(h.stalled), Tasks: h.tasks, Throughput: h.done,
	}
	if h.enrichers && s.Hold == "" {
		s.Hold = waitsForEnrichers
	}
	for _, p := range h.under {
		s.Restores = append(s.Restores, p.status(h.now()))
	}
	slices.SortFunc(s.Restores, func(a, b RestoreStatus) int { return int(a.Task - b.Task) })
	return s
}

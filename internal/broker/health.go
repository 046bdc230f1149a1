package broker

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// answerLimit is how old the last answer of a broker may be for the service to
// be ready.
const answerLimit = 15 * time.Second

// health is what probes ask. It is shared between the loop, which writes, and
// whoever asks.
type health struct {
	now   func() time.Time
	stall time.Duration

	mu           sync.Mutex // guards the rest
	joined       bool
	restoring    int
	under        []*progress // restores
	stalled      []int32     // tasks that were given up
	topicsValid  bool
	pending      bool
	lastAnswer   time.Time
	lastProgress time.Time
	hold         string
	enrichers    bool         // tasks wait for external enrichers
	check        *HealthCheck // the last one
	// tasks and done are what the loop saw last; nobody changes them.
	tasks []TaskStatus
	done  Throughput
}

func newHealth(now func() time.Time, stall time.Duration) *health {
	return &health{now: now, stall: stall, lastProgress: now()}
}

func (h *health) answered() { h.change(func() { h.lastAnswer = h.now() }) }
func (h *health) progress() { h.change(func() { h.lastProgress = h.now() }) }

// holdFor declares why no progress is to be expected.
func (h *health) holdFor(reason string) { h.change(func() { h.hold = reason }) }

// waitForEnrichers says whether tasks wait for external enrichers.
func (h *health) waitForEnrichers(wait bool) { h.change(func() { h.enrichers = wait }) }

func (h *health) topicsChecked() { h.change(func() { h.topicsValid = true }) }

func (h *health) assigned(joined bool, restoring int) {
	h.change(func() { h.joined, h.restoring = joined, restoring })
}

// restores says which are under way.
func (h *health) restores(under []*progress) { h.change(func() { h.under = under }) }

// stalledTask notes a task that was given up.
func (h *health) stalledTask(task int32) { h.change(func() { h.stalled = append(h.stalled, task) }) }

// brokerAway tells whether no broker has answered lately.
func (h *health) brokerAway(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Sub(h.lastAnswer) > answerLimit
}

// work says whether there is anything to do.
func (h *health) work(pending bool) {
	h.change(func() {
		// What was held may take its time from the end of the hold on.
		if h.pending = pending; !pending || h.held() {
			h.lastProgress = h.now()
		}
	})
}

// checked keeps what the last health check found.
func (h *health) checked(c *HealthCheck) { h.change(func() { h.check = c }) }

// held tells whether something is known that explains that nothing goes on. The
// caller holds the lock.
func (h *health) held() bool {
	return h.hold != "" || h.enrichers || h.restoring > 0 || !h.joined || h.now().Sub(h.lastAnswer) > answerLimit
}

func (h *health) change(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
}

// Readiness is what /readyz looks at: the topics are as they must be, the member has
// joined, its tasks are restored, and a broker has answered lately.
func (e *Engine) Readiness() []Check {
	h := e.health
	h.mu.Lock()
	defer h.mu.Unlock()
	age := h.now().Sub(h.lastAnswer)
	answer := fmt.Sprintf("the last answer is %v old", age.Round(100*time.Millisecond))
	if h.lastAnswer.IsZero() {
		answer = "none has answered yet"
	}
	return []Check{
		shown("topics", h.topicsValid, "as they must be", "not checked yet"),
		shown("group", h.joined, fmt.Sprintf("joined, %d tasks", len(h.tasks)), "not joined"),
		shown("state", h.restoring == 0, "restored", fmt.Sprintf("%d tasks are being taken or restored", h.restoring)),
		shown("broker", age <= answerLimit, answer, "no answer within the last 15 s; "+answer),
	}
}

func shown(name string, ok bool, well, ill string) Check {
	if ok {
		return Check{Name: name, OK: true, Detail: well}
	}
	return Check{Name: name, Detail: ill}
}

// Ready is nil when all that Readiness looks at is well.
func (e *Engine) Ready() error {
	var errs []error
	for _, c := range e.Readiness() {
		if !c.OK {
			errs = append(errs, fmt.Errorf("%s: %s", c.Name, c.Detail))
		}
	}
	return errors.Join(errs...)
}

// Live is an error only when there is work, nothing has come of it for the
// stall time-out, and nothing is known that explains it; for good when that was so
// for one task, which was given up.
func (e *Engine) Live() error {
	h := e.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.stalled) > 0 && h.hold == "" {
		return fmt.Errorf("tasks %v made no progress for %v although they had work, and were given up (PULSE_STALL_TIMEOUT): restart the process",
			h.stalled, h.stall)
	}
	if idle := h.now().Sub(h.lastProgress); h.pending && !h.held() && idle > h.stall {
		return fmt.Errorf("no progress for %v although there is work (PULSE_STALL_TIMEOUT)", idle.Round(time.Second))
	}
	return nil
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// watch looks once in a while at what others may change under a running
// service: topics that grow, vanish or get other settings, and records that
// are about to be deleted before anybody has read them; and at what a person would look
// at first: brokers, group, state (checks.go). It alarms, and it does
// the one thing that needs nobody: its own topics follow the input.
type watch struct {
	set     Settings
	admin   *Admin
	cluster *cluster
	member  *member
	health  *health
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time
	// more are checks of what the engine does not know; nil is none.
	more func() []Check

	// stands belongs to the goroutine that runs the checks, by partition of the state.
	stands map[int32]stand
	// said is what was last logged of each check that is not well; it belongs to
	// the goroutine that runs it.
	said map[string]said
}

type said struct {
	at      time.Time
	unknown bool
}

// HealthCheck is what a periodic check has found.
type HealthCheck struct {
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks"`
}

// Check is one thing that is looked at: metric pulse_health has its name.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says what is wrong and what to do.
	Detail string `json:"detail,omitempty"`

	// unknown: it could not be made. That is a warning: it is the broker's silence
	// that is wrong then, and others say so.
	unknown bool
}

func newWatch(conn Connection, set Settings, deps Deps, c *cluster, m *member, h *health, mt *metrics) *watch {
	return &watch{
		set: set, cluster: c, member: m, health: h, metrics: mt, log: deps.Log, now: deps.Now, more: deps.Checks,
		admin: NewAdmin(conn, set.Topics, TopicSettings{Replication: -1}),
		said:  make(map[string]said),
	}
}

// run checks every interval. The first comes after one: the start has checked
// the topics just now.
func (w *watch) run(ctx context.Context) error {
	if w.set.HealthInterval == 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	ticker := time.NewTicker(w.set.HealthInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		w.look(ctx)
	}
}

// checkTimeout bounds one look at everything.
const checkTimeout = 30 * time.Second

var errCheckTimeout = fmt.Errorf("health check not done within %v", checkTimeout)

// look makes every check and shows what each has found. One that could not be
// made says so: it has not found all well, and what it found before is out of date
// (TestWatch_SaysWhichCheckCouldNotBeMade).
func (w *watch) look(ctx context.Context) {
	look, cancel := context.WithTimeoutCause(ctx, checkTimeout, errCheckTimeout)
	defer cancel()
	checks := w.checks(look)
	if ctx.Err() == nil {
		w.publish(ctx, checks)
	}
}

func (w *watch) checks(ctx context.Context) []Check {
	g := w.member.generation()
	states, err := w.admin.Plan(ctx)
	topics := unknown(checkTopics, err)
	if err == nil {
		topics = w.topics(ctx, states)
	}
	if err == nil && g != nil {
		if follow := w.follow(ctx, g); follow != nil && topics.OK {
			topics = unknown(checkTopics, fmt.Errorf("partitions of the input: %w", follow))
		}
	}
	checks := append([]Check{w.brokers(ctx, g, err), w.group(g), topics}, w.ours(ctx, g, states, err)...)
	if w.more != nil {
		checks = append(checks, w.more()...)
	}
	return checks
}

// ours are the checks of what belongs to our tasks.
func (w *watch) ours(ctx context.Context, g *generation, states []TopicState, err error) []Check {
	if g == nil && err == nil {
		err = errNotJoined
	}
	if err != nil {
		return []Check{unknown(checkState, err), unknown(checkInputRetention, err), unknown(checkDeadRetention, err)}
	}
	state, err := w.state(ctx, g)
	if err != nil {
		state = unknown(checkState, err)
	}
	waiting, err := w.waiting(ctx, g, states)
	if err != nil {
		waiting = []Check{unknown(checkInputRetention, err), unknown(checkDeadRetention, err)}
	}
	return append([]Check{state}, waiting...)
}

// topics compares the topics with what they must be, as at the start, and grows
// those that are the service's own. A topic that has vanished is not made: who
// deleted it may be about to make it as it should be. The next start makes it.
func (w *watch) topics(ctx context.Context, states []TopicState) Check {
	var faults []error
	if w.set.TopicsCreate {
		if err := w.admin.Grow(ctx, states); err != nil {
			faults = append(faults, err)
		}
	}
	for _, s := range states {
		switch {
		case !s.Exists:
			faults = append(faults, fmt.Errorf("topic %s (%s) does not exist: make it, or start the service anew", s.Name, s.Role))
		case s.Grow > 0 && !w.set.TopicsCreate:
			faults = append(faults, fmt.Errorf("topic %s (%s) has %d partitions and the input %d; the new ones wait until it has as many: %s",
				s.Name, s.Role, s.Partitions, s.Grow, growCommand(w.admin.conn.Brokers, s.Name, s.Grow)))
		case s.Grow > 0:
			w.log.Info("topic grown to the input's partitions", slog.String("topic", s.Name),
				slog.Int("before", s.Partitions), slog.Int("partitions", s.Grow))
		}
	}
	return check(checkTopics, errors.Join(append(faults, Faults(states))...))
}

// follow has the tasks divided anew when there are more or fewer than those
// that were divided. It is the leader who does so: it is who divides.
func (w *watch) follow(ctx context.Context, g *generation) error {
	n, err := w.cluster.dividable(ctx)
	if err != nil {
		return err
	}
	if g.leads && n != g.partitions {
		w.log.Info("the input has other partitions than were divided; dividing anew",
			slog.Int("divided", int(g.partitions)), slog.Int("partitions", int(n)))
		w.member.divideAgain()
	}
	return nil
}

func check(name string, fault error) Check {
	c := Check{Name: name, OK: fault == nil}
	if fault != nil {
		c.Detail = strings.ReplaceAll(fault.Error(), "\n", "; ")
	}
	return c
}

// unknown is a check that could not be made.
func unknown(name string, err error) Check {
	c := check(name, fmt.Errorf("the check could not be made, it is tried again at the next interval (PULSE_HEALTH_INTERVAL): %w", err))
	c.unknown = true
	return c
}

// repeatAfter is how often a fault that lasts is logged.
const repeatAfter = 10 * time.Minute

// publish shows what was found: metric, /status, and the log, where a fault
// that lasts comes again every ten minutes only.
func (w *watch) publish(ctx context.Context, checks []Check) {
	now := w.now()
	w.health.checked(&HealthCheck{At: now, Checks: checks})
	for _, c := range checks {
		last, failing := w.said[c.Name]
		value := 0.0
		switch {
		case c.OK:
			value = 1
			if delete(w.said, c.Name); failing {
				w.log.Info("health check is well again", slog.String("check", c.Name))
			}
		case !failing || last.unknown != c.unknown || now.Sub(last.at) >= repeatAfter:
			w.said[c.Name] = said{at: now, unknown: c.unknown}
			level := slog.LevelError
			if c.unknown {
				level = slog.LevelWarn
			}
			w.log.Log(ctx, level, "health check failed", slog.String("check", c.Name), slog.String("detail", c.Detail))
		}
		w.metrics.checks.WithLabelValues(c.Name).Set(value)
	}
}

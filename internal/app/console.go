package app

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/console"
	"pulse-scorer/internal/pipeline"
)

// newConsole makes the page; it asks the engine through s.health, which has one before
// anybody can ask.
func newConsole(s *Service, contents bool) (*console.Console, error) {
	c := s.config
	return console.New(console.Settings{
		Version: s.deps.Build.Version, Group: c.Group, Instance: c.InstanceID, Profile: c.Profile,
		Brokers: strings.Join(c.Brokers, ","), InputTopic: c.TopicInput, Environment: environment(c),
		RetryDelays: c.RetryDelays, Contents: contents,
	}, console.Deps{Gatherer: s.registry, View: s.health.view, Owners: s.ownersOf, Now: s.deps.Now})
}

// environment is what a command of another shell needs to find this service, and to send its
// dead letters back: what differs from the defaults and is no secret. Of files it names the
// path; a password that is in no file has to be set beside it
// (TestEnvironment_HasWhatARedriveNeeds).
func environment(c config.Config) string {
	set := []string{"PULSE_BROKERS=" + quoted(strings.Join(c.Brokers, ","))}
	for _, v := range []struct{ name, value, usual string }{
		{"PULSE_GROUP", c.Group, "pulse-scorer"},
		{"PULSE_TOPIC_INPUT", c.TopicInput, "pulse.signals"},
		{"PULSE_TOPIC_OUTPUT", c.TopicOutput, "pulse.signals.scored"},
		{"PULSE_TOPIC_DLQ", c.TopicDLQ, c.TopicInput + "." + c.Group + ".dlq"},
		{"PULSE_TOPIC_RETRY", c.TopicRetry, c.TopicInput + "." + c.Group + ".retry"},
		{"PULSE_RETRY_DELAYS", c.RetryDelays.String(), "5s,30s,2m,10m"},
		{"PULSE_TLS", strconv.FormatBool(c.TLS), "false"},
		{"PULSE_TLS_CA", c.TLSCA, ""},
		{"PULSE_TLS_CERT", c.TLSCert, ""},
		{"PULSE_TLS_KEY", c.TLSKey, ""},
		{"PULSE_SASL_MECHANISM", c.SASLMechanism, ""},
		{"PULSE_SASL_USERNAME", c.SASLUsername, ""},
		{"PULSE_SASL_PASSWORD_FILE", c.SASLPasswordFile, ""},
		{"PULSE_SASL_TOKEN_FILE", c.SASLTokenFile, ""},
	} {
		if v.value != v.usual {
			set = append(set, v.name+"="+quoted(v.value))
		}
	}
	return strings.Join(set, " ")
}

// quoted is a value for a POSIX shell.
func quoted(value string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".,:-_/", r)
	}
	if strings.IndexFunc(value, func(r rune) bool { return !plain(r) }) < 0 {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// ownersOf asks the group who has each partition.
func (s *Service) ownersOf(ctx context.Context) (map[int32]string, error) {
	look, err := broker.NewInspector(s.conn, broker.InspectorSettings{
		Group: s.config.Group, Topics: Topology(s.config), MaxRecordBytes: int(s.config.MaxRecordBytes),
	})
	if err != nil {
		return nil, err
	}
	defer look.Close()
	group, err := look.Group(ctx)
	return group.Owners, err
}

// view is what the console shows of the engine.
func (h *health) view() console.View {
	s := h.engine.Status()
	v := console.View{
		Ready: h.engine.Ready() == nil, Live: h.engine.Live() == nil, Uptime: h.now().Sub(h.began),
		Hold: s.Hold, Stalled: s.Stalled, Records: s.Throughput.Records, PerSecond: s.Throughput.PerSecond,
	}
	for _, c := range h.Ready() {
		v.Readiness = append(v.Readiness, console.Check{Name: c.Name, OK: c.OK, Detail: c.Detail})
	}
	if h.enrichers != nil {
		required, optional := h.enrichers.Down()
		v.EnrichersDown = slices.Concat(required, optional)
	}
	if s.Health != nil {
		v.CheckedAt = s.Health.At
		for _, c := range s.Health.Checks {
			v.Checks = append(v.Checks, console.Check{Name: c.Name, OK: c.OK, Detail: c.Detail})
		}
	}
	for _, r := range s.Restores {
		v.Restores = append(v.Restores, console.Restore{Partition: r.Task, Records: r.Records, Estimated: r.Estimated, Seconds: r.Seconds})
	}
	for i := range s.Tasks {
		v.Tasks = append(v.Tasks, taskOf(&s.Tasks[i]))
	}
	return v
}

func taskOf(t *broker.TaskStatus) console.Task {
	out := console.Task{
		Partition: t.Partition, Phase: t.Phase, Held: t.Held, Committed: t.Committed, End: t.End, Lag: t.Lag, LagSeconds: t.LagSeconds,
	}
	for _, tier := range t.Tiers {
		out.Tiers = append(out.Tiers, console.Tier{Tier: tier.Tier, Waiting: tier.Waiting, NextNotBefore: tier.NextNotBefore})
	}
	return out
}

// watcher is what the record paths show their batches to.
func (s *Service) watcher() pipeline.Watcher { return s.console.Watcher() } //nolint:ireturn // it is for that interface

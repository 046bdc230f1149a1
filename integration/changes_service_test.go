//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ops"
)

// service is the whole service in this process: its metrics and its log are at
// hand.
type service struct {
	*app.Service

	cancel context.CancelFunc
	done   chan error
	log    *shared
}

// shared collects a log that several goroutines write.
type shared struct {
	mu sync.Mutex // guards the text
	b  strings.Builder
}

// Write implements io.Writer.
func (s *shared) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(line)
}

// awaitSaid waits until the log has a line with all parts.
func (s *service) awaitSaid(ctx context.Context, t *testing.T, parts ...string) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		s.log.mu.Lock()
		defer s.log.mu.Unlock()
		for line := range strings.Lines(s.log.b.String()) {
			found := 0
			for _, part := range parts {
				if strings.Contains(line, part) {
					found++
				}
			}
			if found == len(parts) {
				return ""
			}
		}
		return "no line of the log says " + strings.Join(parts, " and ")
	})
}

// startService runs the service on the lab's topics, with more settings.
func (l *lab) startService(ctx context.Context, t *testing.T, more ...string) *service {
	t.Helper()
	s, err := l.newService(ctx, more...)
	if err != nil {
		t.Fatalf("make a service: %v", err)
	}
	s.run(ctx, t)
	return s
}

func (l *lab) newService(ctx context.Context, more ...string) (*service, error) {
	c, err := config.Load(append([]string{
		"PULSE_BROKERS=" + strings.Join(l.brokers, ","), "PULSE_GROUP=" + l.group,
		"PULSE_TOPIC_INPUT=" + l.topics.Input, "PULSE_TOPIC_OUTPUT=" + l.topics.Results,
		"PULSE_TOPIC_DLQ=" + l.topics.DeadLetters, "PULSE_TOPIC_STATE=" + l.topics.State,
		"PULSE_SESSION_TIMEOUT=" + sessionTimeout.String(), "PULSE_HTTP_ADDR=127.0.0.1:0",
		"PULSE_HEALTH_INTERVAL=1s",
	}, more...), config.NeedBrokers)
	if err != nil {
		return nil, err
	}
	s := &service{done: make(chan error, 1), log: &shared{}}
	s.Service, err = app.NewService(ctx, c, app.Deps{
		Log: slog.New(slog.NewTextHandler(s.log, nil)), Build: ops.ReadBuild("test"), Now: time.Now,
	})
	return s, err
}

func (s *service) run(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			s.log.mu.Lock()
			defer s.log.mu.Unlock()
			t.Logf("log of the service:\n%s", s.log.b.String())
		}
	})
}

// stop drains the service.
func (s *service) stop(t *testing.T) {
	t.Helper()
	s.cancel()
	if err := <-s.done; err != nil {
		t.Errorf("the service ended with %v", err)
	}
}

// value sums the series of a metric, of those with a label value if one is given.
func (s *service) value(t *testing.T, name string, label ...string) float64 {
	t.Helper()
	families, err := s.Registry().Gather()
	if err != nil {
		t.Fatalf("metrics: %v", err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (len(label) == 0 || m.GetLabel()[0].GetValue() == label[0]) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// awaitValue waits until a metric has a value.
func (s *service) awaitValue(ctx context.Context, t *testing.T, want float64, name string, label ...string) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		if got := s.value(t, name, label...); got != want {
			return name + " has another value: " + slog.AnyValue(got).String() + ", want " + slog.AnyValue(want).String()
		}
		return ""
	})
}

// awaitThat waits until nothing is missing.
func awaitThat(ctx context.Context, t *testing.T, missing func() string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		what := missing()
		if what == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(what)
		}
	}
}

// changesHangGuard ends a test that would never end by itself; it measures nothing.
const changesHangGuard = 4 * time.Minute

// What operators do to topics and offsets. Each is the request that Kafka's own
// tools send.

// setRetention is kafka-configs --alter --add-config retention.ms=….
func (l *lab) setRetention(ctx context.Context, t *testing.T, name, value string) {
	t.Helper()
	l.setTopic(ctx, t, name, "retention.ms", value)
}

// setTopic changes one setting of a topic.
func (l *lab) setTopic(ctx context.Context, t *testing.T, name, key, value string) {
	t.Helper()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, name
	resource.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Value: &value}}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, resource)
	res, err := req.RequestWith(ctx, l.client)
	if err == nil {
		err = kerr.ErrorForCode(res.Resources[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("set %s of %s: %v", key, name, err)
	}
	// The controller has it; the broker that is asked next may not yet.
	awaitThat(ctx, t, func() string {
		if got := l.configOf(ctx, name, key); got != value {
			return fmt.Sprintf("%s of %s is %q, want %q", key, name, got, value)
		}
		return ""
	})
}

// configOf is a setting of a topic, or why it is not known.
func (l *lab) configOf(ctx context.Context, name, key string) string {
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, name, []string{key}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, resource)
	res, err := req.RequestWith(ctx, l.client)
	switch {
	case err != nil:
		return err.Error()
	case len(res.Resources) != 1 || len(res.Resources[0].Configs) != 1 || res.Resources[0].Configs[0].Value == nil:
		return "not told"
	}
	return *res.Resources[0].Configs[0].Value
}

// addPartitions is kafka-topics --alter --partitions.
func (l *lab) addPartitions(ctx context.Context, t *testing.T, name string, n int) {
	t.Helper()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = name, int32(n)
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
	res, err := req.RequestWith(ctx, l.client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("add partitions to %s: %v", name, err)
	}
	l.awaitPartitions(ctx, t, name, n)
}

// awaitPartitions waits until a topic has so many, each with a leader.
func (l *lab) awaitPartitions(ctx context.Context, t *testing.T, name string, n int) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		if got := l.led(ctx, name); got != n {
			return name + " has other partitions than it should"
		}
		return ""
	})
}

// led is how many partitions of a topic have a leader, -1 when it does not exist.
func (l *lab) led(ctx context.Context, name string) int {
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(ctx, l.client)
	if err != nil || res.Topics[0].ErrorCode != 0 {
		return -1
	}
	n := 0
	for _, p := range res.Topics[0].Partitions {
		if p.ErrorCode == 0 && p.Leader >= 0 {
			n++
		}
	}
	return n
}

// deleteTopic returns when it is gone.
func (l *lab) deleteTopic(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
	res, err := req.RequestWith(ctx, l.client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("delete %s: %v", name, err)
	}
	awaitThat(ctx, t, func() string {
		if l.led(ctx, name) >= 0 {
			return name + " is not gone"
		}
		return ""
	})
}

package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/console"
	"pulse-scorer/internal/enricher"
	"pulse-scorer/internal/ops"
	"pulse-scorer/internal/pipeline"
)

// Deps are what the service uses and does not own.
type Deps struct {
	Log   *slog.Logger
	Build ops.Build
	// Now is the wall clock.
	Now func() time.Time
}

// Service is one worker: the engine with its record paths, and the HTTP server
// beside it.
type Service struct {
	config   config.Config
	conn     broker.Connection
	deps     Deps
	registry *prometheus.Registry
	engine   *broker.Engine
	server   *ops.Server
	health   *health
	console  *console.Console
	// enrichers is nil when there are none, models for a profile without one.
	enrichers *enricher.Enrichers
	models    *modelWriter
	// tracer is nil when nobody traces; stopTracing sends the last spans.
	tracer      pipeline.Tracer
	stopTracing func()
}

// NewService wires a worker and binds its HTTP port. Run it, or Close it.
func NewService(ctx context.Context, c config.Config, deps Deps) (*Service, error) {
	conn, err := Connection(c, deps.Log)
	if err != nil {
		return nil, err
	}
	set, err := engineSettings(c)
	if err != nil {
		return nil, err
	}
	s := &Service{config: c, conn: conn, deps: deps, registry: ops.NewRegistry(deps.Build)}
	if s.enrichers, err = newEnrichers(c, deps, s.registry); err != nil {
		return nil, err
	}
	if topic := Topology(c).Models; topic != "" {
		s.models = newModelWriter(broker.NewPublisher(conn, topic), deps, s.registry)
	}
	tracer, stopTracing, err := s.startTracing(ctx)
	if err != nil {
		return nil, err
	}
	if s.stopTracing = stopTracing; tracer != nil {
		s.tracer = tracer
	}
	token, err := ops.NewToken(c.AdminToken.Reveal(), c.AdminTokenFile, deps.Log)
	if err != nil {
		return nil, faultsOf(err)
	}
	newTask, err := s.taskMaker(token != nil)
	if err != nil {
		return nil, err
	}
	s.health = &health{enrichers: s.enrichers, build: deps.Build, group: c.Group, now: deps.Now, began: deps.Now()}
	if s.console, err = newConsole(s, token != nil); err != nil {
		return nil, err
	}
	s.engine, err = broker.New(conn, set, broker.Deps{
		Log: deps.Log, Registry: s.registry, NewTask: newTask, Now: deps.Now, Checks: s.health.checks,
	})
	if err != nil {
		return nil, err
	}
	s.health.engine = s.engine
	s.server, err = ops.Listen(ctx, ops.Settings{Addr: c.HTTPAddr, Token: token}, ops.Deps{
		Gatherer: s.registry, Probe: s.health, Status: s.health, Logger: deps.Log,
		Pages: s.console.Pages(), Guarded: s.console.Guarded(),
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// taskMaker returns what makes the record path of a task; with contents the console may
// see what is in records.
func (s *Service) taskMaker(contents bool) (func(int32) broker.Task, error) {
	settings, err := pathSettings(s.config, s.deps.Build.Version)
	if err := errors.Join(err, settings.Validate()); err != nil {
		return nil, faultsOf(err)
	}
	metrics := pipeline.NewMetrics(s.registry)
	p := profile(s.config)
	var externals pipeline.Externals
	if s.enrichers != nil {
		externals = s.enrichers
	}
	var models pipeline.Models
	if s.models != nil {
		models = s.models
	}
	return func(partition int32) broker.Task {
		var key [16]byte
		_, _ = rand.Read(key[:]) // never fails (crypto/rand)
		t, err := pipeline.New(settings, pipeline.Deps{
			Profile: p, Metrics: metrics, HashKey: key, Now: s.deps.Now, Random: mathrand.Float64, Externals: externals, Log: s.deps.Log,
			Models: models, Partition: partition, Tracer: s.tracer, Watcher: s.watcher(), Contents: contents,
		})
		if err != nil {
			panic(fmt.Sprintf("record path: %v", err)) // the same settings were valid above
		}
		return t
	}, nil
}

// Close gives the HTTP port free without running.
func (s *Service) Close() error {
	s.stopTracing()
	return s.server.Close()
}

// Registry holds the service's metrics.
func (s *Service) Registry() prometheus.Gatherer { return s.registry }

// Addr is where the HTTP server listens.
func (s *Service) Addr() string { return s.server.Addr() }

// Ready is nil when the service does its work.
func (s *Service) Ready() error { return s.engine.Ready() }

// Run works until ctx ends, drains, and returns nil then. The HTTP server
// stops last, so that probes see the drain.
func (s *Service) Run(ctx context.Context) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group, work := errgroup.WithContext(ctx)
	group.Go(func() error { return s.server.Serve(serving) })
	group.Go(func() error { return s.console.Sample(serving) })
	group.Go(func() error { return s.console.Follow(serving) })
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	group.Go(func() error {
		defer stopServing()
		return s.models.run(writing)
	})
	group.Go(func() error {
		defer stopWriting()
		s.deps.Log.Info("starting", slog.String("version", s.deps.Build.Version), slog.String("group", s.config.Group),
			slog.Any("brokers", s.config.Brokers), slog.String("http", s.server.Addr()))
		if err := s.prepareTopics(work); err != nil {
			return err
		}
		s.engine.TopicsChecked()
		return s.engine.Run(work)
	})
	err := group.Wait()
	s.stopTracing()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		s.deps.Log.Info("stopped")
		return nil
	}
	return err
}

// topicRetry is how long to wait for a broker that does not answer.
const topicRetry = time.Second

// prepareTopics creates what is missing and checks the rest. Without a broker
// it waits for one: starting before Kafka is no fault. A broker that refuses us is
// there: that needs a person.
func (s *Service) prepareTopics(ctx context.Context) error {
	for {
		err := s.checkTopics(ctx)
		var fault *TopicError
		if err == nil || errors.As(err, &fault) || broker.Refused(err) || ctx.Err() != nil {
			return err
		}
		s.deps.Log.Warn("no broker answers; trying again: are PULSE_BROKERS right and the brokers up, and does the port want PULSE_TLS, PULSE_SASL_MECHANISM?",
			slog.Any("brokers", s.config.Brokers), slog.Any("err", err))
		select {
		case <-time.After(topicRetry):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// TopicError is what keeps the service from using the topics there are.
type TopicError struct{ err error }

// Error implements error.
func (f *TopicError) Error() string { return f.err.Error() }

// Unwrap gives the faults.
func (f *TopicError) Unwrap() error { return f.err }

func (s *Service) checkTopics(ctx context.Context) error {
	admin := broker.NewAdmin(s.conn, Topology(s.config), topicSettings(s.config))
	states, err := admin.Plan(ctx)
	if err != nil {
		return err
	}
	var lacking []string
	for _, t := range states {
		for _, w := range t.Warnings {
			s.deps.Log.Warn("topic", slog.String("topic", t.Name), slog.String("warning", w))
		}
		if !t.Exists || t.Grow > 0 {
			lacking = append(lacking, t.Name)
		}
	}
	if err := broker.Faults(states); err != nil {
		return &TopicError{err}
	}
	if len(lacking) == 0 {
		return nil
	}
	if !s.config.TopicsCreate {
		return &TopicError{fmt.Errorf(
			"topics %v do not exist or have fewer partitions than the input, and PULSE_TOPICS_CREATE is false: "+
				"make or grow them (pulse-scorer topics shows how they must be)", lacking)}
	}
	s.deps.Log.Info("creating topics, or growing them to the input's partitions", slog.Any("topics", lacking))
	return admin.Create(ctx, states)
}

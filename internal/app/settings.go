package app

import (
	"log/slog"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/auth"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/retry"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// clientID is what brokers call us in their logs and quotas.
const clientID = "pulse-scorer"

// Connection is how an environment reaches its cluster. It reads certificates,
// passwords and tokens: what cannot be used is a config.Error.
func Connection(c config.Config, log *slog.Logger) (broker.Connection, error) {
	dialer, err := auth.New(auth.Settings{
		TLS: c.TLS, CAFile: c.TLSCA, CertFile: c.TLSCert, KeyFile: c.TLSKey,
		Mechanism: c.SASLMechanism, Username: c.SASLUsername,
		Password: c.SASLPassword.Reveal(), PasswordFile: c.SASLPasswordFile, TokenFile: c.SASLTokenFile,
	}, auth.Deps{Log: log, ClientID: clientID, Now: time.Now})
	if err != nil {
		return broker.Connection{}, faultsOf(err)
	}
	return broker.Connection{Brokers: c.Brokers, ClientID: clientID, Dial: dialer.DialContext}, nil
}

// connection is Connection for a command that ends soon: nobody waits for what
// changes while it runs.
func connection(c config.Config) (broker.Connection, error) {
	return Connection(c, slog.New(slog.DiscardHandler))
}

// Topology is the topics of an environment.
func Topology(c config.Config) broker.Topology {
	t := c.Topics()
	topology := broker.Topology{Input: t.Input, Results: t.Output, DeadLetters: t.DLQ, State: t.State}
	if c.Profile == config.ProfileV2 { // parity has no model
		topology.Models = t.Models
	}
	for i, name := range t.Retry {
		topology.Retry = append(topology.Retry, broker.RetryTier{Topic: name, Delay: c.RetryDelays[i]})
	}
	return topology
}

// NewAdmin looks after the topics of an environment.
func NewAdmin(c config.Config) (*broker.Admin, error) {
	conn, err := connection(c)
	if err != nil {
		return nil, err
	}
	return broker.NewAdmin(conn, Topology(c), topicSettings(c)), nil
}

// topicSettings say how missing topics are made.
func topicSettings(c config.Config) broker.TopicSettings {
	return broker.TopicSettings{Partitions: c.TopicsPartitions, Replication: c.TopicsReplication}
}

func engineSettings(c config.Config) (broker.Settings, error) {
	compression, err := batch.ParseCompression(c.Compression)
	if err != nil {
		return broker.Settings{}, err
	}
	start := broker.Earliest
	if c.StartOffset == "latest" {
		start = broker.Latest
	}
	return broker.Settings{
		Group: c.Group, InstanceID: c.InstanceID, Topics: Topology(c), Start: start,
		CommitInterval: c.CommitInterval, TransactionTimeout: c.TransactionTimeout,
		SessionTimeout: c.SessionTimeout, HeartbeatInterval: c.HeartbeatInterval,
		StallTimeout: c.StallTimeout, DrainTimeout: c.DrainTimeout, HealthInterval: c.HealthInterval, TopicsCreate: c.TopicsCreate,
		Parks:          c.RetryOrder == orderByKey,
		MaxRecordBytes: int(c.MaxRecordBytes), MaxInflightBytes: int(c.MaxInflightBytes),
		Compression: compression,
	}, nil
}

// orderByKey is the value of PULSE_RETRY_ORDER that keeps the order of each series.
const orderByKey = "key"

func pathSettings(c config.Config, version string) (pipeline.Settings, error) {
	p := profile(c)
	overrides, err := retry.ParseOverrides(c.RetryOverrides)
	return pipeline.Settings{
		Retry: retry.Settings{
			Delays: c.RetryDelays, Jitter: c.RetryJitter, Overrides: overrides,
			ByKey: c.RetryOrder == orderByKey, MaxParked: c.RetryMaxParked,
		},
		Group: c.Group, ScorerVersion: version, DefaultSource: c.DefaultSource,
		MaxRecordBytes: int(c.MaxRecordBytes), License: c.License,
		State: state.Settings{
			DedupeWindow: c.DedupeWindow, DedupeMaxIDs: c.DedupeMaxIDs,
			WindowSize: p.WindowSize, MemorySize: p.MemorySize,
		},
	}, err
}

func profile(c config.Config) *scoring.Profile {
	if c.Profile == config.ProfileParity {
		p := scoring.Parity()
		p.Assets = c.Assets
		if c.AnomalyThreshold != nil {
			p.Anomaly.ZLimit = *c.AnomalyThreshold
		}
		return p
	}
	p := scoring.V2()
	p.Assets = c.Assets
	p.Recency.MaxAheadMicros = c.MaxClockSkew.Microseconds()
	if c.AnomalyThreshold != nil {
		p.Anomaly.Threshold = *c.AnomalyThreshold
	}
	return p
}

// Threshold is the anomaly score from which an environment's profile flags a signal,
// nil for one that has no scores.
func Threshold(c config.Config) *float64 {
	if p := profile(c); p.WindowSize == 0 {
		return &p.Anomaly.Threshold
	}
	return nil
}

package config

//go:generate go test -run ^TestMarkdown_IsTheTableThatOperatorsRead$ . -update

import (
	"time"
)

// Config is the whole environment, checked. Make it with Load.
//
// Tags: envconfig is the name without the prefix; default and desc are shown
// in the table; derived describes a default that Load works out from other
// variables; unit, min, max and oneof bound the value; secret values are never
// shown; file names an existing file; later names a feature that this release
// lacks.
type Config struct {
	// Cluster and group.
	Brokers    List   `envconfig:"BROKERS" desc:"Kafka brokers to start from, comma-separated host:port; required by every command that talks to Kafka"`
	Group      string `envconfig:"GROUP" default:"pulse-scorer" desc:"consumer group, and the first part of the transactional ID"`
	InstanceID string `envconfig:"INSTANCE_ID" desc:"static membership and a stable transactional ID, when set; unique for each worker"`

	// Topics.
	TopicInput  string `envconfig:"TOPIC_INPUT" default:"pulse.signals" desc:"signals to score"`
	TopicOutput string `envconfig:"TOPIC_OUTPUT" default:"pulse.signals.scored" desc:"results"`
	TopicRetry  string `envconfig:"TOPIC_RETRY" derived:"<input>.<group>.retry" desc:"base name of the retry tiers; tier n has .n appended, from 1"`
	TopicDLQ    string `envconfig:"TOPIC_DLQ" derived:"<input>.<group>.dlq" desc:"dead letters"`
	TopicState  string `envconfig:"TOPIC_STATE" derived:"<input>.<group>.state" desc:"compacted changelog of what the tasks remember"`
	TopicModels string `envconfig:"TOPIC_MODELS" derived:"<input>.<group>.models" desc:"compacted model snapshots"`

	TopicsCreate      bool   `envconfig:"TOPICS_CREATE" default:"true" desc:"create the topics that are missing, and give dead letters and state the partitions of a grown input; else existing topics are validated, never changed"`
	TopicsPartitions  int    `envconfig:"TOPICS_PARTITIONS" default:"8" min:"1" max:"10000" desc:"partitions of an input topic that has to be created; internal topics follow the input"`
	TopicsReplication int    `envconfig:"TOPICS_REPLICATION" default:"-1" min:"-1" max:"32767" desc:"replication factor of created topics; -1 is the broker's default"`
	StartOffset       string `envconfig:"START_OFFSET" default:"earliest" oneof:"earliest,latest" desc:"where a new group starts on the input"`

	// Times of the engine.
	CommitInterval     time.Duration `envconfig:"COMMIT_INTERVAL" default:"100ms" min:"1ms" max:"1s" desc:"longest time a batch waits for more records before its transaction ends"`
	TransactionTimeout time.Duration `envconfig:"TRANSACTION_TIMEOUT" default:"10s" min:"1s" desc:"after this the broker aborts a transaction whose worker is gone"`
	SessionTimeout     time.Duration `envconfig:"SESSION_TIMEOUT" default:"10s" min:"1s" desc:"after this without a heartbeat a worker counts as dead"`
	HeartbeatInterval  time.Duration `envconfig:"HEARTBEAT_INTERVAL" default:"500ms" min:"10ms" desc:"time between heartbeats; at most a third of the session time-out"`
	StallTimeout       time.Duration `envconfig:"STALL_TIMEOUT" default:"30s" min:"1s" desc:"a task without progress for this long, though there is work, is released and /livez fails"`
	DrainTimeout       time.Duration `envconfig:"DRAIN_TIMEOUT" default:"15s" min:"1ms" desc:"longest time to finish open work after SIGTERM or SIGINT"`
	HealthInterval     time.Duration `envconfig:"HEALTH_INTERVAL" default:"60s" min:"1s" desc:"time between the checks of pulse_health: broker, group, topics, state, enrichers, and retention (is anything about to be deleted that still waits?)"`

	// Sizes.
	MaxRecordBytes   Bytes  `envconfig:"MAX_RECORD_BYTES" default:"1048576" unit:"bytes" min:"1024" max:"104857600" desc:"largest value that is scored; larger ones are dead letters of class too_large"`
	MaxInflightBytes Bytes  `envconfig:"MAX_INFLIGHT_BYTES" default:"67108864" unit:"bytes" min:"1048576" desc:"most bytes on their way: fetched and not processed, or computed and not committed, with what takes that back"`
	Compression      string `envconfig:"COMPRESSION" default:"lz4" oneof:"none,lz4,zstd" desc:"compression of what is written"`

	// Retries.
	RetryDelays    Durations `envconfig:"RETRY_DELAYS" default:"5s,30s,2m,10m" desc:"one retry tier a delay"`
	RetryJitter    float64   `envconfig:"RETRY_JITTER" default:"0.1" min:"0" max:"1" desc:"share of a delay by which it is longer or shorter at random; a record is never tried before the time that comes of it"`
	RetryOrder     string    `envconfig:"RETRY_ORDER" default:"none" oneof:"none,key" desc:"key: later signals of a series wait behind the one that is being retried"`
	RetryOverrides List      `envconfig:"RETRY_OVERRIDES" desc:"tiers of single error classes, comma-separated class=tiers"`
	RetryMaxParked int       `envconfig:"RETRY_MAX_PARKED" default:"10000" min:"1" desc:"most parked records a task, which are 64 MiB together at most; then its input waits until there is room"`

	// What is remembered.
	DedupeWindow time.Duration `envconfig:"DEDUPE_WINDOW" default:"24h" min:"1m" desc:"how long a signal ID is remembered, unless PULSE_DEDUPE_MAX_IDS ends it sooner"`
	DedupeMaxIDs int           `envconfig:"DEDUPE_MAX_IDS" default:"1000000" min:"1" desc:"most remembered IDs a partition; when there are more, the oldest are forgotten"`

	// Scoring.
	Profile          string        `envconfig:"PROFILE" default:"v2" oneof:"v2,parity" desc:"scoring profile; parity scores like the old system, defects included"`
	License          bool          `envconfig:"LICENSE" default:"true" desc:"check the licence of forecasts"`
	Assets           List          `envconfig:"ASSETS" default:"nvda,msft,ibit,spy" desc:"assets of forecasts that count for movement and volatility"`
	DefaultSource    string        `envconfig:"DEFAULT_SOURCE" default:"unknown" desc:"source of signals that name none; with profile parity the default is celery, which its results have always said"`
	MaxClockSkew     time.Duration `envconfig:"MAX_CLOCK_SKEW" default:"5m" min:"0s" desc:"a signal further ahead of its record's time is bad (future_timestamp), 0s: never; profile parity takes it as fresh, as the old system did"`
	AnomalyThreshold *float64      `envconfig:"ANOMALY_THRESHOLD" derived:"the profile's" min:"0" desc:"flags a signal as an anomaly: from this anomaly_score on, 0 to 1; with profile parity above this z-value, which is more than 1"`

	// External enrichers.
	Enrichers           List   `envconfig:"ENRICHERS" secret:"true" desc:"comma-separated name=url?required=true&timeout=200ms"`
	EnricherConcurrency int    `envconfig:"ENRICHER_CONCURRENCY" default:"128" min:"1" desc:"most calls at a time"`
	EnricherTokenFile   string `envconfig:"ENRICHER_TOKEN_FILE" file:"true" desc:"file with the bearer token for enrichers"`

	// HTTP.
	HTTPAddr       string `envconfig:"HTTP_ADDR" default:":9100" desc:"address of metrics, probes and status, host:port"`
	AdminToken     Secret `envconfig:"ADMIN_TOKEN" secret:"true" desc:"bearer token that opens record contents and profiles (/debug/pprof); without one they are off"`
	AdminTokenFile string `envconfig:"ADMIN_TOKEN_FILE" file:"true" desc:"file with the admin token, in its place"`

	// Security of the connections to Kafka.
	TLS              bool   `envconfig:"TLS" default:"false" desc:"TLS to the brokers"`
	TLSCA            string `envconfig:"TLS_CA" file:"true" desc:"file with the CA certificates; empty: the system's"`
	TLSCert          string `envconfig:"TLS_CERT" file:"true" desc:"file with the client certificate"`
	TLSKey           string `envconfig:"TLS_KEY" file:"true" desc:"file with the key of the client certificate"`
	SASLMechanism    string `envconfig:"SASL_MECHANISM" oneof:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER" desc:"how to log in to the brokers; empty: not at all"`
	SASLUsername     string `envconfig:"SASL_USERNAME" desc:"user of PLAIN and SCRAM"`
	SASLPassword     Secret `envconfig:"SASL_PASSWORD" secret:"true" desc:"password of PLAIN and SCRAM"`
	SASLPasswordFile string `envconfig:"SASL_PASSWORD_FILE" file:"true" desc:"file with the password, in its place"`
	SASLTokenFile    string `envconfig:"SASL_TOKEN_FILE" file:"true" desc:"file with the OAUTHBEARER token"`

	// Logs.
	LogLevel  string `envconfig:"LOG_LEVEL" default:"info" oneof:"debug,info,warn,error" desc:"least severe level that is logged"`
	LogFormat string `envconfig:"LOG_FORMAT" default:"json" oneof:"json,text" desc:"form of log lines"`

	// given holds the variables that were set, by full name.
	given map[string]bool
	// traced is the protocol by which the OpenTelemetry variables ask for spans; unmet is
	// what they ask for that there is not.
	traced string
	unmet  *Fault
}

// Given reports whether variable (full name) was set to something.
func (c Config) Given(variable string) bool { return c.given[variable] }

// Tracing is the protocol by which the OpenTelemetry variables ask for spans
// (OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT and their kin), as
// OTEL_EXPORTER_OTLP_PROTOCOL names it: grpc or http/protobuf; empty when they do not.
func (c Config) Tracing() string { return c.traced }

package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

// TopicSettings say how missing topics are made.
type TopicSettings struct {
	// Partitions of an input topic that does not exist yet; all others
	// follow the input's.
	Partitions int
	// Replication factor, −1 for the broker's default.
	Replication int
}

// TopicState is what a topic must be, and what it is.
type TopicState struct {
	Role   string `json:"role"`
	Name   string `json:"name"`
	Exists bool   `json:"exists"`
	// Partitions it has, or will be made with.
	Partitions int `json:"partitions"`
	// Config is what it is made with when it is missing.
	Config map[string]string `json:"config,omitempty"`
	// Faults keep the service from starting, Warnings do not.
	Faults   []string `json:"faults,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// headroom is what a dead letter may be larger than its input: headers.
const headroom = 64 << 10

// deadLetterRetention is 30 days.
const deadLetterRetention = 30 * 24 * time.Hour

// stateRecordBytes is what the largest changelog record takes: a segment of
// 16,384 IDs, with room to spare.
const stateRecordBytes = 512 << 10

// defaultMaxMessageBytes is the broker's (message.max.bytes).
const defaultMaxMessageBytes = 1048588

// Admin looks at topics and creates them.
type Admin struct {
	conn     Connection
	topology Topology
	settings TopicSettings
}

// NewAdmin prepares an Admin. It does not connect.
func NewAdmin(conn Connection, topology Topology, settings TopicSettings) *Admin {
	return &Admin{conn: conn, topology: topology, settings: settings}
}

const adminTimeout = 20 * time.Second

// open connects, for one look: kafka-go answers from what it saw at first, and
// its patience with a slow answer is the time it keeps it for.
func (a *Admin) open() (client *kafka.Client, done func()) {
	t := &kafka.Transport{
		Dial: a.conn.Dial, ClientID: a.conn.ClientID, TLS: a.conn.TLS, SASL: a.conn.SASL,
		DialTimeout: dialTimeout, MetadataTTL: adminTimeout,
	}
	return &kafka.Client{Addr: kafka.TCP(a.conn.Brokers...), Transport: t, Timeout: adminTimeout}, t.CloseIdleConnections
}

// Plan compares the topics with what they must be.
func (a *Admin) Plan(ctx context.Context) ([]TopicState, error) {
	client, done := a.open()
	defer done()
	states := a.wanted()
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = s.Name
	}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, fmt.Errorf("topics: metadata: %w", err)
	}
	partitions := a.settings.Partitions
	for i := range states {
		for _, t := range meta.Topics {
			if t.Name != states[i].Name {
				continue
			}
			if t.Error != nil && !errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
				return nil, fmt.Errorf("topics: %s: %w", t.Name, t.Error)
			}
			if t.Error == nil {
				states[i].Exists, states[i].Partitions = true, len(t.Partitions)
			}
		}
		if states[i].Role == roleInput && states[i].Exists {
			partitions = states[i].Partitions
		}
	}
	configs, err := configsOf(ctx, client, states)
	if err != nil {
		return nil, err
	}
	limit := messageLimit(configs[a.topology.Input])
	for i := range states {
		s := &states[i]
		a.complete(s, partitions, limit)
		if s.Exists {
			check(s, partitions, limit, configs[s.Name])
		}
	}
	return states, nil
}

// The roles, as the command shows them.
const (
	roleInput   = "input"
	roleResults = "results"
	roleDead    = "dead letters"
	roleState   = "state"
)

func (a *Admin) wanted() []TopicState {
	return []TopicState{
		{Role: roleInput, Name: a.topology.Input},
		{Role: roleResults, Name: a.topology.Results},
		{Role: roleDead, Name: a.topology.DeadLetters},
		{Role: roleState, Name: a.topology.State},
	}
}

// complete fills in what a missing topic is made with.
func (a *Admin) complete(s *TopicState, partitions int, inputLimit int64) {
	if s.Exists {
		return
	}
	s.Partitions = partitions
	size := strconv.FormatInt(inputLimit+headroom, 10)
	switch s.Role {
	case roleInput:
	case roleResults:
		s.Config = map[string]string{"max.message.bytes": size, "message.timestamp.type": "LogAppendTime"}
	case roleDead:
		s.Config = map[string]string{
			"max.message.bytes": size, "message.timestamp.type": "LogAppendTime",
			"retention.ms": strconv.FormatInt(deadLetterRetention.Milliseconds(), 10),
		}
	case roleState:
		s.Config = map[string]string{
			"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime",
			"segment.bytes": strconv.Itoa(64 << 20), "segment.ms": strconv.FormatInt((10 * time.Minute).Milliseconds(), 10),
			"min.cleanable.dirty.ratio": "0.1",
			"delete.retention.ms":       strconv.FormatInt((24 * time.Hour).Milliseconds(), 10),
		}
	}
}

// check compares an existing topic with what it must be.
func check(s *TopicState, partitions int, inputLimit int64, config map[string]string) {
	fault := func(format string, args ...any) { s.Faults = append(s.Faults, fmt.Sprintf(format, args...)) }
	warn := func(format string, args ...any) { s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...)) }
	if s.Partitions != partitions {
		fault("has %d partitions, the input has %d: they must be equal, because partition p of all topics belongs to task p", s.Partitions, partitions)
	}
	small := messageLimit(config) < inputLimit+headroom
	switch s.Role {
	case roleResults:
		if small {
			warn("max.message.bytes is %d, under the input's %d plus %d: a result that does not fit becomes a dead letter", messageLimit(config), inputLimit, headroom)
		}
	case roleDead:
		if small {
			fault("max.message.bytes is %d: it must be at least the input's %d plus %d, or the bytes of a large bad record would be lost", messageLimit(config), inputLimit, headroom)
		}
		if ms, err := strconv.ParseInt(config["retention.ms"], 10, 64); err == nil && ms >= 0 && ms < deadLetterRetention.Milliseconds() {
			warn("retention.ms is %d, under 30 days: dead letters are deleted before anybody may have looked", ms)
		}
	case roleState:
		if messageLimit(config) < stateRecordBytes {
			fault("max.message.bytes is %d: state records need up to %d, and one that does not fit would stop its task", messageLimit(config), stateRecordBytes)
		}
		if config["cleanup.policy"] != "compact" {
			fault("cleanup.policy is %q and must be \"compact\": retention would delete remembered IDs and windows", config["cleanup.policy"])
		}
	}
}

func messageLimit(config map[string]string) int64 {
	if n, err := strconv.ParseInt(config["max.message.bytes"], 10, 64); err == nil {
		return n
	}
	return defaultMaxMessageBytes
}

// configsOf are the settings of the topics that exist.
func configsOf(ctx context.Context, client *kafka.Client, states []TopicState) (map[string]map[string]string, error) {
	req := &kafka.DescribeConfigsRequest{}
	for _, s := range states {
		if s.Exists {
			req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: s.Name,
				ConfigNames: []string{"max.message.bytes", "retention.ms", "cleanup.policy"},
			})
		}
	}
	out := make(map[string]map[string]string)
	if len(req.Resources) == 0 {
		return out, nil
	}
	res, err := client.DescribeConfigs(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("topics: describe configs: %w", err)
	}
	for _, r := range res.Resources {
		if r.Error != nil {
			return nil, fmt.Errorf("topics: describe configs of %s: %w", r.ResourceName, r.Error)
		}
		values := make(map[string]string)
		for _, e := range r.ConfigEntries {
			values[e.ConfigName] = e.ConfigValue
		}
		out[r.ResourceName] = values
	}
	return out, nil
}

// Create makes the topics that states says are missing. One that somebody else
// makes meanwhile is taken as it is.
func (a *Admin) Create(ctx context.Context, states []TopicState) error {
	req := &kafka.CreateTopicsRequest{}
	for _, s := range states {
		if s.Exists {
			continue
		}
		t := kafka.TopicConfig{Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: a.settings.Replication}
		for _, name := range slices.Sorted(maps.Keys(s.Config)) {
			t.ConfigEntries = append(t.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: s.Config[name]})
		}
		req.Topics = append(req.Topics, t)
	}
	if len(req.Topics) == 0 {
		return nil
	}
	client, done := a.open()
	defer done()
	res, err := client.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(res.Errors)) {
		if e := res.Errors[name]; e != nil && !errors.Is(e, kafka.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create topic %s: %w", name, e))
		}
	}
	return errors.Join(errs...)
}

// Faults joins everything that keeps the service from starting.
func Faults(states []TopicState) error {
	var errs []error
	for _, s := range states {
		for _, f := range s.Faults {
			errs = append(errs, fmt.Errorf("topic %s (%s): %s", s.Name, s.Role, f))
		}
	}
	return errors.Join(errs...)
}

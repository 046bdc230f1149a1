package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/pipeline"
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
	// Grow is how many partitions it needs, when it has too few and is the
	// service's own to grow; 0 when it has enough.
	Grow int `json:"grow,omitempty"`
	// delay is that of a retry tier.
	delay time.Duration
	// hidden: we may not look at it.
	hidden bool
	// kept is how long it keeps records, 0 for ever.
	kept time.Duration
	// Config is what it is made with when it is missing.
	Config map[string]string `json:"config,omitempty"`
	// Faults keep the service from starting, Warnings do not.
	Faults   []string `json:"faults,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

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
//
// It asks for our topics by name: one that we may not look at is told from one that is
// not there only then.
func (a *Admin) open() (client *kafka.Client, done func()) {
	t := &kafka.Transport{
		Dial: a.conn.Dial, ClientID: a.conn.ClientID,
		DialTimeout: dialTimeout, MetadataTTL: adminTimeout,
		MetadataTopics: slices.Concat(a.topology.names(), a.topology.models(), a.topology.surplusTiers()),
	}
	return &kafka.Client{Addr: kafka.TCP(a.conn.Brokers...), Transport: t, Timeout: adminTimeout}, t.CloseIdleConnections
}

// Plan compares the topics with what they must be.
func (a *Admin) Plan(ctx context.Context) ([]TopicState, error) {
	client, done := a.open()
	defer done()
	states := a.wanted()
	names := a.topology.surplusTiers()
	for _, s := range states {
		names = append(names, s.Name)
	}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, bare(fmt.Errorf("topics: metadata: %w", err))
	}
	partitions, err := a.found(states, meta)
	if err != nil {
		return nil, err
	}
	states = append(states, a.surplus(meta)...)
	configs, err := configsOf(ctx, client, states)
	if err != nil {
		return nil, err
	}
	limit := messageLimit(configs[a.topology.Input])
	for i := range states {
		s := &states[i]
		a.complete(s, partitions, limit)
		if s.Exists && s.Role != roleSurplus && !s.hidden {
			rules{s, a.conn.Brokers, configs[s.Name]}.check(partitions, limit)
			s.kept, _ = retention(configs[s.Name])
		}
	}
	return states, nil
}

// found notes which topics there are, and how many partitions the input has, or is to
// have.
func (a *Admin) found(states []TopicState, meta *kafka.MetadataResponse) (partitions int, err error) {
	partitions = a.settings.Partitions
	for i := range states {
		s := &states[i]
		for _, t := range meta.Topics {
			switch {
			case t.Name != s.Name || errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			case s.Role == roleModels && errors.Is(t.Error, kafka.TopicAuthorizationFailed):
				s.hide() // nothing depends on it
			case t.Error != nil:
				return 0, fmt.Errorf("topics: %s: %w", t.Name, deniedTo(s.use(), t.Name, t.Error))
			default:
				s.Exists, s.Partitions = true, len(t.Partitions)
			}
		}
		if s.Role == roleInput && s.Exists {
			partitions = s.Partitions
		}
	}
	return partitions, nil
}

// hide makes the best of a topic that we may not look at.
func (s *TopicState) hide() {
	s.Exists, s.hidden = true, true
	s.Warnings = append(s.Warnings, "the broker does not allow us to look at it: allow Describe and Write, or snapshots of models are lost")
}

// deniedTo says of a refusal which operation on which topic is not allowed.
func deniedTo(operation, topic string, err error) error {
	if errors.Is(err, kafka.TopicAuthorizationFailed) {
		return &wire.DeniedError{Operation: operation, Resource: "topic", Name: topic, Code: wire.TopicAuthorizationFailed}
	}
	return err
}

// use is what the service does with the topic. Who may do that may describe it too.
func (s *TopicState) use() string {
	if s.Role == roleResults || s.Role == roleDead || s.Role == roleModels {
		return "Write"
	}
	return "Read"
}

// surplusTiers are the names of tiers beyond those that are set.
func (t Topology) surplusTiers() []string {
	if len(t.Retry) == 0 {
		return nil
	}
	base := strings.TrimSuffix(t.Retry[0].Topic, ".1")
	var names []string
	for n := len(t.Retry) + 1; n <= pipeline.MaxTiers; n++ {
		names = append(names, fmt.Sprintf("%s.%d", base, n))
	}
	return names
}

// surplus are tiers that somebody has written with more delays than there are now.
// Nobody reads them: what waits there would be lost without a word
// (TestPlan_TiersThatNobodyReadAreAFault).
func (a *Admin) surplus(meta *kafka.MetadataResponse) []TopicState {
	var states []TopicState
	for _, name := range a.topology.surplusTiers() {
		for _, t := range meta.Topics {
			if t.Name != name || t.Error != nil {
				continue
			}
			states = append(states, TopicState{
				Role: roleSurplus, Name: name, Exists: true, Partitions: len(t.Partitions),
				Faults: []string{fmt.Sprintf("exists, and PULSE_RETRY_DELAYS has %d delays only: what waits in it would never be read; "+
					"give as many delays as there are topics until nothing waits in it, and delete the topic then", len(a.topology.Retry))},
			})
		}
	}
	return states
}

// configsOf are the settings of the topics that exist.
func configsOf(ctx context.Context, client *kafka.Client, states []TopicState) (map[string]map[string]string, error) {
	req := &kafka.DescribeConfigsRequest{}
	for _, s := range states {
		if s.Exists && !s.hidden {
			req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: s.Name,
				ConfigNames: []string{configSize, configRetention, configRetentionBytes, configCleanup, configTimestamp},
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
			return nil, fmt.Errorf("topics: describe configs of %s: %w", r.ResourceName, deniedTo("DescribeConfigs", r.ResourceName, r.Error))
		}
		values := make(map[string]string)
		for _, e := range r.ConfigEntries {
			values[e.ConfigName] = e.ConfigValue
		}
		out[r.ResourceName] = values
	}
	return out, nil
}

// Create makes the topics that states says are missing, and grows those that
// have too few partitions. What somebody else does meanwhile is taken as it is.
//
// The input comes first, and alone: all others follow its partitions. One that is there
// although states does not know it was made a moment ago, and brokers hear of a topic one
// after the other; the others must not be made for the partitions that it does not have
// (Topics_CreatedForAnInputThatIsNewToThePlan).
func (a *Admin) Create(ctx context.Context, states []TopicState) error {
	client, done := a.open()
	defer done()
	input := slices.IndexFunc(states, func(s TopicState) bool { return s.Role == roleInput })
	if input >= 0 && !states[input].Exists {
		answers, err := a.make(ctx, client, states[input:input+1])
		if err != nil {
			return err
		}
		if errors.Is(answers[states[input].Name], kafka.TopicAlreadyExists) {
			if states, err = a.planAgain(ctx); err != nil {
				return err
			}
		}
	}
	_, err := a.make(ctx, client, states)
	return errors.Join(err, grow(ctx, client, states))
}

// planAgain waits until the input is seen. Faults that come to light end it.
func (a *Admin) planAgain(ctx context.Context) ([]TopicState, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, adminTimeout, fmt.Errorf("topics: %s exists, and no broker shows it within %v", a.topology.Input, adminTimeout))
	defer cancel()
	for pauses := newBackoff(); ; pauses.wait(ctx) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		states, err := a.Plan(ctx)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(states, func(s TopicState) bool { return s.Role == roleInput && s.Exists }) {
			return states, Faults(states)
		}
	}
}

// Grow does the second half of Create only: what is missing stays so.
func (a *Admin) Grow(ctx context.Context, states []TopicState) error {
	client, done := a.open()
	defer done()
	return grow(ctx, client, states)
}

// make makes what is missing, and returns the broker's answers as well.
func (a *Admin) make(ctx context.Context, client *kafka.Client, states []TopicState) (map[string]error, error) {
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
		return nil, nil //nolint:nilnil // nothing was asked, so there are no answers
	}
	res, err := client.CreateTopics(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("create topics: %w", err)
	}
	return res.Errors, refusals("create topic", "Create", res.Errors, kafka.TopicAlreadyExists)
}

// grow adds partitions to the topics that have too few. INVALID_PARTITIONS says
// that somebody else has just done it: whoever looks next sees whether it was
// enough.
func grow(ctx context.Context, client *kafka.Client, states []TopicState) error {
	req := &kafka.CreatePartitionsRequest{}
	for _, s := range states {
		if s.Grow > 0 {
			req.Topics = append(req.Topics, kafka.TopicPartitionsConfig{Name: s.Name, Count: int32(s.Grow)})
		}
	}
	if len(req.Topics) == 0 {
		return nil
	}
	res, err := client.CreatePartitions(ctx, req)
	if err != nil {
		return fmt.Errorf("add partitions: %w", err)
	}
	return refusals("add partitions to topic", "Alter", res.Errors, kafka.InvalidPartitionNumber)
}

// refusals joins what went wrong with some topics, but for what is no fault. What is
// not allowed on several is one line: one ACL with a prefix may be all that is missing.
func refusals(doing, operation string, byTopic map[string]error, fine kafka.Error) error {
	var errs []error
	var denied []string
	for _, name := range slices.Sorted(maps.Keys(byTopic)) {
		err := byTopic[name]
		switch {
		case err == nil || errors.Is(err, fine):
		case errors.Is(err, kafka.TopicAuthorizationFailed):
			denied = append(denied, name)
		default:
			errs = append(errs, fmt.Errorf("%s %s: %w", doing, name, err))
		}
	}
	switch len(denied) {
	case 0:
	case 1:
		errs = append(errs, fmt.Errorf("%s: %w", doing, deniedTo(operation, denied[0], kafka.TopicAuthorizationFailed)))
	default:
		errs = append(errs, fmt.Errorf("%s: the same is missing for %s: %w", doing, strings.Join(denied[1:], ", "),
			deniedTo(operation, denied[0], kafka.TopicAuthorizationFailed)))
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

package config

import (
	"fmt"
	"slices"
	"strings"
)

// Topics are the names the service works with.
type Topics struct {
	Input  string `json:"input"`
	Output string `json:"output"`
	DLQ    string `json:"dlq"`
	State  string `json:"state"`
	// Retry holds the tiers, the shortest delay first.
	Retry  []string `json:"retry"`
	Models string   `json:"models"`
}

// Topics returns every topic name, the retry tiers numbered from 1.
func (c Config) Topics() Topics {
	tiers := make([]string, len(c.RetryDelays))
	for i := range tiers {
		tiers[i] = fmt.Sprintf("%s.%d", c.TopicRetry, i+1)
	}
	return Topics{
		Input: c.TopicInput, Output: c.TopicOutput, DLQ: c.TopicDLQ,
		State: c.TopicState, Retry: tiers, Models: c.TopicModels,
	}
}

// maxTopicLength is Kafka's bound for a topic name.
const maxTopicLength = 249

// illegalTopic says what is wrong with a name and what to write, empty when it
// is legal. The rule is Kafka's (org.apache.kafka.common.internals.Topic).
func illegalTopic(name string) string {
	legal := func(r rune) bool {
		return r == '.' || r == '_' || r == '-' ||
			(r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
	}
	switch {
	case name == "." || name == "..":
		return "is not a legal name; write another"
	case len(name) > maxTopicLength:
		return fmt.Sprintf("has %d characters; write at most %d", len(name), maxTopicLength)
	case strings.ContainsFunc(name, func(r rune) bool { return !legal(r) }):
		return "holds a character other than letters, digits, '.', '_' and '-'; leave it out"
	}
	return ""
}

// named is a topic and the variable that names it.
type named struct {
	variable, topic string
}

func (c Config) namedTopics() []named {
	topics := c.Topics()
	list := []named{
		{"PULSE_TOPIC_INPUT", topics.Input},
		{"PULSE_TOPIC_OUTPUT", topics.Output},
		{"PULSE_TOPIC_DLQ", topics.DLQ},
		{"PULSE_TOPIC_STATE", topics.State},
		{"PULSE_TOPIC_MODELS", topics.Models},
	}
	for _, tier := range topics.Retry {
		list = append(list, named{"PULSE_TOPIC_RETRY", tier})
	}
	return list
}

// checkTopics wants legal names that differ. Brokers refuse a topic whose name
// differs from another's in '.' and '_' only, because their metrics would
// collide.
func (c Config) checkTopics(faults *faultList) {
	list := c.namedTopics()
	collides := strings.NewReplacer("_", ".").Replace
	for i, n := range list {
		if faults.has(n.variable) {
			continue
		}
		if why := illegalTopic(n.topic); why != "" {
			faults.addf(n.variable, "topic %s%s %s", quote(n.topic), c.origin(n), why)
			continue
		}
		other := slices.IndexFunc(list[:i], func(o named) bool { return collides(o.topic) == collides(n.topic) })
		if other >= 0 {
			faults.addf(n.variable, "topic %s%s is taken by %s, or differs from it in '.' and '_' only; write another name",
				quote(n.topic), c.origin(n), list[other].variable)
		}
	}
}

// origin tells where a name comes from that nobody wrote.
func (c Config) origin(n named) string {
	if c.given[n.variable] || n.variable == "PULSE_TOPIC_INPUT" || n.variable == "PULSE_TOPIC_OUTPUT" {
		return ""
	}
	return " (from PULSE_TOPIC_INPUT and PULSE_GROUP)"
}

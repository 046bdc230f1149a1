package broker

import (
	"context"
	"fmt"
	"slices"

	"pulse-scorer/internal/broker/wire"
)

// topicIDs are the topics that a task works with. A topic that is deleted and
// made again has its name and another ID: offsets of the one mean nothing in
// the other, and what the state says holds for the one only. A zero ID is not
// known.
type topicIDs struct {
	Input       wire.TopicID `json:"in,omitzero"`
	Results     wire.TopicID `json:"out,omitzero"`
	DeadLetters wire.TopicID `json:"dlq,omitzero"`
	State       wire.TopicID `json:"state,omitzero"`
	// Retry are the tiers, the first one first.
	Retry []wire.TopicID `json:"retry,omitempty"`
}

// source is the topic that a task reads for a tier, 0 for the input.
func (ids topicIDs) source(tier int) wire.TopicID {
	switch {
	case tier == 0:
		return ids.Input
	case tier <= len(ids.Retry):
		return ids.Retry[tier-1]
	default:
		return wire.TopicID{}
	}
}

// another tells whether two IDs are known and differ.
func another(a, b wire.TopicID) bool { return a != b && a != wire.TopicID{} && b != wire.TopicID{} }

// differ tells whether any topic is known to be another one.
func (ids topicIDs) differ(now topicIDs) bool {
	return another(ids.Input, now.Input) || another(ids.Results, now.Results) ||
		another(ids.DeadLetters, now.DeadLetters) || another(ids.State, now.State) || ids.otherTiers(now)
}

func (ids topicIDs) otherTiers(now topicIDs) bool {
	for i, id := range ids.Retry {
		if i < len(now.Retry) && another(id, now.Retry[i]) {
			return true
		}
	}
	return false
}

// topicIDs are those that were last heard of.
func (c *cluster) topicIDs() topicIDs {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := topicIDs{
		Input: c.ids[c.topology.Input], Results: c.ids[c.topology.Results],
		DeadLetters: c.ids[c.topology.DeadLetters], State: c.ids[c.topology.State],
	}
	for _, tier := range c.topology.Retry {
		ids.Retry = append(ids.Retry, c.ids[tier.Topic])
	}
	return ids
}

// topicIDsNow asks for them. A topic that is missing is an error: without it
// nothing can be committed.
func (c *cluster) topicIDsNow(ctx context.Context) (topicIDs, error) {
	if err := c.lookUp(ctx); err != nil {
		return topicIDs{}, err
	}
	for _, name := range c.topology.names() {
		if _, err := c.topicID(name); err != nil {
			return topicIDs{}, err
		}
	}
	return c.topicIDs(), nil
}

func (c *cluster) topicID(topic string) (wire.TopicID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.ids[topic]
	if !ok {
		return id, fmt.Errorf("topic %s: %w", topic, wire.UnknownTopicOrPartition)
	}
	return id, nil
}

// noteTopics looks for tasks whose topics have been deleted and made again.
// They are all taken anew, on the one path that compares what the state says
// with what is there (onRestored).
func (e *Engine) noteTopics() {
	now := e.cluster.topicIDs()
	for _, t := range e.tasks {
		if t.ids.differ(now) {
			e.renewing = true
		}
	}
}

// renew takes all tasks anew. It waits until no transaction is under way: one
// that held a task would move the offset that the takeover has just read.
func (e *Engine) renew() {
	if !e.renewing || e.txn != nil || e.draining || e.current == nil {
		return
	}
	e.renewing = false
	e.log.Error("a topic was deleted and made again; taking all tasks anew")
	var again []int32 // not those that were given up and wait for a generation
	for id, t := range e.tasks {
		e.drop(t, "topics made again")
		e.tasks[id] = e.newTask(id)
		again = append(again, id)
	}
	e.health.assigned(true, e.restoring())
	slices.Sort(again)
	e.startTakeover(e.current, again)
}

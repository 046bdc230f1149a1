package broker

import (
	"context"
	"fmt"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// leader is the broker that leads a partition, as far as we know. Of a topic that we may
// not look at any more nobody tells: that is no leader that is away, to be waited for
// (TestLeader_OfATopicThatIsDenied).
func (c *cluster) leader(topic string, partition int32) (int32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if node, ok := c.leaders[topicPartition{topic, partition}]; ok {
		return node, nil
	}
	if err := c.denied[topic]; err != nil {
		return 0, fmt.Errorf("leader of %s-%d: %w", topic, partition, err)
	}
	return 0, fmt.Errorf("%s-%d: %w", topic, partition, wire.LeaderNotAvailable)
}

// noEpoch is the epoch of a leader that is not known.
const noEpoch int32 = -2

// leaderEpoch is that of a partition's leader, as far as we know.
func (c *cluster) leaderEpoch(tp topicPartition) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch, ok := c.epochs[tp]; ok {
		return epoch
	}
	return noEpoch
}

// leaderNow looks it up if need be.
func (c *cluster) leaderNow(ctx context.Context, topic string, partition int32) (int32, error) {
	if node, err := c.leader(topic, partition); err == nil {
		return node, nil
	}
	if err := c.lookUp(ctx); err != nil {
		return 0, err
	}
	return c.leader(topic, partition)
}

// reachable is nil when a partition has a leader that the client knows where to find.
// One that went away a moment ago is still a partition's leader to us, and none to the
// client, which looks at the brokers once a second.
func (c *cluster) reachable(ctx context.Context, tp topicPartition) error {
	node, err := c.leaderNow(ctx, tp.topic, tp.partition)
	if err != nil {
		return err
	}
	if view := c.view.Load(); view != nil {
		if _, there := (*view)[node]; !there {
			c.forgetLeader(tp)
			c.refresh()
			return fmt.Errorf("leader %d of %s-%d: %w", node, tp.topic, tp.partition, errUnknownBroker)
		}
	}
	return nil
}

// partitions is how many partitions a topic has now.
func (c *cluster) partitions(ctx context.Context, topic string) (int32, error) {
	if err := c.lookUp(ctx); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.counts[topic]
	if err := c.denied[topic]; err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("topic %s: %w", topic, wire.UnknownTopicOrPartition)
	}
	return n, nil
}

// known is how many partitions a topic had at the last look, 0 for a topic that
// there is not.
func (c *cluster) known(topic string) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[topic]
}

// allowed is nil unless the last look said that we may not look at a topic.
func (c *cluster) allowed(topic string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.denied[topic]
}

// dividable is how many tasks there are: partitions that every topic has. A
// partition that was added to the input and not yet to the others waits; it is
// read from its start when they have it.
func (c *cluster) dividable(ctx context.Context) (int32, error) {
	least, err := c.partitions(ctx, c.topology.Input)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.topology.names() {
		if n, ok := c.counts[name]; ok {
			least = min(least, n)
		}
	}
	return least, nil
}

// lookUp asks for the leaders of all our topics.
func (c *cluster) lookUp(ctx context.Context) error {
	var res wire.MetadataResponse
	req := &wire.MetadataRequest{Topics: c.topology.names()}
	if err := c.do(ctx, anyNode, req, &res); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.leaders)
	clear(c.epochs)
	clear(c.denied)
	for _, t := range res.Topics {
		if t.Code == wire.TopicAuthorizationFailed {
			c.denied[t.Topic] = wire.DeniedTopic(wire.Metadata, t.Code, t.Topic)
		}
		if t.Code != 0 {
			delete(c.ids, t.Topic)
			continue // it is missed when it is asked for
		}
		c.counts[t.Topic] = int32(len(t.Partitions))
		c.ids[t.Topic] = t.ID
		for _, p := range t.Partitions {
			if p.Code == 0 && p.Leader >= 0 {
				c.leaders[topicPartition{t.Topic, p.Partition}] = p.Leader
				c.epochs[topicPartition{t.Topic, p.Partition}] = p.LeaderEpoch
			}
		}
	}
	return nil
}

// forgetLeader has a partition's leader looked up before it is written to again.
func (c *cluster) forgetLeader(tp topicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.leaders, tp)
}

// refresh asks for the leaders to be looked up again, soon.
func (c *cluster) refresh() {
	select {
	case c.stale <- struct{}{}:
	default:
	}
}

// refreshInterval bounds how long a moved leader stays unnoticed that nobody
// has complained about.
const refreshInterval = 30 * time.Second

// keepFresh looks the leaders up when asked, and once in a while.
func (c *cluster) keepFresh(ctx context.Context) error {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for pause := newBackoff(); ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		case <-c.stale:
		}
		if err := c.lookUp(ctx); err != nil {
			c.refresh()
			pause.wait(ctx)
			continue
		}
		pause = newBackoff()
		pause.wait(ctx) // not more often than that
	}
}

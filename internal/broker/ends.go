package broker

import (
	"context"
	"slices"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// endTTL is how long the end of a partition, as the last fetch has told it, stands for
// the present one. A partition that has input at hand, is held or is being restored is
// not fetched from; without asking, its lag would stand still just when it grows
// (TestEnds_OfAHeldTaskGoOn).
const endTTL = time.Second

// endOfSource is what a leader has said of a partition that nothing is fetched from.
type endOfSource struct {
	task   *task
	source *source
	topic  wire.TopicID
	end    int64
}

// askEnds asks for the ends that nobody has told for a while. One question is under way
// at a time, and nothing waits for its answer.
func (e *Engine) askEnds(now time.Time) {
	if e.askingEnds || e.draining || now.Before(e.endsDue) {
		return
	}
	var old []endOfSource
	for _, t := range e.tasks {
		if t.phase == phaseClaiming {
			continue // where the group is will be known when it is claimed
		}
		for s := range t.each() {
			if now.Sub(s.told) >= endTTL {
				old = append(old, endOfSource{task: t, source: s, topic: t.ids.source(s.tier)})
			}
		}
	}
	if len(old) == 0 {
		return
	}
	e.askingEnds = true
	e.group.Go(func() error {
		known := e.cluster.ends(e.work, old, e.set.Topics)
		select {
		case e.ends <- known:
		case <-e.work.Done():
		}
		return nil
	})
}

// onEnds takes what the leaders have said. The end of a log never goes back under a
// topic's ID, and an answer may be older than that of a fetch.
func (e *Engine) onEnds(known []endOfSource) {
	e.askingEnds = false
	now := e.deps.Now()
	for _, k := range known {
		if e.tasks[k.task.id] == k.task && k.task.ids.source(k.source.tier) == k.topic {
			k.source.end, k.source.told = max(k.source.end, k.end), now
		}
	}
	// Whoever did not answer is asked again in a while, not at once.
	e.endsDue = now.Add(endTTL)
}

// ends asks each leader about its partitions in one request. What cannot be told is not
// in the answer: it is a figure for people, and nothing depends on it.
func (c *cluster) ends(ctx context.Context, of []endOfSource, topics Topology) []endOfSource {
	byLeader := make(map[int32][]endOfSource)
	for _, s := range of {
		if leader, err := c.leader(topics.source(s.source.tier), s.task.id); err == nil {
			byLeader[leader] = append(byLeader[leader], s)
		}
	}
	var known []endOfSource
	for leader, asked := range byLeader {
		req := &wire.ListOffsetsRequest{}
		for _, s := range asked {
			topic := topics.source(s.source.tier)
			i := slices.IndexFunc(req.Topics, func(t wire.ListOffsetsTopic) bool { return t.Topic == topic })
			if i < 0 {
				i = len(req.Topics)
				req.Topics = append(req.Topics, wire.ListOffsetsTopic{Topic: topic})
			}
			req.Topics[i].Partitions = append(req.Topics[i].Partitions, wire.ListOffsetsPartition{Partition: s.task.id, TimestampMs: wire.LatestOffset})
		}
		var res wire.ListOffsetsResponse
		if err := c.do(ctx, leader, req, &res); err != nil {
			continue
		}
		for _, got := range res.Offsets {
			for _, s := range asked {
				if got.Code == 0 && got.Partition == s.task.id && got.Topic == topics.source(s.source.tier) {
					s.end = got.Offset
					known = append(known, s)
				}
			}
		}
	}
	return known
}

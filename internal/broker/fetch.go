package broker

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"pulse-scorer/internal/broker/wire"
)

const (
	// fetchWait is how long a broker holds a fetch that finds nothing. A
	// partition that becomes free meanwhile waits for it at the longest.
	fetchWait = 250 * time.Millisecond
	// busyWait is the same where a partition has enough for now, and will soon want
	// more: far less than it takes to work that off.
	busyWait = 10 * time.Millisecond
	// pollBytes is asked for in one answer of a long poll, partitionBytes for each
	// partition. Less than a megabyte a partition gives partial batches, which are
	// transferred for nothing. An answer's memory is in use until the last of its
	// partitions has been worked through, so larger answers hold more than they
	// bring forward.
	pollBytes      = 4 << 20
	partitionBytes = 1 << 20
	// fetchBytes is asked for where one partition is read to its end.
	fetchBytes = 8 << 20
	// fetchTimeout is for a broker that has stopped answering.
	fetchTimeout = 10 * time.Second
	// faultPause is how long a leader is left alone after a failed fetch.
	faultPause = 200 * time.Millisecond
)

// fetcher is what the loop knows about the fetches from one leader. There is
// at most one at a time.
type fetcher struct {
	leader int32
	busy   bool
	asked  int       // bytes that the poll under way may bring
	resume time.Time // after a fault
}

// fetchPlan is one long poll over all partitions of one leader that have room.
// A task that must not go on is not in it: that is all there is to a pause.
type fetchPlan struct {
	leader     int32
	partitions []plannedPartition
	maxBytes   int32
	wait       time.Duration
}

type plannedPartition struct {
	task   *task
	source *source
	topic  wire.TopicID
	epoch  int
	offset int64
}

type fetchResult struct {
	plan  fetchPlan
	parts []fetchedPartition
	buf   *buffer // with one reference, nil after an error
	err   error
}

// fetchedPartition is one partition of an answer.
type fetchedPartition struct {
	topic     wire.TopicID
	partition int32
	code      wire.ErrorCode
	end       int64 // high watermark
	stable    int64 // last stable offset: what lies behind it cannot be fetched
	set       []byte
	aborted   []wire.AbortedTransaction
}

// planFetches starts a long poll at every leader that has none under way.
func (e *Engine) planFetches(now time.Time) {
	room := e.set.MaxInflightBytes - e.inflightBytes()
	byLeader := make(map[int32][]plannedPartition)
	for _, p := range e.fetchable(now) {
		topic := e.set.Topics.source(p.source.tier)
		leader, err := e.cluster.leader(topic, p.task.id)
		if denied(err) {
			lost := wire.DeniedTopic(wire.Fetch, wire.TopicAuthorizationFailed, topic)
			e.group.Go(func() error { return fatalf("fetch %s-%d: %w", topic, p.task.id, lost) })
			return
		}
		if err != nil {
			p.source.away = true
			e.cluster.refresh()
			continue
		}
		byLeader[leader] = append(byLeader[leader], p)
	}
	for leader, parts := range byLeader {
		f := e.fetchers[leader]
		if f == nil {
			f = &fetcher{leader: leader}
			e.fetchers[leader] = f
		}
		if f.busy || now.Before(f.resume) || room < partitionBytes {
			continue
		}
		f.busy = true
		plan := fetchPlan{leader: leader, partitions: parts, maxBytes: int32(min(room, pollBytes))}
		f.asked = int(plan.maxBytes)
		room -= f.asked
		for _, p := range parts {
			p.source.fetching = true
		}
		plan.wait = e.pollWait(leader)
		e.group.Go(func() error { return e.fetch(e.work, plan) })
	}
}

// pollWait is how long a poll that is about to begin may find nothing. Where a partition of
// the leader is not in it, because it has enough to do, it must not wait for long: a group
// with one partition that is behind, beside tiers or partitions where nothing comes, worked
// for a sixth of the time (TestPollWait_IsShortWhileAPartitionHasEnough).
func (e *Engine) pollWait(leader int32) time.Duration {
	for _, t := range e.tasks {
		if !t.ready() || t.fetching || t.queued == 0 {
			continue
		}
		if l, err := e.cluster.leader(e.set.Topics.Input, t.id); err == nil && l == leader {
			return busyWait
		}
	}
	return fetchWait
}

// fetchable are the partitions that are wanted, those of tiers before those of the
// input, each starting at another task each time: a broker fills its answer in the
// order of the request, and tiers hold little.
func (e *Engine) fetchable(now time.Time) []plannedPartition {
	var ts []*task
	for _, t := range e.tasks {
		if t.ready() && !t.full {
			ts = append(ts, t)
		}
	}
	slices.SortFunc(ts, func(a, b *task) int { return int(a.id - b.id) })
	if len(ts) > 1 {
		e.rotation = (e.rotation + 1) % len(ts)
		ts = slices.Concat(ts[e.rotation:], ts[:e.rotation])
	}
	var ps []plannedPartition
	for tier := e.set.Topics.sources() - 1; tier >= 0; tier-- {
		for _, t := range ts {
			if s := t.of(tier); s.wanted(now) && (!t.held || tier == 0) {
				ps = append(ps, plannedPartition{task: t, source: s, topic: t.ids.source(tier), epoch: s.epoch, offset: s.position})
			}
		}
	}
	return ps
}

// inflightBytes is everything that is in memory on its way.
func (e *Engine) inflightBytes() int {
	n := e.openBytes()
	for _, t := range e.tasks {
		for s := range t.each() {
			n += s.queued
		}
	}
	for _, f := range e.fetchers {
		n += f.asked
	}
	return n
}

// fetch performs one long poll and hands the answer to the loop.
func (e *Engine) fetch(ctx context.Context, plan fetchPlan) error {
	poll, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r := e.cluster.fetch(poll, plan)
	select {
	case e.fetched <- r:
		return nil
	case <-ctx.Done():
		return nil
	}
}

// onFetched queues what has come for the tasks that still want it.
// The error is one that needs a person.
func (e *Engine) onFetched(r fetchResult) error {
	f := e.fetchers[r.plan.leader]
	f.busy, f.asked = false, 0
	for _, p := range r.plan.partitions {
		p.source.fetching = false
	}
	if r.err != nil {
		for _, p := range r.plan.partitions {
			p.source.away = true
		}
		f.resume = e.deps.Now().Add(faultPause)
		e.cluster.refresh()
		e.log.Warn("fetch failed, trying again", slog.Int("broker", int(r.plan.leader)), slog.Any("err", r.err))
		return nil
	}
	defer r.buf.release()
	e.health.answered()
	for _, p := range r.plan.partitions {
		i := slices.IndexFunc(r.parts, func(fp fetchedPartition) bool { return fp.partition == p.task.id && fp.topic == p.topic })
		if i < 0 || e.tasks[p.task.id] != p.task || guardEpoch && p.source.epoch != p.epoch {
			continue // released or rewound meanwhile
		}
		if code := r.parts[i].code; final(code) {
			topic := e.set.Topics.source(p.source.tier)
			return fatalf("fetch %s-%d: %w", topic, p.task.id, wire.DeniedTopic(wire.Fetch, code, topic))
		}
		e.accept(p, r.parts[i], r.buf, f)
	}
	return nil
}

// accept takes one partition of an answer.
func (e *Engine) accept(p plannedPartition, got fetchedPartition, buf *buffer, f *fetcher) {
	t, s := p.task, p.source
	switch {
	case got.code == wire.OffsetOutOfRange:
		e.outOfRange(t, s)
		return
	case got.code != 0:
		s.away = true
		f.resume = e.deps.Now().Add(faultPause)
		e.cluster.refresh()
		e.log.Warn("partition cannot be fetched at present", slog.String("topic", e.set.Topics.source(s.tier)),
			slog.Int("partition", int(t.id)), slog.Any("err", got.code))
		return
	}
	s.end, s.stable, s.away, s.told = got.end, got.stable, false, e.deps.Now()
	next, whole, err := wholeBatches(got.set)
	if err != nil || len(whole) == 0 {
		if err != nil {
			e.log.Error("fetched records are damaged, fetching them again", slog.Int("partition", int(t.id)), slog.Any("err", err))
			f.resume = e.deps.Now().Add(faultPause)
		}
		return
	}
	buf.retain()
	s.queue = append(s.queue, &chunk{
		tier: s.tier, rest: whole, next: p.offset, bytes: len(whole), buf: buf,
		aborted: abortedTransactions{pending: got.aborted},
	})
	s.queued += len(whole)
	s.position = next
	if s.tier > 0 {
		s.due = time.Time{} // to be told by the record itself
	}
}

// outOfRange goes on at the start of the log, loudly: retention has passed the
// group's offset, or the topic was made anew. Reading too early is safe, seen
// IDs make duplicates of it; reading too late would lose records.
func (e *Engine) outOfRange(t *task, s *source) {
	e.metrics.offsetResets.Inc()
	epoch := s.epoch
	e.group.Go(func() error {
		start, err := e.cluster.logStart(e.work, e.set.Topics.source(s.tier), t.id)
		select {
		case e.resets <- offsetReset{task: t, source: s, epoch: epoch, start: start, err: err}:
		case <-e.work.Done():
		}
		return nil
	})
	s.fetching = true // until the answer is here
}

type offsetReset struct {
	task   *task
	source *source
	epoch  int
	start  int64
	err    error
}

func (e *Engine) onReset(r offsetReset) {
	t, s := r.task, r.source
	s.fetching = false
	if e.tasks[t.id] != t || s.epoch != r.epoch {
		return // released or rewound meanwhile: it is not at that offset any more
	}
	if r.err != nil {
		e.log.Warn("start of the log is not known yet", slog.Int("partition", int(t.id)), slog.Any("err", r.err))
		e.pauseFetch(t, s)
		return
	}
	topic := e.set.Topics.source(s.tier)
	e.log.Error("the group's offset is outside the log: records between it and the log's start are gone unread, if there were any",
		slog.String("topic", topic), slog.Int("partition", int(t.id)),
		slog.Int64("offset", s.position), slog.Int64("log_start", r.start))
	if r.start > s.position {
		e.skipped(topic, t.id, s.position, r.start, "retention had deleted them before they were read")
	}
	s.position, s.taken = r.start, r.start
	idle := len(s.queue) == 0 && !t.working && t.open.next.at(s.tier) < 0
	if idle && (e.txn == nil || !e.txn.holds(t)) {
		// A batch that is rolled back is asked for again: if it is gone by
		// then, that is said (TestOnReset_DoesNotPassOverWhatIsBeingCommitted).
		s.base = r.start
	}
	if idle {
		// Should nothing come any more, the offset moves all the same.
		if t.open.next == nil {
			t.open.since = e.deps.Now()
		}
		t.move(s, r.start)
	}
}

package broker

import (
	"iter"
	"slices"
	"time"
)

// noOffset stands where a topic is not among those that are meant, or has none.
const noOffset int64 = -1

// offsets are those of the topics that a task reads: the input's first, then one a
// retry tier, in order; noOffset where one is not among them.
type offsets []int64

// unmoved has none of n topics.
func unmoved(n int) offsets { return offsets(slices.Repeat([]int64{noOffset}, n)) }

// at is the offset of a tier, 0 for the input.
func (o offsets) at(tier int) int64 {
	if tier < len(o) {
		return o[tier]
	}
	return noOffset
}

// source is one of the topics that a task reads.
type source struct {
	tier int // 0 is the input
	// position is the next offset to fetch, committed the group's offset, base
	// where reading goes on when nothing more is committed: the group's offset,
	// unless that one is of no use in the log there is.
	position, committed, base int64
	// taken is where the batches that were computed end, since the last rewind.
	taken int64
	// epoch grows when positions are reset; older fetch answers are void.
	epoch    int
	fetching bool
	queue    []*chunk
	queued   int // bytes in queue
	// end is the high watermark last seen, stable the last stable offset; -1
	// when they are not known.
	end, stable int64
	// told is when the end was last told.
	told time.Time
	// away: the topic's leader cannot be reached, or there is none.
	away bool
	// due is when the next record may be processed; zero is now, or not known.
	due time.Time
}

func newSource(tier int) source { return source{tier: tier, end: -1, stable: -1} }

// each gives the task's sources, the input first.
func (t *task) each() iter.Seq[*source] {
	return func(yield func(*source) bool) {
		if !yield(&t.source) {
			return
		}
		for i := range t.tiers {
			if !yield(&t.tiers[i]) {
				return
			}
		}
	}
}

// of is the source with a tier's records, 0 for the input.
func (t *task) of(tier int) *source {
	if tier == 0 {
		return &t.source
	}
	return &t.tiers[tier-1]
}

// begin sets where a source goes on, and what the group has committed of it.
func (s *source) begin(committed, base int64) {
	s.committed, s.base = committed, base
}

// dropQueue gives fetched records back unprocessed. What a worker is reading
// stays its own until it answers.
func (s *source) dropQueue(processing *chunk) {
	for _, c := range s.queue {
		if c != processing {
			c.buf.release()
		}
	}
	s.queue, s.queued = nil, 0
	s.epoch++
}

// dropWaiting gives back the records that no worker has begun with.
func (s *source) dropWaiting(processing *chunk) {
	s.queue = slices.DeleteFunc(s.queue, func(c *chunk) bool {
		if c == processing {
			return false
		}
		s.queued -= c.bytes
		c.buf.release()
		return true
	})
	s.epoch++
}

// rewind makes the source go on at its base.
func (s *source) rewind(processing *chunk) {
	s.dropQueue(processing)
	s.position, s.taken, s.due = s.base, s.base, time.Time{}
}

// ready tells whether there is something to process now.
func (s *source) ready(now time.Time) bool { return len(s.queue) > 0 && !now.Before(s.due) }

// wanted tells whether more should be fetched. Of a tier one answer at a time, and
// not before its next record is nearly due: what waits takes no memory.
func (s *source) wanted(now time.Time) bool {
	switch {
	case s.fetching:
		return false
	case s.tier == 0:
		return s.queued < partitionBytes
	default:
		return len(s.queue) == 0 && !now.Before(s.due.Add(-fetchAhead))
	}
}

// pending tells whether there is something that could be processed.
func (s *source) pending(now time.Time) bool {
	return s.stable > s.base && !s.away && !now.Before(s.due)
}

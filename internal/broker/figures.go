package broker

import (
	"slices"
	"time"
)

// TaskStatus is one task of this process, as it was at most a tenth of a second ago.
type TaskStatus struct {
	// Partition is the number of the task, and of its partition in every topic.
	Partition int32 `json:"partition"`
	// Phase is claiming, restoring or running.
	Phase string `json:"phase"`
	// Held: it waits for a required enricher.
	Held bool `json:"held,omitempty"`
	// InputHeld: its input waits, because as many signals wait in tiers or are parked as
	// may.
	InputHeld bool `json:"input_held,omitempty"`
	// Committed is the group's offset, End the partition's as it was told last; -1
	// when they are not known.
	Committed int64 `json:"committed"`
	End       int64 `json:"end"`
	// Lag is in offsets, LagSeconds as metric pulse_consumer_lag_seconds.
	Lag        int64   `json:"lag"`
	LagSeconds float64 `json:"lag_seconds"`
	// Tiers are the retry tiers that hold something.
	Tiers []TierStatus `json:"tiers,omitempty"`
}

// TierStatus is what waits for a task in a retry tier.
type TierStatus struct {
	// Tier is its number, from 1.
	Tier int `json:"tier"`
	// Waiting counts offsets: records, and the markers between them.
	Waiting int64 `json:"waiting"`
	// NextNotBefore is when the next one is due; nil when that is not known yet.
	NextNotBefore *time.Time `json:"next_not_before,omitempty"`
}

// Throughput is what has been committed.
type Throughput struct {
	// Records are those of the input and of retry tiers, since the process began.
	Records int64 `json:"records"`
	// PerSecond is over the last ten seconds.
	PerSecond float64 `json:"records_per_second"`
}

func (p phase) String() string {
	switch p {
	case phaseClaiming:
		return "claiming"
	case phaseRestoring:
		return "restoring"
	case phaseRunning:
		return "running"
	}
	return "unknown"
}

// status describes a task.
func (t *task) status(lagSeconds float64) TaskStatus {
	s := TaskStatus{
		Partition: t.id, Phase: t.phase.String(), Held: t.held, InputHeld: t.crowded,
		Committed: noOffset, End: t.end, Lag: t.lag(), LagSeconds: lagSeconds,
	}
	if t.phase == phaseClaiming {
		s.Lag = 0
		return s
	}
	s.Committed = t.base
	for i := range t.tiers {
		tier := &t.tiers[i]
		waiting := tier.behind()
		if waiting == 0 {
			continue
		}
		w := TierStatus{Tier: tier.tier, Waiting: waiting}
		if !tier.due.IsZero() {
			due := tier.due.UTC()
			w.NextNotBefore = &due
		}
		s.Tiers = append(s.Tiers, w)
	}
	return s
}

// rateOver is what a rate is taken over.
const rateOver = 10 * time.Second

// meter counts records and knows how many there were a while ago.
type meter struct {
	total int64
	past  []reading // the oldest first; one a second
}

type reading struct {
	at    time.Time
	total int64
}

// perSecond is the rate over the last seconds.
func (m *meter) perSecond(now time.Time) float64 {
	if n := len(m.past); n == 0 || now.Sub(m.past[n-1].at) >= time.Second {
		m.past = append(m.past, reading{now, m.total})
	}
	first := 0
	for first < len(m.past)-1 && now.Sub(m.past[first+1].at) >= rateOver {
		first++
	}
	m.past = slices.Delete(m.past, 0, first)
	since := now.Sub(m.past[0].at).Seconds()
	if since <= 0 {
		return 0
	}
	return float64(m.total-m.past[0].total) / since
}

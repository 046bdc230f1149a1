package console

import "time"

// View is what the service says of itself. Who makes one gives it away.
type View struct {
	Ready, Live bool
	Uptime      time.Duration
	// Hold says why nothing goes on that is known; empty when nothing holds it.
	Hold string
	// Stalled are tasks that were given up, EnrichersDown those that are asked no more.
	Stalled       []int32
	EnrichersDown []string
	// Readiness is what /readyz looks at; Checks is the last periodic look, made at
	// CheckedAt, which is zero before the first.
	Readiness, Checks []Check
	CheckedAt         time.Time
	Restores          []Restore
	// Tasks are those of this process.
	Tasks []Task
	// Records were committed by this process, PerSecond over the last ten seconds.
	Records   int64
	PerSecond float64
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Restore is a state that is being read.
type Restore struct {
	Partition int32   `json:"partition"`
	Records   int64   `json:"records"`
	Estimated int64   `json:"estimated_records"`
	Seconds   float64 `json:"seconds"`
}

// Task is one of this process.
type Task struct {
	Partition      int32
	Phase          string
	Held           bool
	Committed, End int64
	Lag            int64
	LagSeconds     float64
	Tiers          []Tier
}

// Tier is what waits for a task in a retry tier.
type Tier struct {
	Tier    int
	Waiting int64
	// NextNotBefore is nil when it is not known yet.
	NextNotBefore *time.Time
}

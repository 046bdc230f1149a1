package pipeline

import "pulse-scorer/internal/pulse"

// OutcomeKind is what becomes of a record. The set is closed.
type OutcomeKind uint8

// The outcomes.
const (
	// OutcomeScored: a result was written.
	OutcomeScored OutcomeKind = iota
	// OutcomeDuplicate: its signal has been scored before; nothing is written.
	OutcomeDuplicate
	// OutcomeDead: a dead letter was written.
	OutcomeDead
	// OutcomeRetried: it failed and was written to a retry tier.
	OutcomeRetried
	// OutcomeParked: it waits in the state behind one of its series.
	OutcomeParked
	outcomes // how many there are
)

// String is the label of metric pulse_records_total.
func (k OutcomeKind) String() string {
	switch k {
	case OutcomeScored:
		return "scored"
	case OutcomeDuplicate:
		return "duplicate"
	case OutcomeDead:
		return "dead"
	case OutcomeRetried:
		return "retried"
	case OutcomeParked:
		return "parked"
	case outcomes:
	}
	return "unknown"
}

// Outcome is what has become of a record, and why.
type Outcome struct {
	Kind OutcomeKind
	// Stage and Bad say where and why, for OutcomeDead and OutcomeRetried.
	Stage Stage
	Bad   *pulse.Bad
}

// Stage names a step of the record path.
type Stage uint8

// The stages, in order.
const (
	StageDecode Stage = iota
	StageDedupe
	StageIngest
	StageEnrich
	StageScore
	StageEmit
	StageLearn
	stages // how many there are
)

// String is the label of the stage metrics and the value of header pulse-stage.
func (s Stage) String() string {
	switch s {
	case StageDecode:
		return "decode"
	case StageDedupe:
		return "dedupe"
	case StageIngest:
		return "ingest"
	case StageEnrich:
		return "enrich"
	case StageScore:
		return "score"
	case StageEmit:
		return "emit"
	case StageLearn:
		return "learn"
	case stages:
	}
	return "unknown"
}

package pipeline

import (
	"context"

	"pulse-scorer/internal/pulse"
)

// Externals asks external enrichers about signals. Tasks share one; it is called
// by several at a time.
type Externals interface {
	// Ask puts all inquiries of a batch to the enrichers, with bounded
	// concurrency over all tasks, and returns when each has its answer or ctx has
	// ended. It keeps nothing of them. Where an enricher turns out to be down
	// meanwhile, all that failed because of it is answered with pulse.EnricherDown,
	// also what was asked before: else the outage would cost tries, and a signal in
	// its last tier would die of it.
	Ask(ctx context.Context, batch []*Inquiry)
}

// Inquiry is one signal that the external enrichers are asked about.
type Inquiry struct {
	// Signal and Ingest are what the enrichers are told; they are only read.
	Signal *pulse.Signal
	Ingest *pulse.Ingest
	// Headers are the record's own, for traceparent.
	Headers []Header
	// Traceparent is handed on in place of the one in Headers; empty where the record
	// is not followed.
	Traceparent string
	// Attempt counts from 1.
	Attempt int

	// Answers holds what enrichers have answered, one entry an enricher. Those
	// that answered an earlier attempt are there already and are not asked again.
	// Ask adds the others, and puts all into the order of the enrichers, so that
	// a result does not depend on who was faster.
	Answers []pulse.External
	// Err says why a required enricher gave no answer (pulse.Classify); nil when
	// all have. An optional one's failure is not told here. With a systemic
	// severity (pulse.EnricherDown) the inquiry is put again later, as it is, with
	// what was said then: Ask sets it anew.
	Err error
}

package pipeline

import "pulse-scorer/internal/pulse"

// Tracer follows single records for distributed tracing. Tasks share one; it is called
// by several at a time. Where there is none nothing is asked, and nothing allocated
// (TestProcess_AllocatesNextToNothingForRawSignals).
type Tracer interface {
	// Follow begins to follow a record; nil is for one that is not followed. What in
	// holds is valid until it returns.
	Follow(in *Record) Followed
}

// Followed is a record that is followed. One whose batch is taken back is forgotten
// without a word: it comes again, and is followed then.
type Followed interface {
	// Traceparent is handed on to external enrichers in place of the record's own
	// (W3C Trace Context, section 3.2).
	Traceparent() string
	// Decided says what has become of the record; id is its signal's, empty where
	// that is not known, attempt counts from 1.
	Decided(o Outcome, class pulse.Class, id string, attempt int)
	// Committed says that what has become of it is visible.
	Committed()
}

// follow begins to follow a record, if anybody wants that.
func (t *Task) follow(p *passage) {
	if t.tracer == nil {
		return
	}
	if p.followed = t.tracer.Follow(p.in); p.followed != nil {
		p.inquiry.Traceparent = p.followed.Traceparent()
	}
}

// decided tells who follows a record, and waits for its batch to commit.
func (t *Task) decided(p *passage, o Outcome) {
	if p.followed == nil {
		return
	}
	var class pulse.Class
	switch o.Kind {
	case OutcomeDead, OutcomeRetried:
		class = o.Bad.Class
	case OutcomeScored, OutcomeDuplicate, OutcomeParked, outcomes:
	}
	id := ""
	if p.stage > StageDecode {
		id = p.signal.ID
	}
	p.followed.Decided(o, class, id, p.deliveries)
	t.open.followed = append(t.open.followed, p.followed)
	p.followed = nil
}

package pipeline

import (
	"fmt"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// Process takes one record through all stages and writes what comes of it. With
// external enrichers it takes the record as far as them, and Finish does the
// rest for many at a time.
func (t *Task) Process(in *Record, out Sink) Answer {
	if in.Tier == 0 && t.crowded() {
		t.sayBound()
		return HoldInput
	}
	if t.externals != nil {
		return t.collect(in, out)
	}
	p := &t.own
	p.begin(in)
	t.follow(p)
	t.clock.start(in.Offset)
	o, over := t.admit(p)
	if !over {
		o = t.complete(p)
	}
	t.settle(p, o, out)
	return Taken
}

// admit takes a record as far as it changes the memory of its series: it is
// known, and ingested, or its outcome is decided (over). A panic in a stage
// decides, too.
func (t *Task) admit(p *passage) (o Outcome, over bool) {
	t.state.MarkAt(&p.mark)
	defer func() {
		if cause := recover(); cause != nil {
			o, over = dead(p.stage, panicked(cause)), true
			t.state.Undo(p.mark)
		}
	}()
	bad := t.decode(p)
	if bad == nil {
		bad = t.validate(p)
	}
	if bad != nil {
		return dead(p.stage, bad), true
	}
	verdict := t.dedupe(p)
	switch verdict {
	case state.Duplicate:
		if guardDedupe {
			return Outcome{Kind: OutcomeDuplicate}, true
		}
	case state.Conflict:
		return dead(p.stage, conflict()), true
	case state.Waiting:
		if !p.again() {
			return Outcome{Kind: OutcomeDuplicate}, true
		}
	case state.Unseen, state.Died:
	}
	switch found := p.progress.Ingest; {
	case found == nil:
		p.score.Ingest = t.ingest(p, verdict == state.Unseen)
	case found.AnomalyScore.Valid != t.streaming():
		// A profile of the other kind has found it, and left out what this one scores
		// by (TestRetry_WhatAnotherProfileHasFoundIsFoundAgain).
		p.score.Ingest = t.ingest(p, false)
	default:
		p.score.Ingest = *found
		p.features, p.told = featuresOf(&p.progress)
	}
	p.ingested = true
	if t.mustWait(p) {
		return Outcome{Kind: OutcomeParked}, true
	}
	return Outcome{}, false
}

// complete takes a record that was admitted through the other stages. What ingest
// has changed stays if one of them fails: the signal is part of its series
// (TestPath_APanicKeepsWhatWasIngested).
func (t *Task) complete(p *passage) (o Outcome) {
	t.state.MarkAt(&p.mark)
	defer func() {
		if cause := recover(); cause != nil {
			o = dead(p.stage, panicked(cause))
			t.state.Undo(p.mark)
		}
	}()
	if t.mustWait(p) { // behind one that was admitted just before it
		return Outcome{Kind: OutcomeParked}
	}
	if p.failed != nil {
		return dead(p.stage, p.failed)
	}
	t.score(p)
	t.state.Remember(p.id, state.Scored)
	return Outcome{Kind: OutcomeScored}
}

// score takes a record through the stages that make its result.
func (t *Task) score(p *passage) {
	t.predict(p)
	enrichment, err := t.enrich(p)
	t.combine(p, enrichment, err)
	t.emit(p)
}

// settle writes what has become of a record, and counts it. Only then its score is
// learned from: what is learned is no part of what it was scored with, and whatever
// becomes of that, the result stays.
func (t *Task) settle(p *passage, o Outcome, out Sink) {
	if o.Kind == OutcomeDead {
		o = t.fail(p, o)
	}
	if !p.waited {
		t.state.CountIn()
	}
	if o.Kind == OutcomeDead && !p.ingested && !p.again() {
		t.blame(&p.signal)
	}
	if p.isNew && p.ingested {
		t.open.ingested(p.signal.Source)
	}
	switch o.Kind {
	case OutcomeScored:
		out.Append(Results, p.in.Key, t.encoded, nil)
		t.state.CountScored()
		t.open.scored(p)
		t.open.sight.scored(p, t.encoded)
	case OutcomeDuplicate:
		t.state.CountDuplicate()
		t.open.outcomes[OutcomeDuplicate]++
	case OutcomeDead:
		t.letters.dead(p, o, out)
		class := p.fate.class(o.Bad)
		t.state.CountDead(class)
		t.open.dead(o, class)
		t.open.sight.dead(p, o, class)
	case OutcomeRetried:
		t.letters.retry(p, o, out)
		t.open.retried(o)
	case OutcomeParked:
		t.park(p)
		t.open.outcomes[OutcomeParked]++
	case outcomes:
	}
	t.decided(p, o)
	t.clock.lap(StageEmit)
	t.learn(p, o)
}

// decode reads what the record brings along from earlier tries, and turns its
// bytes into a signal.
func (t *Task) decode(p *passage) *pulse.Bad {
	defer t.clock.lap(StageDecode)
	if p.in.Tier > 0 {
		if bad := p.readTrail(); bad != nil {
			return bad
		}
	}
	if bad := t.refuse(p.in); bad != nil {
		return bad
	}
	if d := t.decodedAhead(p.in); d != nil {
		return t.take(p, d)
	}
	return t.decoder.Decode(p.in.Value, p.in.Headers, p.recordMs, &p.signal)
}

// refuse rejects what must not even be decoded.
func (t *Task) refuse(in *Record) *pulse.Bad {
	size, limit := int64(len(in.Value)), int64(t.settings.MaxRecordBytes)
	if in.Withheld != nil {
		size = in.Withheld.Size
	}
	var message string
	switch {
	case size > limit:
		message = fmt.Sprintf("value of %d bytes is over the limit of %d (PULSE_MAX_RECORD_BYTES)", size, limit)
	case in.Withheld != nil:
		message = fmt.Sprintf("with %d bytes of value, key or headers the record is too large to be held, "+
			"or for the dead-letter topic's max.message.bytes", size)
	case in.ResultRefused:
		return resultRefused()
	default:
		return nil
	}
	return &pulse.Bad{Class: pulse.TooLarge, Message: message}
}

func resultRefused() *pulse.Bad {
	return &pulse.Bad{
		Class:   pulse.TooLarge,
		Message: "the result is larger than the output topic's max.message.bytes: raise it, or shorten source, trace_id or the answers of external enrichers",
	}
}

// dedupe asks whether the signal has been here before.
func (t *Task) dedupe(p *passage) (v state.Verdict) {
	p.stage = StageDedupe
	defer t.clock.lap(StageDedupe)
	if !p.identified {
		p.id = t.identify(&p.signal)
	}
	v = t.state.Verdict(p.id)
	p.waited = v == state.Waiting && p.again()
	return v
}

func (t *Task) identify(sig *pulse.Signal) state.ID {
	t.scratch = codec.AppendIdentity(t.scratch[:0], sig)
	identity := len(t.scratch)
	t.scratch = codec.AppendContent(t.scratch, sig)
	return t.state.Identify(t.scratch[:identity], t.scratch[identity:])
}

// validate refuses what was decoded and cannot be scored.
func (t *Task) validate(p *passage) *pulse.Bad {
	p.stage = StageIngest
	bad := keyable(&p.signal)
	if bad == nil {
		bad = t.profile.Admit(&p.signal, p.recordMs*microsPerMilli)
	}
	if bad != nil {
		bad.Field = t.decoder.Place(bad.Field)
	}
	return bad
}

// longestSource is how many bytes a source may have that a series is remembered by: it
// is part of keys in the changelog, whose records have to fit into its topic. One that
// does not stops the task for good, and the next one that takes it
// (TestPath_ASourceTooLongForTheStateIsADeadLetter).
const longestSource = 64 << 10

func keyable(sig *pulse.Signal) *pulse.Bad {
	if len(sig.Source) <= longestSource {
		return nil
	}
	return &pulse.Bad{
		Class: pulse.InvalidField, Field: "source",
		Message: fmt.Sprintf("must have at most %d bytes, has %d", longestSource, len(sig.Source)),
	}
}

// ingest is what every signal goes through: recency, anomaly, tag, trust index.
// One that was ingested before is in its series already (first is false).
func (t *Task) ingest(p *passage, first bool) pulse.Ingest {
	p.stage = StageIngest
	defer t.clock.lap(StageIngest)
	p.isNew = first
	return t.profile.Ingest(&p.signal, p.recordMs*microsPerMilli, t.observe(p, first))
}

const microsPerMilli = 1000

// enrich scores the forecast that a signal carries, and remembers it for the
// next one of its stream.
func (t *Task) enrich(p *passage) (*pulse.Enrichment, error) {
	p.stage = StageEnrich
	if p.signal.Kind != pulse.Forecasted {
		return nil, nil //nolint:nilnil // a raw signal has nothing to enrich, and that is no error
	}
	defer t.clock.lap(StageEnrich)
	memory := t.state.Memory(p.signal.Source, p.signal.Name)
	ctx := scoring.ContextOf(p.signal.Context, memory, t.settings.License)
	ctx.SignalTag = p.score.Ingest.SignalTag
	if t.streaming() {
		ctx.ModelError = pulse.Some(t.trust(p).Error)
	}
	enrichment, err := t.profile.Enrich(p.signal.Record, ctx)
	if err != nil {
		return nil, err
	}
	entry := t.profile.MemoryEntry(p.signal.Record, enrichment)
	p.unremembered = !t.state.Learn(p.signal.Source, p.signal.Name, entry)
	return enrichment, nil
}

// combine makes the score of what the stages found.
func (t *Task) combine(p *passage, enrichment *pulse.Enrichment, err error) {
	p.stage = StageScore
	defer t.clock.lap(StageScore)
	p.score = t.profile.Combine(p.score.Ingest, p.signal.Kind, enrichment, err)
	p.score.External = p.inquiry.Answers
	p.score.Model = t.modelOf(p)
}

// emit encodes what was found; the bytes are valid until the next record.
func (t *Task) emit(p *passage) {
	p.stage = StageEmit
	m := &t.meta
	m.Topic, m.Partition, m.Offset, m.TimestampMs, m.Attempts = p.topic, p.partition, p.offset, p.recordMs, p.deliveries
	t.encoded = codec.AppendResult(t.encoded[:0], &p.signal, &p.score, m)
}

func dead(s Stage, bad *pulse.Bad) Outcome {
	return Outcome{Kind: OutcomeDead, Stage: s, Bad: bad}
}

func conflict() *pulse.Bad {
	return &pulse.Bad{
		Class: pulse.IDConflict, Field: "id",
		Message: "the same source and id came before with other content (name, value, timestamp or forecast)",
	}
}

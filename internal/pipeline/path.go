package pipeline

import (
	"context"
	"fmt"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// Finish ends what was taken since the last call: all of it has its outcome when
// the answer is Taken.
func (t *Task) Finish(context.Context, Sink) Answer { return Taken }

// Process takes one record through all stages and writes what comes of it.
func (t *Task) Process(in *Record, out Sink) Answer {
	t.state.CountIn()
	t.clock.start(in.Offset)
	switch o := t.evaluate(in); o.Kind {
	case OutcomeScored:
		out.Append(Results, in.Key, t.encoded, nil)
		t.state.CountScored()
		t.open.scored(in, &t.signal, &t.score, t.unlearned)
	case OutcomeDuplicate:
		t.state.CountDuplicate()
		t.open.outcomes[OutcomeDuplicate]++
	case OutcomeDead:
		t.letters.append(in, o, out)
		t.state.CountDead(o.Bad.Class)
		t.open.dead(o)
	case outcomes:
	}
	t.clock.lap(StageEmit)
	return Taken
}

// evaluate decides the outcome of a record. A panic in a stage is one too.
func (t *Task) evaluate(in *Record) (o Outcome) {
	t.begin()
	defer func() {
		if cause := recover(); cause != nil {
			o = dead(t.stage, panicked(cause))
			t.takeBack()
		}
	}()
	if bad := t.decode(in); bad != nil {
		return dead(t.stage, bad)
	}
	id, verdict := t.dedupe()
	switch verdict {
	case state.Duplicate:
		if guardDedupe {
			return Outcome{Kind: OutcomeDuplicate}
		}
	case state.Conflict:
		return dead(t.stage, conflict())
	case state.Unseen, state.Died:
	}
	t.score.Ingest = t.ingest(in, verdict == state.Unseen)
	t.keepIngest(id, verdict == state.Unseen)
	enrichment, err := t.enrich()
	t.combine(enrichment, err)
	t.emit(in)
	t.state.Remember(id, state.Scored)
	return Outcome{Kind: OutcomeScored}
}

// attempt says what of a record's changes stays when a stage fails.
type attempt struct {
	// mark is where to go back to.
	mark state.Mark
	// ingested is true once mark lies behind the ingest of id.
	ingested bool
	id       state.ID
}

func (t *Task) begin() {
	t.stage, t.unlearned = StageDecode, false
	t.attempt = attempt{mark: t.state.Mark()}
}

// keepIngest makes ingest's changes stay whatever happens to the later stages:
// the signal is part of its series from here on. first tells signals that are
// ingested for the first time.
func (t *Task) keepIngest(id state.ID, first bool) {
	t.attempt = attempt{mark: t.state.Mark(), ingested: true, id: id}
	if first {
		t.open.ingested(t.signal.Source)
	}
}

// takeBack undoes what a failed stage has changed. A signal that was ingested
// is remembered as dead, so that it can be scored when it comes again without
// being ingested again (TestPath_APanicKeepsWhatWasIngested).
func (t *Task) takeBack() {
	t.state.Undo(t.attempt.mark)
	if t.attempt.ingested {
		t.state.Remember(t.attempt.id, state.Dead)
	}
}

// decode turns the record's bytes into t.signal.
func (t *Task) decode(in *Record) *pulse.Bad {
	defer t.clock.lap(StageDecode)
	if bad := t.refuse(in); bad != nil {
		return bad
	}
	return t.decoder.Decode(in.Value, in.Headers, in.TimestampMs, &t.signal)
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
		message = "the result is larger than the output topic's max.message.bytes: raise it, or shorten source and trace_id"
	default:
		return nil
	}
	return &pulse.Bad{Class: pulse.TooLarge, Message: message}
}

// dedupe asks whether the signal has been here before.
func (t *Task) dedupe() (state.ID, state.Verdict) {
	t.stage = StageDedupe
	defer t.clock.lap(StageDedupe)
	t.scratch = codec.AppendIdentity(t.scratch[:0], &t.signal)
	identity := len(t.scratch)
	t.scratch = codec.AppendContent(t.scratch, &t.signal)
	return t.state.Look(t.scratch[:identity], t.scratch[identity:])
}

// ingest is what every signal goes through: recency, anomaly, tag, trust index.
// One that died after its ingest is in its series already (first is false).
func (t *Task) ingest(in *Record, first bool) pulse.Ingest {
	t.stage = StageIngest
	defer t.clock.lap(StageIngest)
	var window []float64
	if first {
		window = t.state.Observe(t.signal.Source, t.signal.Name, t.signal.Value)
	} else {
		window = t.state.Window(t.signal.Source, t.signal.Name)
	}
	return t.profile.Ingest(&t.signal, in.TimestampMs*microsPerMilli, window)
}

const microsPerMilli = 1000

// enrich scores the forecast that a signal carries, and remembers it for the
// next one of its stream.
func (t *Task) enrich() (*pulse.Enrichment, error) {
	t.stage = StageEnrich
	if t.signal.Kind != pulse.Forecasted {
		return nil, nil //nolint:nilnil // a raw signal has nothing to enrich, and that is no error
	}
	defer t.clock.lap(StageEnrich)
	memory := t.state.Memory(t.signal.Source, t.signal.Name)
	ctx := scoring.ContextOf(t.signal.Context, memory, t.settings.License)
	enrichment, err := t.profile.Enrich(t.signal.Record, ctx)
	if err != nil {
		return nil, err
	}
	entry := t.profile.MemoryEntry(t.signal.Record, enrichment)
	t.unlearned = !t.state.Learn(t.signal.Source, t.signal.Name, entry)
	return enrichment, nil
}

// combine makes the score of what the stages found.
func (t *Task) combine(enrichment *pulse.Enrichment, err error) {
	t.stage = StageScore
	defer t.clock.lap(StageScore)
	t.score = t.profile.Combine(t.score.Ingest, t.signal.Kind, enrichment, err)
}

// emit encodes what was found; the bytes are valid until the next record.
func (t *Task) emit(in *Record) {
	t.stage = StageEmit
	t.meta.Topic, t.meta.Partition, t.meta.Offset, t.meta.TimestampMs = in.Topic, in.Partition, in.Offset, in.TimestampMs
	t.encoded = codec.AppendResult(t.encoded[:0], &t.signal, &t.score, &t.meta)
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

package pipeline

import (
	"fmt"
	"time"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/retry"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// Fate is what is known to have become of an input record.
type Fate uint8

// The fates, as bits.
const (
	// FateScored: it has a result.
	FateScored Fate = 1 << iota
	// FateDead: it has a dead letter.
	FateDead
	// FateIngested: that says that it had become part of its series before.
	FateIngested
	// FateUnread: that says that it was not even decoded, for its size or that of its
	// result.
	FateUnread
)

// FateOf is what a dead letter says about its record.
func FateOf(l *Letter) Fate {
	if p, err := codec.ReadProgress([]byte(l.Progress)); err == nil && p.Ingest != nil {
		return FateDead | FateIngested
	}
	if l.Class == string(pulse.TooLarge) {
		return FateDead | FateUnread
	}
	return FateDead
}

// Replayer scores the input of one task again, to compare with the results there
// are. Records are ingested in the order of the input and scored in the order of
// their results, as the service did; one may run ahead of the other, because what
// ingest reads and what scores teach are apart (TestReplayer_FindsWhatTheServiceDid).
//
// What became of a record is not decided again: that depended on enrichers, on
// when IDs were forgotten and on what people did. It is not for concurrent use.
type Replayer struct {
	task *Task
	// ingested are the IDs of what was ingested; true when it has a result.
	ingested map[state.ID]bool
	waiting  map[int64]*passage
	unsealed int
}

// NewReplayer returns a Replayer with empty state.
func NewReplayer(s Settings, p *scoring.Profile) (*Replayer, error) {
	s.Retry = retry.Settings{} // nothing waits here
	t, err := New(s, Deps{Profile: p, Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		return nil, err
	}
	return &Replayer{task: t, ingested: make(map[state.ID]bool), waiting: make(map[int64]*passage)}, nil
}

// Ingest takes the next record of the input. One that has a result waits for Score.
func (r *Replayer) Ingest(in *Record, fate Fate) {
	p := new(passage)
	p.begin(in)
	if fate&FateScored != 0 {
		p.begin(kept(in))
	}
	if r.admit(p, fate) && fate&FateScored != 0 {
		r.waiting[in.Offset] = p
	}
	r.relieve()
}

// admit does what the record path's admit does, without its decisions.
func (r *Replayer) admit(p *passage, fate Fate) (ingested bool) {
	if fate&FateUnread != 0 && fate&(FateScored|FateIngested) == 0 {
		return false
	}
	t := r.task
	t.state.MarkAt(&p.mark)
	defer func() {
		if cause := recover(); cause != nil {
			ingested = false
			t.state.Undo(p.mark)
			t.blame(&p.signal)
		}
	}()
	bad := t.decode(p)
	if bad == nil {
		bad = t.validate(p)
	}
	if bad != nil {
		t.blame(&p.signal)
		return false
	}
	first, ok := r.first(p, fate)
	if !ok {
		if fate&FateDead != 0 {
			t.blame(&p.signal) // a conflict, or a panic of that time
		}
		return false
	}
	p.score.Ingest = t.ingest(p, first)
	return true
}

// first tells whether the record was ingested at all, and whether for the first
// time. One with an ID that was ingested before is a duplicate, unless it has a
// result: then what came before was dead by then, or, if it has a result as well,
// forgotten.
func (r *Replayer) first(p *passage, fate Fate) (first, ingested bool) {
	if fate&FateDead != 0 && fate&(FateScored|FateIngested) == 0 {
		return false, false
	}
	t := r.task
	t.scratch = codec.AppendIdentity(t.scratch[:0], &p.signal)
	id, _ := t.state.Look(t.scratch, nil)
	scored, again := r.ingested[id]
	if again && fate == 0 {
		return false, false
	}
	r.ingested[id] = scored || fate&FateScored != 0
	return !again || scored, true
}

// Score appends the result of an ingested record, as if it had taken so many tries.
// An error says why there is none.
func (r *Replayer) Score(dst []byte, offset int64, attempts int) (out []byte, err error) {
	p, ok := r.waiting[offset]
	if !ok {
		return dst, fmt.Errorf("the input record at offset %d cannot be scored, is a duplicate, or was deleted", offset)
	}
	delete(r.waiting, offset)
	t := r.task
	t.state.MarkAt(&p.mark)
	defer func() {
		if cause := recover(); cause != nil {
			out, err = dst, panicked(cause)
			t.state.Undo(p.mark)
		}
	}()
	p.deliveries = attempts
	t.score(p)
	t.learn(p, Outcome{Kind: OutcomeScored})
	r.relieve()
	return append(dst, t.encoded...), nil
}

// relieve forgets how to take back what has been done: nobody will.
func (r *Replayer) relieve() {
	const often = 1000
	if r.unsealed++; r.unsealed%often == 0 {
		r.task.forget()
	}
}

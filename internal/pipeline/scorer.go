package pipeline

import (
	"time"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/scoring"
)

// Scorer scores signals one after the other, as one task would, without Kafka:
// no deduplication, no batches. It is not for concurrent use.
type Scorer struct {
	task *Task
	// next is the offset of the next line, counted from 0.
	next int64
}

// NewScorer returns a Scorer. wall gives the record time of signals that have
// no timestamp of their own.
func NewScorer(s Settings, p *scoring.Profile, wall func() time.Time) (*Scorer, error) {
	t, err := New(s, Deps{Profile: p, Now: wall})
	if err != nil {
		return nil, err
	}
	return &Scorer{task: t}, nil
}

// AppendResult appends the result of one signal to dst, or says why the signal
// is bad. now is its record time; the zero time stands for the signal's own
// timestamp. Lines count as offsets, from 0.
func (s *Scorer) AppendResult(dst, line []byte, now time.Time) (out []byte, bad *pulse.Bad) {
	t, p := s.task, &s.task.own
	in := &Record{Offset: s.next, TimestampMs: now.UnixMilli(), Value: line}
	s.next++
	own := now.IsZero()
	if own {
		in.TimestampMs = t.clock.now().UnixMilli()
	}
	// Nobody will take this back later: the undo log would only grow.
	defer t.forget()
	p.begin(in)
	t.state.MarkAt(&p.mark)
	defer func() {
		if cause := recover(); cause != nil {
			out, bad = dst, panicked(cause)
			t.state.Undo(p.mark)
		}
	}()
	if bad := t.read(p, own); bad != nil {
		t.blame(&p.signal)
		return dst, bad
	}
	p.score.Ingest = t.ingest(p, true)
	t.state.MarkAt(&p.mark)
	t.score(p)
	t.learn(p, Outcome{Kind: OutcomeScored})
	return append(dst, t.encoded...), nil
}

// read decodes a line and validates it.
func (t *Task) read(p *passage, own bool) *pulse.Bad {
	if bad := t.decode(p); bad != nil {
		return bad
	}
	if own {
		p.recordMs = floorMilli(p.signal.Timestamp.Micros)
	}
	return t.validate(p)
}

// forget commits what the last record has changed in the state.
func (t *Task) forget() {
	t.state.Seal(0, func(_, _ []byte) {})
	t.state.Commit()
	t.open.reset()
}

// Skip counts a line that is not scored.
func (s *Scorer) Skip() { s.next++ }

func floorMilli(micros int64) int64 {
	ms := micros / microsPerMilli
	if micros%microsPerMilli < 0 {
		ms--
	}
	return ms
}

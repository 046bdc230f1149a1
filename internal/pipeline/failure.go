package pipeline

import (
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/retry"
	"pulse-scorer/internal/series"
	"pulse-scorer/internal/state"
)

// fail decides what becomes of a record that a stage has failed with: another
// try later or a dead letter. Only what was ingested is tried again: before that
// nothing fails that could succeed.
func (t *Task) fail(p *passage, o Outcome) Outcome {
	p.fate = fate{nowMs: t.clock.now().UnixMilli()}
	if !p.ingested {
		t.endUnread(p)
		if p.progress.Ingest != nil {
			p.fate.progress, _ = codec.AppendProgress(nil, &p.progress)
		}
		return o
	}
	next := t.next(p, o)
	p.fate.progress = t.progress(p)
	if next.Tier == 0 {
		t.state.Remember(p.id, state.Dead)
		p.fate.exhausted = next.Exhausted
		return o
	}
	t.state.SetNotBefore(next.Tier, next.NotBeforeMs)
	if t.settings.Retry.ByKey {
		t.state.AwaitInFront(p.id, p.signal.Source, p.signal.Name)
	} else {
		t.state.Await(p.id)
	}
	o.Kind, p.fate.tier, p.fate.notBeforeMs = OutcomeRetried, next.Tier, next.NotBeforeMs
	return o
}

// next is where a failed record goes. One that no tier takes is over, and so is one
// whose value cannot be passed on.
func (t *Task) next(p *passage, o Outcome) retry.Next {
	random := 0.0
	if t.random != nil {
		random = t.random()
	}
	next := t.settings.Retry.Next(retry.Failure{
		Class: o.Bad.Class, Tier: p.in.Tier, RetryAfter: o.Bad.RetryAfter, NowMs: p.fate.nowMs, Random: random,
	}, t.state.NotBefore())
	if (p.in.RetryRefused || p.in.Withheld != nil) && next.Tier > 0 {
		next = retry.Next{Exhausted: true}
	}
	return next
}

// endUnread ends the wait of a record that came again and got not even as far as
// before: its limit is lower now, say. If it cannot be decoded, its ID is known
// from what it brought.
func (t *Task) endUnread(p *passage) {
	if p.waited {
		t.state.Remember(p.id, state.Dead)
		return
	}
	if id, ok := t.state.Waits(p.progress.Token); ok && p.again() {
		t.state.Remember(id, state.Dead)
		p.waited = true
	}
}

// maxProgressBytes is the size of a progress that external answers still have
// room in; larger ones are asked for again.
const maxProgressBytes = 2 << 10

// progress is what the next try goes on from.
func (t *Task) progress(p *passage) []byte {
	found := codec.Progress{
		Token: p.id.Token(), Ingest: &p.score.Ingest, External: p.inquiry.Answers,
		// Those of another release go along: its own next try still learns from them.
		Features: p.progress.Features, FeatureVersion: p.progress.FeatureVersion,
	}
	if p.told {
		found.Features, found.FeatureVersion = p.features[:], series.FeatureVersion
	}
	text, err := codec.AppendProgress(nil, &found)
	if err != nil || len(text) > maxProgressBytes {
		found.External = nil
		text, err = codec.AppendProgress(nil, &found)
	}
	if err != nil {
		return nil // an ingest whose numbers JSON cannot write, which there is not
	}
	return text
}

// fate is what was decided about a record that has failed.
type fate struct {
	nowMs int64
	// exhausted: it died because no tiers are left.
	exhausted bool
	// tier is the one it is tried again in, notBeforeMs when.
	tier        int
	notBeforeMs int64
	// progress is what its stages have found; nil when it was not ingested.
	progress []byte
}

// class is the one a dead letter and the ledger have.
func (f *fate) class(bad *pulse.Bad) pulse.Class {
	if f.exhausted {
		return pulse.RetriesExhausted
	}
	return bad.Class
}

package pipeline

import (
	"cmp"
	"context"
	"slices"
	"time"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/state"
)

const (
	// maxBatch is how many records wait for external enrichers at most: enough to
	// keep 128 calls under way. firstBatch is how many at first.
	maxBatch, firstBatch = 512, 16
	// moreHeld is how many more are taken while the batch is held: enough to find out
	// whether an enricher answers about others.
	moreHeld = 64
	// maxBatchBytes is how much they hold at most, but for the last.
	maxBatchBytes = 4 << 20
	// A batch that takes longer than longBatch makes the next one smaller, one that
	// takes less than shortBatch larger: what has its outcome is not to wait long for
	// the rest, and a task that is busy for PULSE_STALL_TIMEOUT is given up, however
	// slow its enrichers are and however many tasks share their places
	// (TestFinish_SlowEnrichersMakeSmallBatches).
	shortBatch, longBatch = 250 * time.Millisecond, time.Second
	// longRelease is how long Finish goes on with what was parked before it says that it
	// is not over: thousands may be parked behind one signal, and a task that is busy for
	// PULSE_STALL_TIMEOUT is given up, to begin again with the same ones
	// (TestOrder_ALongReleaseIsToldAsAHold).
	longRelease = 5 * time.Second
)

// collect admits a record and keeps it for Finish. Its ID is pending meanwhile,
// so that a duplicate is recognised; one that waited already stays as it is, and
// its series behind it.
func (t *Task) collect(in *Record, out Sink) Answer {
	p := new(passage)
	p.begin(kept(in))
	t.follow(p)
	t.clock.start(in.Offset)
	if o, over := t.admit(p); over {
		t.settle(p, o, out)
	} else {
		if !p.waited {
			t.state.Await(p.id)
		}
		t.keep(p)
	}
	limit := t.batch
	if t.held {
		limit += moreHeld
	}
	if len(t.waiting) >= limit || t.waitingBytes >= maxBatchBytes || len(t.waiting) > 0 && t.crowded() {
		return Full
	}
	return Taken
}

// keep makes a record wait for the enrichers.
func (t *Task) keep(p *passage) {
	t.waiting = append(t.waiting, p)
	t.waitingBytes += len(p.in.Value) + sizeOf(p.in)
	p.inquiry.Signal, p.inquiry.Ingest, p.inquiry.Headers, p.inquiry.Attempt = &p.signal, &p.score.Ingest, p.in.Headers, p.deliveries
}

// Finish ends what was taken since the last call, and what was parked behind it:
// all of it has its outcome when the answer is Taken. Outcomes are decided in the
// order in which records were taken, however long each of them waited.
func (t *Task) Finish(ctx context.Context, out Sink) Answer {
	for began := t.clock.now(); ; {
		if t.held = !t.ask(ctx); t.held {
			return HoldAll
		}
		for _, p := range t.waiting {
			t.finish(p, out)
		}
		t.drop()
		if !t.release() {
			return Taken
		}
		if t.clock.now().Sub(began) > longRelease {
			t.held = true
			return HoldAll
		}
	}
}

func (t *Task) finish(p *passage, out Sink) {
	refused, again := out.From(p.in.Tier, p.in.Offset)
	t.clock.start(p.in.Offset)
	if p.parked && !t.unpark(p) {
		return // it stays where it is, behind one that failed again
	}
	if again {
		p.refused(refused)
	}
	if p.over != nil {
		t.settle(p, *p.over, out)
		return
	}
	v := t.state.Verdict(p.id)
	if v != state.Waiting {
		p.waited = false // another record of its ID has ended the wait
	}
	if v == state.Duplicate && guardDedupe {
		t.settle(p, Outcome{Kind: OutcomeDuplicate}, out)
		return
	}
	t.settle(p, t.complete(p), out)
}

// ask puts what waits to the external enrichers; false means that some of it has
// no answer and nothing must go on.
func (t *Task) ask(ctx context.Context) bool {
	if t.externals == nil {
		return true
	}
	t.inquiries = t.inquiries[:0]
	for _, p := range t.waiting {
		if !p.asked {
			t.inquiries = append(t.inquiries, &p.inquiry)
		}
	}
	began := t.clock.now()
	if len(t.inquiries) > 0 {
		t.externals.Ask(ctx, t.inquiries)
		clear(t.inquiries)
	}
	if ctx.Err() != nil {
		return false // nobody knows which of them were asked
	}
	all := true
	for _, p := range t.waiting {
		all = p.answered() && all
	}
	t.fit(len(t.inquiries), t.clock.now().Sub(began), all)
	return all
}

// fit sets how many records the next batch has, by how long so many have taken. An
// outage is told at once, and says nothing about how fast answers come.
func (t *Task) fit(asked int, took time.Duration, all bool) {
	switch {
	case took > longBatch:
		t.batch = max(1, int(float64(asked)*longBatch.Seconds()/took.Seconds()))
	case all && asked >= t.batch && took < shortBatch:
		t.batch = min(maxBatch, 2*t.batch)
	}
}

// answered takes over what the enrichers have said.
func (p *passage) answered() bool {
	if p.asked {
		return true
	}
	if p.inquiry.Err != nil {
		bad := pulse.Classify(p.inquiry.Err)
		switch bad.Class.Severity() {
		case pulse.SeveritySystemic, pulse.SeverityFatal:
			return false
		case pulse.SeverityBad, pulse.SeverityTransient:
		}
		p.stage, p.failed = StageEnrich, bad
	}
	p.asked = true
	return true
}

// drop forgets what waited for the enrichers.
func (t *Task) drop() {
	clear(t.waiting)
	t.waiting, t.waitingBytes, t.held = t.waiting[:0], 0, false
}

// seriesName names a series.
type seriesName struct{ source, name string }

func compareSeries(a, b seriesName) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.name, b.name))
}

// release admits parked records that nothing stands before any more; they are
// finished like others. false means that there are none.
func (t *Task) release() bool {
	var free []seriesName
	t.state.Released(func(source, name string) { free = append(free, seriesName{source, name}) })
	slices.SortFunc(free, compareSeries) // the same records again give the same bytes
	for _, s := range free {
		for i := 0; len(t.waiting) < t.batch && t.waitingBytes < maxBatchBytes; i++ {
			record, ok := t.state.NextParked(s.source, s.name, i)
			if !ok {
				break
			}
			t.readmit(s, record)
		}
	}
	return len(t.waiting) > 0
}

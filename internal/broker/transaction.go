package broker

import (
	"slices"
	"time"

	"pulse-scorer/internal/pipeline"
)

// transaction is a set of task batches that commit together or not at all.
// The loop fills it, the committer executes it and sets the verdicts.
type transaction struct {
	parts []*part
	bytes int
	// sealing are the tasks whose batch is still being closed (loop only).
	sealing map[int32]*part
	started time.Time
	// done receives the transaction when its outcome is known.
	done chan<- *transaction
	// producerOnly asks for nothing but a usable transactional ID, for these tasks;
	// err says whether it is.
	producerOnly bool
	tasks        []int32
	// void is closed when nobody wants the transaction any more; nil never is.
	void <-chan struct{}
	// answered is true when no request of it is without answer.
	answered bool
	// ended is when it has committed, markers what was seen of those before it.
	ended   time.Time
	markers markersSeen
	// err is set when the service cannot go on.
	err error
}

// verdict is what has become of a part.
type verdict uint8

const (
	// undecided: the transaction has not been executed yet.
	undecided verdict = iota
	// committed: visible, offsets moved.
	committed
	// rolledBack: nothing of it is visible, offsets are as before.
	rolledBack
	// unclear: the group's offset is neither the one before nor the one
	// after. Somebody else has moved it; the state must be read again.
	unclear
	// unsettled: nobody has found out, and nobody of this process will: it is
	// no member any more, or stops. Whoever has the task next finds out.
	unsettled
)

// part is what one task contributes to a transaction.
type part struct {
	task    int32
	since   int32 // the generation the task was taken with
	worker  *task // nil for a takeover's owner record
	batches []outBatch
	// before are the committed offsets the batch was computed over, next those
	// that it commits: of the sources that it has moved.
	before, next offsets
	records      int
	verdict      verdict
	// stateEnd is the offset of the part's last record in the state topic,
	// -1 when none was written or it is not known.
	stateEnd int64
	refused  *refusal
}

// refusal says which record's output the broker would not take for its size.
type refusal struct {
	to     pipeline.Destination
	origin place
	// alone is true when the record was the only one of its batch, size that of
	// the batch without compression.
	alone bool
	size  int
}

func (tx *transaction) decide(v verdict) {
	for _, p := range tx.parts {
		if p.verdict == undecided {
			p.verdict = v
		}
	}
}

// undecided are the parts that nothing has been decided about.
func (tx *transaction) undecided() []*part {
	var ps []*part
	for _, p := range tx.parts {
		if p.verdict == undecided {
			ps = append(ps, p)
		}
	}
	return ps
}

// disown rolls back the parts of tasks that g does not hold, or holds anew:
// somebody else has had them meanwhile.
func (tx *transaction) disown(g *generation) {
	for _, p := range tx.undecided() {
		if g == nil || guardOwnership && !g.holds(p.task, p.since) {
			p.verdict = rolledBack
		}
	}
}

// holdsAll tells whether every part's task is still held as it was when the
// part was computed.
func holdsAll(g *generation, parts []*part) bool {
	if g == nil {
		return false
	}
	for _, p := range parts {
		if guardOwnership && !g.holds(p.task, p.since) {
			return false
		}
	}
	return true
}

func (tx *transaction) holds(t *task) bool {
	return slices.ContainsFunc(tx.parts, func(p *part) bool { return p.worker == t })
}

// remove takes a task out before the transaction is sent.
func (tx *transaction) remove(t *task) {
	delete(tx.sealing, t.id)
	tx.parts = slices.DeleteFunc(tx.parts, func(p *part) bool { return p.worker == t })
}

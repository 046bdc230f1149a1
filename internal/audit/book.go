package audit

import (
	"fmt"
	"slices"
	"time"
)

// Outcome is what became of an input record, the higher the more it counts.
type Outcome uint8

// The outcomes that leave a record of their own.
const (
	// Dead: a dead letter names the record.
	Dead Outcome = iota
	// Pending: a record that will be tried again names it.
	Pending
	// Scored: a result names it.
	Scored
	outcomes // how many there are
)

// Settings of a Book.
type Settings struct {
	Partition int32
	// From and To bound the input offsets that are audited: the first one
	// asked for, and what the group has committed.
	From, To int64
	// Window and MaxIDs are how long, and how many, IDs are remembered.
	Window time.Duration
	MaxIDs int
	// List is how many findings of a partition are listed.
	List int
}

// Book accounts for one partition. The order of calls: Truncated and Enter for
// all outcomes; Record and Deleted for the input; Repeats, and if it asks for
// it, Repeat for all results once more; Close. It is for one goroutine.
type Book struct {
	set Settings
	row Row
	// ids holds, by offset, the ID of what was scored or is pending; 0 for none.
	ids []ID
	// marks holds, by offset, a bit for each outcome.
	marks []uint8
	// before and ahead are the IDs of outcomes for offsets outside the range.
	before, ahead []ID
	// open are the records without an outcome of their own.
	open []openRecord
	// again are the IDs of results for offsets that had one.
	again []ID
	tails [outcomes]tail
	// read is the input offset up to which something is known.
	read int64

	repeats []repeat
	results int
}

type openRecord struct {
	offset int64
	id     ID
}

// NewBook begins an account.
func NewBook(set Settings) *Book {
	n := max(0, set.To-set.From)
	return &Book{
		set: set, row: Row{Partition: set.Partition, From: set.From, Committed: set.To},
		ids: make([]ID, n), marks: make([]uint8, n), read: set.From,
	}
}

// Entry is one record of an outcome topic.
type Entry struct {
	Outcome Outcome
	// Offset is the input offset it names.
	Offset int64
	// ID is that of the signal; NoID for dead letters.
	ID ID
	// At is where the entry itself lies, TimeMs when it was written.
	At     int64
	TimeMs int64
	// Again is set for what has been sent or tried again on purpose: it may
	// be there besides an earlier one.
	Again bool
}

// Enter books an outcome.
func (b *Book) Enter(e Entry) {
	b.tails[e.Outcome].enter(e, b.set.Window)
	switch e.Outcome {
	case Scored:
		b.row.Results++
	case Dead:
		b.row.Letters++
	case Pending, outcomes:
	}
	if e.Offset < b.set.From || e.Offset >= b.set.To {
		b.enterOutside(e)
		return
	}
	i, bit := e.Offset-b.set.From, uint8(1)<<e.Outcome
	if b.marks[i]&bit != 0 {
		b.enterAgain(e, b.ids[i])
		return
	}
	b.marks[i] |= bit
	// A pending record's ID gives way to that of its result; they are equal.
	if e.Outcome == Scored || e.Outcome == Pending && b.ids[i] == NoID {
		b.ids[i] = e.ID
	}
}

// enterOutside keeps the ID of an outcome for an offset that is not audited.
func (b *Book) enterOutside(e Entry) {
	switch {
	case e.ID == NoID:
	case e.Offset < b.set.From:
		b.before = append(b.before, e.ID)
	default:
		b.ahead = append(b.ahead, e.ID)
	}
}

// enterAgain books an outcome for an offset that has one of the kind; id is that
// one's.
func (b *Book) enterAgain(e Entry, id ID) {
	if e.Outcome == Scored {
		b.again = append(b.again, e.ID)
	}
	switch {
	case e.Outcome == Scored && e.ID != id:
		b.row.Wrong++
		b.findf(Wrong, e.Offset, "two results for it name different signals, the second one at offset %d of the results", e.At)
	case e.Outcome == Dead && !e.Again:
		b.row.Twice++
		b.findf(Twice, e.Offset, "dead-lettered twice, the second one at offset %d of the dead letters; a group that was set back reads them again", e.At)
	}
}

// Truncated says that retention has deleted records of an outcome's topic from
// before those that are entered next.
func (b *Book) Truncated(o Outcome) {
	b.tails[o].cut()
}

// Record books a record of the input. Records come in order. sure says that ID is
// beyond doubt; it is not when the default source had to stand in, which may have
// been another one at the time.
func (b *Book) Record(offset int64, id ID, sure bool) {
	i := offset - b.set.From
	b.strays(offset)
	b.read = offset + 1
	b.row.In++
	switch mark := b.marks[i]; {
	case mark&(1<<Scored) != 0:
		b.row.Scored++
		if b.ids[i] != id && (sure || id == NoID) {
			b.row.Wrong++
			b.findf(Wrong, offset, "its result names another signal than the record holds: was the input topic made anew?")
		}
	case mark&(1<<Pending) != 0:
		b.row.Pending++
		if b.ids[i] == NoID {
			b.ids[i] = id // what is parked does not say
		}
	case mark&(1<<Dead) != 0:
		b.row.Dead++
	default:
		b.open = append(b.open, openRecord{offset, id})
	}
}

// strays looks at the offsets before one that holds a record, or at the rest:
// they hold markers, aborted records or nothing, and nothing can come of that.
func (b *Book) strays(until int64) {
	for offset := b.read; offset < until; offset++ {
		if b.marks[offset-b.set.From] != 0 {
			b.row.Stray++
			b.findf(Stray, offset, "a result or dead letter names it, and the input has no such record")
		}
	}
	b.read = until
}

// Deleted says that retention has deleted a range of the input.
func (b *Book) Deleted(from, to int64) {
	b.row.unprovable(from, to, to-from, "deleted from the input by retention")
	// Within the range, what is gone is neither in nor stray.
	if from < b.set.To && to > b.set.From {
		b.strays(max(from, b.set.From))
		b.read = min(to, b.set.To)
	}
}

// Repeats ends the input, and says whether the results must be read again: there
// are IDs with several of them.
func (b *Book) Repeats() bool {
	b.strays(b.set.To)
	slices.Sort(b.ids) // from here on only whether an ID is there counts
	b.marks = nil
	slices.Sort(b.before)
	slices.Sort(b.ahead)
	b.settle()
	b.open = nil
	b.collectRepeats()
	b.ids, b.before, b.ahead, b.again = nil, nil, nil, nil
	return len(b.repeats) > 0
}

// settle decides about the records without an outcome of their own.
func (b *Book) settle() {
	scored, dead, pending := &b.tails[Scored], &b.tails[Dead], &b.tails[Pending]
	horizon := max(scored.horizon(b.set.To), dead.horizon(b.set.To), pending.horizon(b.set.To))
	twins := max(scored.twins(b.set.To), pending.twins(b.set.To))
	unproven := int64(0)
	for _, o := range b.open {
		switch {
		case o.id != NoID && b.holds(o.id):
			b.row.Duplicate++
		case o.offset < horizon, o.id != NoID && o.offset < twins:
			unproven++
		default:
			b.row.Lost++
			b.findf(Lost, o.offset, "no result, no dead letter, and nothing that was scored has its ID")
		}
	}
	if unproven > 0 {
		until := min(b.set.To, max(horizon, twins))
		b.row.unprovable(b.set.From, until, unproven, "records whose results or dead letters, or those they duplicate, retention may have deleted")
	}
}

// holds tells whether a scored or pending record has the ID.
func (b *Book) holds(id ID) bool {
	return contains(b.ids, id) || contains(b.before, id) || contains(b.ahead, id)
}

func contains(sorted []ID, id ID) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}

func (b *Book) findf(k Kind, offset int64, format string, args ...any) {
	b.row.Faults++
	if len(b.row.Findings) < b.set.List {
		b.row.Findings = append(b.row.Findings, Finding{Kind: k, Partition: b.set.Partition, Offset: offset, Text: fmt.Sprintf(format, args...)})
	}
}

// Close returns the account. ends is the end of the input when the audit began;
// what lies between it and the committed offset waits.
func (b *Book) Close(end int64, first, last Ledger) Row {
	b.row.End = end
	b.row.Waiting = max(0, end-max(b.set.From, b.set.To))
	b.row.Ledger = last
	b.row.checkLedger(b.findf, first, last, !b.tails[Scored].gone, !b.tails[Dead].gone)
	return b.row
}

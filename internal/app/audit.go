package app

import (
	"context"
	"fmt"
	"time"

	"pulse-scorer/internal/audit"
	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/state"
)

// Auditor accounts for every input offset, one partition after the other. It
// runs beside the service as well as without it.
//
// What it reads belongs together because of the order in which it looks:
//
//  1. the ledgers in the state, each up to the end of its partition at that time;
//  2. the committed offsets, up to which the input is audited, and from which the
//     retry tiers are read: whoever leaves a tier later is seen in it, too;
//  3. the ends of results, dead letters and tiers. What belongs to an offset below the
//     committed one was written before that was committed, so it lies below them.
//     Reading up to them waits for transactions that were open just then, so
//     nothing undecided lies below either;
//  4. the end of the input: whatever record an outcome names lies below it;
//  5. after a partition's results and dead letters have been read, its ledger
//     again: whatever was read had been counted by then. What is parked, then or at
//     first, waits (audit_waiting.go).
type Auditor struct {
	// Partitions to audit, nil for all.
	Partitions []int32
	// Since, if set, leaves out older input records.
	Since time.Time
	// List is how many findings of a partition are listed.
	List int
	// Progress is told of offsets to read and of offsets that were read.
	Progress func(toRead, read int64)

	config config.Config
	topics broker.Topology
	look   *broker.Inspector
	hasher *audit.Hasher
	decode *codec.Decoder
	cuts   []cut
}

// cut is where one partition is looked at.
type cut struct {
	partition                  int32
	ledger                     audit.Ledger
	state                      int64 // up to where the ledger was read
	start, from, to, end       int64 // of the input
	results, letters           int64 // the ends
	resultsStart, lettersStart int64
	// tiers are the ranges of the retry tiers that are read, parked the input offsets
	// of what is parked, by its place in the state.
	tiers  []tierRange
	parked map[string]int64
}

// NewAuditor prepares an audit of an environment's service.
func NewAuditor(c config.Config) (*Auditor, error) {
	look, err := newInspector(c)
	if err != nil {
		return nil, err
	}
	return &Auditor{
		List: 20, Progress: func(int64, int64) {},
		config: c, topics: Topology(c), look: look, hasher: audit.NewHasher(),
		decode: codec.NewDecoder(codec.Settings{DefaultSource: c.DefaultSource}),
	}, nil
}

func newInspector(c config.Config) (*broker.Inspector, error) {
	conn, err := connection(c)
	if err != nil {
		return nil, err
	}
	const headroom = 1 << 20 // of a result or a dead letter over its input
	return broker.NewInspector(conn, broker.InspectorSettings{
		Group: c.Group, Topics: Topology(c), MaxRecordBytes: int(c.MaxRecordBytes) + headroom,
	})
}

// Close ends the connections.
func (a *Auditor) Close() { a.look.Close() }

// Run does the audit.
func (a *Auditor) Run(ctx context.Context) (audit.Report, error) {
	if err := a.cut(ctx); err != nil {
		return audit.Report{}, err
	}
	a.Progress(a.toRead(), 0)
	rows := make([]audit.Row, 0, len(a.cuts))
	for i := range a.cuts {
		row, err := a.partition(ctx, &a.cuts[i])
		if err != nil {
			return audit.Report{}, err
		}
		rows = append(rows, row)
	}
	return audit.NewReport(rows), nil
}

// toRead is how many offsets all partitions have together, but for the end of the
// state and for what may have to be read twice.
func (a *Auditor) toRead() (n int64) {
	for i := range a.cuts {
		c := &a.cuts[i]
		n += c.results - c.resultsStart + c.letters - c.lettersStart + c.to - c.from
	}
	return n
}

// cut finds out where to look at the partitions, in the order described above.
func (a *Auditor) cut(ctx context.Context) error {
	n, err := a.look.Partitions(ctx, a.topics.Results, a.topics.DeadLetters, a.topics.State)
	if err != nil {
		return err
	}
	partitions, err := chosen(a.Partitions, n, a.topics.Input)
	if err != nil {
		return err
	}
	a.cuts = make([]cut, len(partitions))
	for i, p := range partitions {
		a.cuts[i].partition = p
		if err := a.firstLedger(ctx, &a.cuts[i]); err != nil {
			return err
		}
	}
	all, err := a.look.CommittedOfAll(ctx, n)
	if err != nil {
		return err
	}
	committed := all[0]
	for i := range a.cuts {
		if err := a.tiers(ctx, &a.cuts[i], all); err != nil {
			return err
		}
		if err := a.ends(ctx, &a.cuts[i], committed[a.cuts[i].partition]); err != nil {
			return err
		}
	}
	for i := range a.cuts {
		if committed[a.cuts[i].partition] != broker.NoOffset {
			return nil
		}
	}
	return fmt.Errorf("group %s has committed nothing on %s: has the service run, and is PULSE_GROUP its group?", a.config.Group, a.topics.Input)
}

func (a *Auditor) firstLedger(ctx context.Context, c *cut) error {
	start, err := a.look.Start(ctx, a.topics.State, c.partition)
	if err != nil {
		return err
	}
	c.state, err = a.look.End(ctx, a.topics.State, c.partition)
	if err != nil {
		return err
	}
	c.parked = make(map[string]int64)
	return a.ledger(ctx, c, start, c.state, &c.ledger)
}

// ledger reads a range of the state; the last ledger in it counts.
func (a *Auditor) ledger(ctx context.Context, c *cut, from, to int64, l *audit.Ledger) error {
	a.Progress(max(0, to-from), 0)
	return a.scan(ctx, broker.Scan{Topic: a.topics.State, Partition: c.partition, From: from, To: to, Each: func(r *pipeline.Record) error {
		if err := c.park(r, from < c.state); err != nil {
			return err
		}
		found, ok, err := state.DecodeLedger(r.Key, r.Value)
		if err != nil {
			return err
		}
		if ok {
			*l = audit.Ledger{In: found.In, Scored: found.Scored, Duplicate: found.Duplicate, Pending: found.Pending}
			for _, d := range found.Dead {
				l.Dead += d.Count
			}
		}
		return nil
	}})
}

// ends notes up to where a partition's topics are read.
func (a *Auditor) ends(ctx context.Context, c *cut, committed int64) error {
	at := func(dst *int64, of func(context.Context, string, int32) (int64, error), topic string) func() error {
		return func() (err error) {
			*dst, err = of(ctx, topic, c.partition)
			return err
		}
	}
	for _, ask := range []func() error{
		at(&c.results, a.look.End, a.topics.Results),
		at(&c.letters, a.look.End, a.topics.DeadLetters),
		at(&c.resultsStart, a.look.Start, a.topics.Results),
		at(&c.lettersStart, a.look.Start, a.topics.DeadLetters),
		at(&c.start, a.look.Start, a.topics.Input),
		at(&c.end, a.look.End, a.topics.Input),
	} {
		if err := ask(); err != nil {
			return err
		}
	}
	c.from = c.start
	if !a.Since.IsZero() {
		since, err := a.look.OffsetAt(ctx, a.topics.Input, c.partition, a.Since.UnixMilli())
		if err != nil {
			return err
		}
		if since == broker.NoOffset {
			since = c.end
		}
		c.from = max(c.start, since)
	}
	c.to = max(c.from, committed)
	if committed > c.end {
		c.to = c.from // of a topic that was made anew: nothing of this one is known to be done
	}
	return nil
}

// partition does the account of one partition.
func (a *Auditor) partition(ctx context.Context, c *cut) (audit.Row, error) {
	book := audit.NewBook(audit.Settings{
		Partition: c.partition, From: c.from, To: c.to, List: a.List,
		Window: a.config.DedupeWindow, MaxIDs: a.config.DedupeMaxIDs,
	})
	if err := a.results(ctx, c, book); err != nil {
		return audit.Row{}, err
	}
	if err := a.letters(ctx, c, book); err != nil {
		return audit.Row{}, err
	}
	last := c.ledger
	end, err := a.look.End(ctx, a.topics.State, c.partition)
	if err != nil {
		return audit.Row{}, err
	}
	if err := a.ledger(ctx, c, c.state, end, &last); err != nil {
		return audit.Row{}, err
	}
	if err := a.waiting(ctx, c, book); err != nil {
		return audit.Row{}, err
	}
	if err := a.input(ctx, c, book); err != nil {
		return audit.Row{}, err
	}
	if book.Repeats() {
		a.Progress(c.results-c.resultsStart, 0)
		if err := a.eachResult(ctx, c, book.Repeat, nil, nil); err != nil {
			return audit.Row{}, err
		}
	}
	return book.Close(c.end, c.ledger, last), nil
}

func (a *Auditor) results(ctx context.Context, c *cut, book *audit.Book) error {
	truncated := func(int64, int64) { book.Truncated(audit.Scored) }
	if c.resultsStart > 0 {
		truncated(0, c.resultsStart)
	}
	return a.eachResult(ctx, c, book.Enter, func(at int64, why error) { book.Unreadable(a.topics.Results, at, why) }, truncated)
}

// eachResult shows the results of one partition. Those of another input topic,
// another service's that writes to the same one, are passed over.
func (a *Auditor) eachResult(ctx context.Context, c *cut, enter func(audit.Entry), unreadable func(int64, error), jumped func(int64, int64)) error {
	var origin codec.Origin
	return a.scan(ctx, broker.Scan{
		Topic: a.topics.Results, Partition: c.partition, From: c.resultsStart, To: c.results, Jumped: jumped,
		Each: func(r *pipeline.Record) error {
			bad := a.decode.ReadOrigin(r.Value, &origin)
			var why error
			switch {
			case bad != nil:
				why = bad
			case origin.Topic != a.topics.Input:
				return nil
			case origin.Partition != c.partition:
				why = fmt.Errorf("a result of input partition %d", origin.Partition)
			default:
				enter(audit.Entry{
					Outcome: audit.Scored, Offset: origin.Offset, ID: a.hasher.ID(origin.Source, origin.ID),
					At: r.Offset, TimeMs: r.TimestampMs, Again: origin.Attempts > 1,
				})
				return nil
			}
			if unreadable != nil {
				unreadable(r.Offset, why)
			}
			return nil
		},
	})
}

func (a *Auditor) letters(ctx context.Context, c *cut, book *audit.Book) error {
	truncated := func(int64, int64) { book.Truncated(audit.Dead) }
	if c.lettersStart > 0 {
		truncated(0, c.lettersStart)
	}
	return a.scan(ctx, broker.Scan{
		Topic: a.topics.DeadLetters, Partition: c.partition, From: c.lettersStart, To: c.letters, Jumped: truncated,
		Each: func(r *pipeline.Record) error {
			if deadletter.IsMark(r.Headers) {
				return nil
			}
			letter, err := pipeline.ReadLetter(r.Headers)
			switch {
			case err == nil && (letter.Topic != a.topics.Input || letter.Group != a.config.Group):
				return nil // another service's
			case err == nil && letter.Partition != c.partition:
				err = fmt.Errorf("a dead letter of input partition %d", letter.Partition)
			}
			if err != nil {
				book.Unreadable(a.topics.DeadLetters, r.Offset, err)
				return nil
			}
			book.Enter(audit.Entry{
				Outcome: audit.Dead, Offset: letter.Offset, At: r.Offset, TimeMs: r.TimestampMs, Again: letter.Deliveries > 1,
			})
			return nil
		},
	})
}

func (a *Auditor) input(ctx context.Context, c *cut, book *audit.Book) error {
	if c.start > 0 && a.Since.IsZero() {
		book.Deleted(0, c.start)
	}
	var sig pulse.Signal
	return a.scan(ctx, broker.Scan{
		Topic: a.topics.Input, Partition: c.partition, From: c.from, To: c.to, Jumped: book.Deleted,
		Each: func(r *pipeline.Record) error {
			id, sure := audit.NoID, true
			if a.decode.Decode(r.Value, r.Headers, pipeline.ArrivedMs(r), &sig) == nil {
				id, sure = a.hasher.ID(sig.Source, sig.ID), sig.SourceGiven
			}
			book.Record(r.Offset, id, sure)
			return nil
		},
	})
}

func (a *Auditor) scan(ctx context.Context, s broker.Scan) error {
	return scan(ctx, a.look, s, a.Progress)
}

// scan reads, and tells how far it has come.
func scan(ctx context.Context, look *broker.Inspector, s broker.Scan, progress func(toRead, read int64)) error {
	s.Passed = func(offsets int64) { progress(0, offsets) }
	err := look.Scan(ctx, s)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("stopped before the end: %w", context.Cause(ctx))
	}
	return err
}

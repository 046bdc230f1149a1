package audit

// Kind is the kind of a finding.
type Kind string

// The kinds of findings: each of them unbalances the accounts.
const (
	// Lost: an input record without any outcome.
	Lost Kind = "lost"
	// Twice: a second result, or dead letter, for one signal.
	Twice Kind = "twice"
	// Stray: an outcome for an input record that there is not.
	Stray Kind = "stray"
	// Wrong: a result that names another signal than its input record.
	Wrong Kind = "wrong"
	// Unreadable: something in a topic of outcomes that is none.
	Unreadable Kind = "unreadable"
	// Disagree: the ledger in the state says something else than the topics.
	Disagree Kind = "ledger"
)

// Finding is something that does not add up.
type Finding struct {
	Kind      Kind  `json:"kind"`
	Partition int32 `json:"partition"`
	// Offset is of the input; -1 where it is about the partition as a whole.
	Offset int64  `json:"offset"`
	Text   string `json:"text"`
}

// Range is a part of the input about which nothing can be said.
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Count is how many of its offsets it is about.
	Count uint64 `json:"count"`
	Why   string `json:"why"`
}

// Row is the account of one partition. In is the sum of Scored, Duplicate, Dead,
// Pending, Lost and those records among NotProvable that are still there.
type Row struct {
	Partition int32  `json:"partition"`
	In        uint64 `json:"in"`
	Scored    uint64 `json:"scored"`
	Duplicate uint64 `json:"duplicate"`
	Dead      uint64 `json:"dead"`
	Pending   uint64 `json:"pending"`
	Lost      uint64 `json:"lost"`
	Twice     uint64 `json:"twice"`
	Stray     uint64 `json:"stray"`
	Wrong     uint64 `json:"wrong"`
	// Unreadable are records in the topics of outcomes that are none.
	Unreadable uint64 `json:"unreadable"`
	// Disagree are faults of the ledger in the state, which is Ledger.
	Disagree uint64 `json:"ledger_faults"`
	// NotProvable are offsets whose record, or whose outcome, was deleted.
	NotProvable uint64  `json:"not_provable"`
	Ranges      []Range `json:"not_provable_ranges,omitempty"`
	// Waiting are the offsets after the committed one.
	Waiting int64 `json:"waiting"`
	// Forgotten are results for IDs that had one before the dedupe window.
	Forgotten uint64 `json:"scored_again_after_window"`
	// From and Committed bound what was audited; End is the input's.
	From      int64 `json:"from"`
	Committed int64 `json:"committed"`
	End       int64 `json:"end"`
	// Results and Letters are all that lie in the topics for this partition.
	Results uint64 `json:"results"`
	Letters uint64 `json:"dead_letters"`
	Ledger  Ledger `json:"ledger"`
	// Faults is how many findings there were, Findings the first of them.
	Faults   uint64    `json:"faults"`
	Findings []Finding `json:"findings,omitempty"`
}

// Unreadable books something in a topic of outcomes that is none.
func (b *Book) Unreadable(topic string, at int64, why error) {
	b.row.Unreadable++
	b.findf(Unreadable, -1, "%s offset %d: %v", topic, at, why)
}

func (r *Row) unprovable(from, to, count int64, why string) {
	r.NotProvable += uint64(count)
	r.Ranges = append(r.Ranges, Range{From: from, To: to, Count: uint64(count), Why: why})
}

// Verdict is what an audit has found.
type Verdict string

// The verdicts.
const (
	// Balanced: each input offset has exactly one outcome, and all agrees.
	Balanced Verdict = "balanced"
	// Unbalanced: there are findings.
	Unbalanced Verdict = "unbalanced"
	// NotProvable: nothing was found, but not all could be looked at.
	NotProvable Verdict = "not provable"
)

// Report is the account of all audited partitions.
type Report struct {
	// Balanced is true for the verdict Balanced only.
	Balanced   bool    `json:"balanced"`
	Verdict    Verdict `json:"verdict"`
	Partitions []Row   `json:"partitions"`
}

// NewReport judges the accounts of partitions.
func NewReport(rows []Row) Report {
	sum := Total(rows)
	r := Report{Verdict: Balanced, Partitions: rows}
	switch {
	case sum.Faults > 0:
		r.Verdict = Unbalanced
	case sum.NotProvable > 0:
		r.Verdict = NotProvable
	}
	r.Balanced = r.Verdict == Balanced
	return r
}

// Total adds up accounts; it has no findings and ranges.
func Total(rows []Row) Row {
	sum := Row{Partition: -1}
	for i := range rows {
		r := &rows[i]
		sum.In += r.In
		sum.Scored += r.Scored
		sum.Duplicate += r.Duplicate
		sum.Dead += r.Dead
		sum.Pending += r.Pending
		sum.Lost += r.Lost
		sum.Twice += r.Twice
		sum.Stray += r.Stray
		sum.Wrong += r.Wrong
		sum.Unreadable += r.Unreadable
		sum.Disagree += r.Disagree
		sum.NotProvable += r.NotProvable
		sum.Waiting += r.Waiting
		sum.Forgotten += r.Forgotten
		sum.Results += r.Results
		sum.Letters += r.Letters
		sum.Faults += r.Faults
	}
	return sum
}

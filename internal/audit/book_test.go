package audit

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// The ledger in the state and the topics must agree: what it had counted before
// must be there, and no more than it has counted afterwards.
func TestBook_LedgerMustAgree(t *testing.T) {
	t.Parallel()
	good := Ledger{In: 4, Scored: 2, Duplicate: 1, Dead: 1}
	for _, c := range []struct {
		name        string
		first, last Ledger
		truncated   bool
		says        string // empty: balanced
	}{
		{"equal", good, good, false, ""},
		{"at work", Ledger{In: 1, Scored: 1}, Ledger{In: 9, Scored: 6, Duplicate: 2, Dead: 1}, false, ""},
		{"set back, read again", Ledger{In: 7, Scored: 2, Duplicate: 4, Dead: 1}, Ledger{In: 7, Scored: 2, Duplicate: 4, Dead: 1}, false, ""},
		{"a result is missing", Ledger{In: 5, Scored: 3, Duplicate: 1, Dead: 1}, Ledger{In: 5, Scored: 3, Duplicate: 1, Dead: 1}, false, "counted 3 results, the topic holds 2"},
		{"a result was deleted by retention", Ledger{In: 5, Scored: 3, Duplicate: 1, Dead: 1}, Ledger{In: 5, Scored: 3, Duplicate: 1, Dead: 1}, true, ""},
		{"a result too many", Ledger{In: 3, Scored: 1, Duplicate: 1, Dead: 1}, Ledger{In: 4, Scored: 1, Duplicate: 2, Dead: 1}, false, "holds 2 results, the state has counted 1"},
		{"a dead letter is missing", Ledger{In: 5, Scored: 2, Duplicate: 1, Dead: 2}, Ledger{In: 5, Scored: 2, Duplicate: 1, Dead: 2}, false, "counted 2 dead letters, the topic holds 1"},
		{"a dead letter too many", Ledger{In: 4, Scored: 2, Duplicate: 2}, Ledger{In: 4, Scored: 2, Duplicate: 2}, false, "holds 1 dead letters, the state has counted 0"},
		{"does not add up in itself", Ledger{In: 5, Scored: 2, Duplicate: 1, Dead: 1}, Ledger{In: 5, Scored: 2, Duplicate: 1, Dead: 1}, false, "5 records in, and 4 outcomes"},
		{"some wait", Ledger{In: 6, Scored: 2, Duplicate: 1, Dead: 1, Pending: 2}, Ledger{In: 6, Scored: 2, Duplicate: 1, Dead: 1, Pending: 2}, false, ""},
		{"those that wait do not add up", Ledger{In: 5, Scored: 2, Duplicate: 1, Dead: 1}, Ledger{In: 5, Scored: 2, Duplicate: 1, Dead: 1, Pending: 2}, false, "5 records in, and 6 outcomes"},
		{"a duplicate was not counted", Ledger{In: 3, Scored: 2, Dead: 1}, Ledger{In: 3, Scored: 2, Dead: 1}, false, "counted 0 duplicates, the input has 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := NewBook(Settings{To: 4, Window: time.Hour, MaxIDs: 100, List: 10})
			if c.truncated {
				b.Truncated(Scored)
			}
			b.Enter(Entry{Outcome: Scored, Offset: 0, ID: 1})
			b.Enter(Entry{Outcome: Scored, Offset: 1, ID: 2})
			b.Enter(Entry{Outcome: Dead, Offset: 3})
			for offset, id := range []ID{1, 2, 1, NoID} {
				b.Record(int64(offset), id, true)
			}
			b.Repeats()
			row := b.Close(6, c.first, c.last)
			report := NewReport([]Row{row})
			if report.Balanced != (c.says == "") || row.Waiting != 2 {
				t.Errorf("verdict %s, %d waiting: %+v", report.Verdict, row.Waiting, row)
			}
			if c.says != "" && (len(row.Findings) != 1 || !strings.Contains(row.Findings[0].Text, c.says)) {
				t.Errorf("findings %+v, want one that says %q", row.Findings, c.says)
			}
		})
	}
}

// What was deleted is never balanced, and never lost.
func TestReport_DeletedIsNotProvable(t *testing.T) {
	t.Parallel()
	b := NewBook(Settings{From: 5, To: 6, Window: time.Hour, MaxIDs: 100, List: 10})
	b.Enter(Entry{Outcome: Scored, Offset: 2, ID: 1})
	b.Enter(Entry{Outcome: Scored, Offset: 5, ID: 2})
	b.Deleted(0, 5)
	b.Record(5, 2, true)
	b.Repeats()
	l := Ledger{In: 2, Scored: 2}
	report := NewReport([]Row{b.Close(6, l, l)})
	row := report.Partitions[0]
	if report.Balanced || report.Verdict != NotProvable || row.NotProvable != 5 || row.Lost != 0 || len(row.Ranges) != 1 || row.Faults != 0 {
		t.Errorf("%+v", report)
	}
}

// Only so many findings are listed, all are counted.
func TestBook_ListIsBounded(t *testing.T) {
	t.Parallel()
	b := NewBook(Settings{To: 1000, Window: time.Hour, MaxIDs: 100, List: 3})
	for offset := range int64(1000) {
		b.Record(offset, ID(offset+1), true)
	}
	b.Repeats()
	row := b.Close(1000, Ledger{}, Ledger{})
	if row.Lost != 1000 || row.Faults != 1000 || len(row.Findings) != 3 || row.Findings[2].Offset != 2 {
		t.Errorf("%+v", row)
	}
}

// Nine bytes an input offset and sixteen for each that has no outcome of its own:
// a figure the documentation gives, so it is measured.
func TestBook_MemoryIsBounded(t *testing.T) { //nolint:paralleltest // measures the heap
	const records, every = 2_000_000, 50
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	b := NewBook(Settings{To: records, Window: time.Hour, MaxIDs: records, List: 10})
	for offset := range int64(records) {
		if offset%every > 0 {
			b.Enter(Entry{Outcome: Scored, Offset: offset, ID: ID(offset + 1)})
		}
	}
	for offset := range int64(records) {
		id := ID(offset + 1)
		if offset%every == 0 {
			id++ // of the next one
		}
		b.Record(offset, id, true)
	}
	used := heap() - before
	open := uint64(records / every)
	if most := uint64(9*records) + 2*16*open + 1<<20; used > most {
		t.Errorf("%d bytes for %d records, want at most %d", used, records, most)
	}
	t.Logf("%.2f bytes a record", float64(used)/records)
	b.Repeats()
	l := Ledger{In: records, Scored: records - open, Duplicate: open}
	if row := b.Close(records, l, l); row.Faults > 0 || row.Duplicate != open {
		t.Errorf("%+v", row)
	}
}

// Two texts are told apart where one ends and the other begins.
func TestHasher_KeepsSourceAndIDApart(t *testing.T) {
	t.Parallel()
	h := NewHasher()
	if h.ID("ab", "c") == h.ID("a", "bc") || h.ID("", "") == NoID {
		t.Error("IDs are mixed up")
	}
}

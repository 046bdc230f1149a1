package audit

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// world is what lies in the topics of one partition after a random history with
// random damage. Times are minutes; the window is ten of them.
type world struct {
	from, to int64
	input    map[int64]ID // records that are there, by offset
	deleted  [][2]int64   // ranges of the input that were deleted while it was read
	entries  map[Outcome][]Entry
	cut      map[Outcome]bool
}

const modelWindow, modelMaxIDs = 10 * time.Minute, 12

func newWorld(r *rand.Rand) world {
	end := int64(10 + r.IntN(50))
	w := world{
		from: r.Int64N(4), to: end - r.Int64N(4), input: make(map[int64]ID),
		entries: make(map[Outcome][]Entry), cut: make(map[Outcome]bool),
	}
	now := int64(0)
	add := func(o Outcome, offset int64, id ID) {
		switch {
		case o == Dead:
			id = NoID
		case id == NoID: // a result always has one
			id = 99
		}
		list := w.entries[o]
		w.entries[o] = append(list, Entry{Outcome: o, Offset: offset, ID: id, At: int64(len(list)), TimeMs: now, Again: r.IntN(8) == 0})
	}
	for offset := range end {
		now += r.Int64N(3) * time.Minute.Milliseconds()
		id := ID(r.IntN(30)) // NoID among them
		if r.IntN(12) > 0 {
			w.input[offset] = id
		}
		for r.IntN(4) > 0 { // most have an outcome, some several
			o := Outcome(r.IntN(int(outcomes)))
			if r.IntN(25) == 0 {
				id++
			}
			add(o, max(0, offset-r.Int64N(2)*r.Int64N(9)), id)
			if r.IntN(3) > 0 {
				break
			}
		}
	}
	for o := range outcomes {
		if r.IntN(3) == 0 && len(w.entries[o]) > 0 {
			w.cut[o] = true
			w.entries[o] = w.entries[o][r.IntN(len(w.entries[o])+1):]
		}
	}
	if r.IntN(4) == 0 {
		from := r.Int64N(end)
		w.deleted = append(w.deleted, [2]int64{from, min(w.to, from+r.Int64N(8))})
	}
	for _, d := range w.deleted {
		for offset := d[0]; offset < d[1]; offset++ {
			delete(w.input, offset)
		}
	}
	return w
}

// account lets a Book do it.
func (w world) account() Row {
	b := NewBook(Settings{From: w.from, To: w.to, Window: modelWindow, MaxIDs: modelMaxIDs, List: 1000})
	for o := range outcomes {
		if w.cut[o] {
			b.Truncated(o)
		}
		for _, e := range w.entries[o] {
			b.Enter(e)
		}
	}
	for offset := w.from; offset < w.to; offset++ {
		for _, d := range w.deleted {
			if offset == max(d[0], w.from) && d[1] > offset {
				b.Deleted(offset, d[1])
			}
		}
		if id, ok := w.input[offset]; ok {
			b.Record(offset, id, true)
		}
	}
	if b.Repeats() {
		for _, e := range w.entries[Scored] {
			b.Repeat(e)
		}
	}
	return b.Close(w.to, Ledger{}, Ledger{})
}

// naive says the same, straight from the definitions.
func (w world) naive() Row { //nolint:cyclop // the definitions in one piece
	var r Row
	of := func(o Outcome, offset int64) (found []Entry) {
		for _, e := range w.entries[o] {
			if e.Offset == offset {
				found = append(found, e)
			}
		}
		return found
	}
	gone := make(map[int64]bool)
	for _, d := range w.deleted {
		for offset := max(d[0], w.from); offset < d[1]; offset++ {
			gone[offset] = true
			r.NotProvable++
		}
	}
	for offset := w.from; offset < w.to; offset++ {
		scored, pending, dead := of(Scored, offset), of(Pending, offset), of(Dead, offset)
		for i, e := range dead {
			if i > 0 && !e.Again {
				r.Twice++
			}
		}
		for i := range scored {
			if i > 0 && scored[i].ID != scored[0].ID {
				r.Wrong++
			}
		}
		id, there := w.input[offset]
		switch {
		case gone[offset]:
		case !there && len(scored)+len(pending)+len(dead) > 0:
			r.Stray++
		case !there:
		case len(scored) > 0:
			r.In++
			r.Scored++
			if scored[0].ID != id {
				r.Wrong++
			}
		case len(pending) > 0:
			r.In++
			r.Pending++
		case len(dead) > 0:
			r.In++
			r.Dead++
		default:
			r.In++
			w.open(&r, offset, id)
		}
	}
	w.again(&r)
	return r
}

// accounted tells whether a scored or pending record has the ID. The ID of the
// highest and first entry of an offset is the one that counts within the range.
func (w world) accounted(id ID) bool {
	first := make(map[int64]Outcome)
	for _, o := range []Outcome{Scored, Pending} {
		for _, e := range w.entries[o] {
			if e.Offset >= w.from && e.Offset < w.to {
				if _, seen := first[e.Offset]; seen {
					continue
				}
				first[e.Offset] = o
			}
			if e.ID == id {
				return true
			}
		}
	}
	return false
}

func (w world) open(r *Row, offset int64, id ID) {
	if id != NoID && w.accounted(id) {
		r.Duplicate++
		return
	}
	provable := true
	for _, o := range []Outcome{Scored, Pending, Dead} {
		if !w.cut[o] {
			continue
		}
		// What was tried again comes later than its offset says.
		left := slices.DeleteFunc(slices.Clone(w.entries[o]), func(e Entry) bool { return e.Again })
		if len(left) == 0 || offset < left[0].Offset {
			provable = false // it may have been its own
		}
		if o == Dead || id == NoID {
			continue
		}
		twin := true // it may have been an earlier one's with its ID
		for i, e := range left {
			if i > 0 && e.TimeMs-left[0].TimeMs >= 2*modelWindow.Milliseconds() {
				twin = offset < e.Offset
				break
			}
		}
		provable = provable && !twin
	}
	if provable {
		r.Lost++
	} else {
		r.NotProvable++
	}
}

// again counts results that follow another of the same ID.
func (w world) again(r *Row) {
	results := w.entries[Scored]
	inside := func(e Entry) bool { return e.Offset >= w.from }
	for i, e := range results {
		if e.ID == NoID || !inside(e) {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			if results[j].ID != e.ID {
				continue
			}
			if e.TimeMs-results[j].TimeMs < modelWindow.Milliseconds()*15/16 && i-j < modelMaxIDs-modelMaxIDs/8 {
				r.Twice++
			} else {
				r.Forgotten++
			}
			break
		}
	}
}

// numbers are the parts of an account that the model knows.
func numbers(r Row) map[string]uint64 {
	return map[string]uint64{
		"in": r.In, "scored": r.Scored, "duplicate": r.Duplicate, "dead": r.Dead, "pending": r.Pending, "lost": r.Lost,
		"twice": r.Twice, "stray": r.Stray, "wrong": r.Wrong, "not provable": r.NotProvable, "again": r.Forgotten,
	}
}

// Whatever lies in the topics, a Book counts what the definitions say, and each
// record has one outcome.
func TestBook_AgreesWithANaiveModel(t *testing.T) {
	t.Parallel()
	met := make(map[string]int)
	for seed := range uint64(20_000) {
		w := newWorld(rand.New(rand.NewPCG(seed, 1)))
		got, want := w.account(), w.naive()
		for name, n := range numbers(want) {
			if n > 0 {
				met[name]++
			}
			if numbers(got)[name] != n {
				t.Fatalf("seed %d: %s is %d, want %d\nworld %+v\ngot  %+v\nwant %+v", seed, name, numbers(got)[name], n, w, got, want)
			}
		}
		gone := uint64(0)
		for _, d := range w.deleted {
			gone += uint64(max(0, d[1]-max(d[0], w.from)))
		}
		if sum := got.Scored + got.Duplicate + got.Dead + got.Pending + got.Lost + got.NotProvable - gone; sum != got.In {
			t.Fatalf("seed %d: %d records in, %d outcomes: %+v", seed, got.In, sum, got)
		}
		if listed := got.Lost + got.Twice + got.Stray + got.Wrong + got.Disagree; uint64(len(got.Findings)) != listed {
			t.Fatalf("seed %d: %d findings listed, %d counted: %+v", seed, len(got.Findings), listed, got)
		}
	}
	for name := range numbers(Row{}) {
		if met[name] < 50 {
			t.Errorf("only %d of the worlds had anything %s", met[name], name)
		}
	}
}

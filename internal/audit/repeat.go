package audit

import "slices"

// repeat is an ID with several results.
type repeat struct {
	id ID
	// lastMs and lastNumber are of the latest of its results that was shown;
	// lastNumber counts results from 1.
	lastMs     int64
	lastNumber int
}

// collectRepeats finds the IDs with several results, at least one of which is not
// before the audited range: those were an earlier audit's.
func (b *Book) collectRepeats() {
	ids := b.again
	neighbours := func(sorted []ID) {
		for i := 1; i < len(sorted); i++ {
			if sorted[i] != NoID && sorted[i] == sorted[i-1] {
				ids = append(ids, sorted[i])
			}
		}
	}
	neighbours(b.ids)
	neighbours(b.ahead)
	for _, id := range b.before {
		if contains(b.ids, id) || contains(b.ahead, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range b.ahead {
		if contains(b.ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	b.repeats = make([]repeat, len(ids))
	for i, id := range ids {
		b.repeats[i].id = id
	}
}

// The service remembers an ID for the window at least, by its own clock, and
// forgets a sixteenth of the IDs at once. What is this near to it is not judged.
const (
	windowShare = 16 // of the window: one part in so many
	countShare  = 8  // of the number
)

// Repeat shows a result again. All of them must be shown, in order.
func (b *Book) Repeat(e Entry) {
	b.results++
	i, found := slices.BinarySearchFunc(b.repeats, e.ID, func(r repeat, id ID) int {
		switch {
		case r.id < id:
			return -1
		case r.id > id:
			return 1
		}
		return 0
	})
	if !found {
		return
	}
	last := b.repeats[i]
	b.repeats[i].lastMs, b.repeats[i].lastNumber = e.TimeMs, b.results
	if last.lastNumber == 0 || e.Offset < b.set.From {
		return
	}
	window := b.set.Window.Milliseconds()
	near := e.TimeMs-last.lastMs < window-window/windowShare &&
		b.results-last.lastNumber < b.set.MaxIDs-b.set.MaxIDs/countShare
	if !near {
		b.row.Forgotten++
		return
	}
	b.row.Twice++
	b.findf(Twice, e.Offset, "its signal has another result within the dedupe window; this one lies at offset %d of the results", e.At)
}

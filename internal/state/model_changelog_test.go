package state

import (
	"maps"
	"slices"
)

// compaction is what is left of a changelog.
type compaction int

const (
	// uncompacted: all that was ever written.
	uncompacted compaction = iota
	// compacted: the last value of each key, in random order.
	compacted
	// compacting: what a cleaner at work leaves. Of what a later record
	// supersedes, any may be gone; tombstones that supersede nothing that is
	// left, too.
	compacting
)

func (w *world) log(c compaction) (changes []change) {
	switch c {
	case uncompacted:
		return w.whole
	case compacted:
		for _, k := range slices.Sorted(maps.Keys(w.changelog)) {
			changes = append(changes, change{[]byte(k), w.changelog[k]})
		}
		w.rng.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	case compacting:
		last := make(map[string]int)
		for i, c := range w.whole {
			last[string(c.key)] = i
		}
		cleanedTo, kept := w.rng.IntN(len(w.whole)+1), 1+w.rng.IntN(10)
		left := make(map[string]bool)
		for i, c := range w.whole {
			key := string(c.key)
			switch {
			case i < cleanedTo && i < last[key] && w.rng.IntN(10) >= kept:
			case i < cleanedTo && c.value == nil && !left[key] && w.rng.IntN(2) == 0:
			default:
				changes = append(changes, c)
				left[key] = true
			}
		}
	}
	return changes
}

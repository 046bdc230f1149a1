package state

import (
	"math/rand/v2"
	"testing"
)

// Whatever is added, cut and forgotten, with batches of all sizes: the entries are
// those of a slice, a new one is zero, and blocks are used again.
func TestUndoLog_BehavesLikeASlice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var log undoLog[int]
		var want []int
		most := 0
		for next := 1; next < 20_000; {
			switch rng.IntN(3) {
			case 0:
				for range rng.IntN(4 * blockEntries) {
					e := log.grow()
					if *e != 0 {
						t.Fatalf("seed %d: a new entry has %d", seed, *e)
					}
					*e = next
					want = append(want, next)
					next++
				}
				most = max(most, len(want))
			case 1:
				n := rng.IntN(len(want) + 1)
				log.cut(n)
				want = want[:n]
			default:
				n := rng.IntN(len(want) + 1)
				log.forget(n)
				want = want[n:]
			}
			if log.n != len(want) {
				t.Fatalf("seed %d: %d entries, want %d", seed, log.n, len(want))
			}
			for i := range want {
				if *log.at(i) != want[i] {
					t.Fatalf("seed %d: entry %d is %d, want %d", seed, i, *log.at(i), want[i])
				}
			}
		}
		if len(log.blocks) > most/blockEntries+2 {
			t.Errorf("seed %d: %d blocks for %d entries", seed, len(log.blocks), most)
		}
	}
}

func TestUndoLog_GivesBackWhatOneLargeBatchNeeded(t *testing.T) { //nolint:paralleltest // it counts allocations
	var log undoLog[int]
	batch := func(entries int) {
		for range entries {
			log.grow()
		}
		log.forget(entries)
	}
	batch(1000 * blockEntries)
	for range 150 {
		batch(2 * blockEntries)
	}
	if n := len(log.blocks); n > 4 {
		t.Errorf("%d blocks are kept for batches of two", n)
	}
	if n := testing.AllocsPerRun(100, func() { batch(2 * blockEntries) }); n != 0 {
		t.Errorf("a batch like the ones before allocates %v times", n)
	}
}

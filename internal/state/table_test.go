package state

import (
	"math/rand/v2"
	"testing"
)

func TestTable_BehavesLikeMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var table table
		want := map[[2]uint64]slot{}
		// Few homes and few shards, so that runs are long and wrap around.
		randomKey := func() (lo, hi uint64) { return ^uint64(0) - uint64(rng.IntN(40))<<56, uint64(rng.IntN(40)) }
		for range 20_000 {
			lo, hi := randomKey()
			switch n := rng.IntN(1000); {
			case n < 600:
				s := slot{lo: lo, hi: hi, content: rng.Uint32(), meta: 1 + rng.Uint32N(9)}
				if previous, _ := table.put(s); previous != want[[2]uint64{lo, hi}] {
					t.Fatalf("seed %d: put returned %v, want %v", seed, previous, want[[2]uint64{lo, hi}])
				}
				want[[2]uint64{lo, hi}] = s
			case n < 997:
				table.remove(lo, hi)
				delete(want, [2]uint64{lo, hi})
			default:
				limit := 1 + rng.Uint32N(9)
				table.sweep(func(s slot) bool { return s.meta < limit })
				for k, s := range want {
					if s.meta < limit {
						delete(want, k)
					}
				}
			}
			lo, hi = randomKey()
			if got := table.get(lo, hi); got != want[[2]uint64{lo, hi}] || table.n != len(want) {
				t.Fatalf("seed %d: get = %v of %d, want %v of %d", seed, got, table.n, want[[2]uint64{lo, hi}], len(want))
			}
		}
	}
}

func TestTable_ProbesStayShort(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var table table
	longest := 0
	for range 300_000 {
		_, probe := table.put(slot{lo: rng.Uint64(), hi: rng.Uint64(), meta: 1})
		longest = max(longest, probe)
	}
	if longest > maxProbe/8 {
		t.Errorf("longest probe %d", longest)
	}
	if perID := float64(24*table.capacity()) / 300_000; perID > 28.8 {
		t.Errorf("%.1f bytes an ID, want 24 at 15/16 load or a little less", perID)
	}
}

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
		want := map[hash]slot{}
		// Few homes and few shards, so that runs are long and wrap around.
		randomHash := func() hash {
			return hash{a: uint32(rng.IntN(40)), b: ^uint32(0) - uint32(rng.IntN(40))<<24, mid: 1, top: uint8(rng.IntN(2))}
		}
		for range 20_000 {
			h := randomHash()
			switch n := rng.IntN(1000); {
			case n < 600:
				s := slot{a: h.a, b: h.b, mid: h.mid, content: rng.Uint32(), meta: 1 + rng.Uint32N(9)}
				if previous, _ := table.put(h, s.content, s.meta); previous != want[h] {
					t.Fatalf("seed %d: put returned %v, want %v", seed, previous, want[h])
				}
				want[h] = s
			case n < 997:
				table.remove(h)
				delete(want, h)
			default:
				limit, number := 1+rng.Uint32N(9), rng.IntN(2)
				table.sweep(number, func(s slot) bool { return s.meta < limit })
				for k, s := range want {
					if s.meta < limit && int(k.top) == number {
						delete(want, k)
					}
				}
			}
			h = randomHash()
			if got := table.get(h); got != want[h] || table.n != len(want) {
				t.Fatalf("seed %d: get = %v of %d, want %v of %d", seed, got, table.n, want[h], len(want))
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
		_, probe := table.put(hashOf(rng.Uint64(), rng.Uint64()), 0, 1)
		longest = max(longest, probe)
	}
	if longest > maxProbe/8 {
		t.Errorf("longest probe %d", longest)
	}
	if perID := float64(20*table.capacity()) / 300_000; perID > 26 {
		t.Errorf("%.1f bytes an ID, want 20 at 15/16 load or a little less", perID)
	}
}

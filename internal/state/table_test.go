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
		// looked is the hash that was looked for last, just before the change or
		// with others in between.
		var looked hash
		for range 20_000 {
			h := randomHash()
			if rng.IntN(2) == 0 {
				h = looked
			}
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
			if rng.IntN(4) == 0 {
				continue
			}
			looked = randomHash()
			if got := table.get(looked); got != want[looked] || table.n != len(want) {
				t.Fatalf("seed %d: get = %v of %d, want %v of %d", seed, got, table.n, want[looked], len(want))
			}
		}
	}
}

// What was looked for before there was room has another place in it.
func TestTable_ReserveMovesPlaces(t *testing.T) {
	t.Parallel()
	var table table
	last := hash{b: ^uint32(0)} // its home is the last slot
	table.get(last)
	table.reserve(1000)
	table.put(last, 7, 1)
	if got := table.get(last); got.content != 7 {
		t.Errorf("got %v", got)
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

func TestTable_NewSlotsAreEmpty(t *testing.T) {
	t.Parallel()
	for size := range 3000 {
		for i, s := range makeSlots(size) {
			if s != (slot{}) {
				t.Fatalf("slot %d of %d: %v", i, size, s)
			}
		}
	}
}

// Growth leaves a shard as if all had been put into the larger one: sorted, without
// a hole between an entry and its home, however crowded and wherever the runs wrap
// around.
func TestTable_GrowthKeepsTheOrder(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		size := minSize + rng.IntN(200)
		sh := shard{slots: make([]slot, size)}
		spread := 1 + rng.Uint32N(1<<(1+rng.IntN(31)))
		for sh.n < 1+rng.IntN(size*15/16) {
			h := hash{a: rng.Uint32(), b: rng.Uint32N(spread) - spread/2, mid: 1} // around the end
			i, _, _ := sh.find(h)
			sh.insertAt(i, slot{a: h.a, b: h.b, mid: h.mid, meta: 1})
			sh.n++
		}
		before := append([]slot(nil), sh.slots...)
		sh.resize(size + 1 + rng.IntN(size))
		n := 0
		for i, s := range sh.slots {
			if s.meta == 0 {
				continue
			}
			n++
			for d := sh.distance(i); d > 0; d-- {
				j := (i - d + len(sh.slots)) % len(sh.slots)
				sorted := sh.distance(j)+d > sh.distance(i) || sh.distance(j)+d == sh.distance(i) && sh.slots[j].b <= s.b
				if sh.slots[j].meta == 0 || !sorted {
					t.Fatalf("%d slots of %d: slot %d, %d from home, has %v before it", sh.n, len(sh.slots), i, sh.distance(i), sh.slots[j])
				}
			}
		}
		if n != sh.n {
			t.Fatalf("%d slots of %d, want %d", n, len(sh.slots), sh.n)
		}
		for _, s := range before {
			if i, _, found := sh.find(hash{a: s.a, b: s.b, mid: s.mid}); s.meta != 0 && (!found || sh.slots[i] != s) {
				t.Fatalf("%v is lost", s)
			}
		}
	}
}

// A table that grows from nothing to what a task of a million records has, and the
// lookup that comes before each ID.
func BenchmarkTable(b *testing.B) {
	const ids = 125_000
	rng := rand.New(rand.NewPCG(1, 1))
	hashes := make([]hash, ids)
	for i := range hashes {
		hashes[i] = hashOf(rng.Uint64(), rng.Uint64())
	}
	b.ReportAllocs()
	for b.Loop() {
		var t table
		for _, h := range hashes {
			if t.get(h).meta == 0 {
				t.put(h, 0, 1)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/ids, "ns/ID")
}

package broker

import (
	"math/rand/v2"
	"testing"
)

// Each write is in one round, no round has a partition twice or more bytes than
// a request may have, and a partition's writes stay in order: a later sequence
// that arrives first would be refused.
func TestInRounds_KeepsOrderAndBounds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var writes []write
		var mine []int
		for i := range r.IntN(60) {
			size := 1 + r.IntN(1<<20)
			if r.IntN(8) == 0 {
				size = maxRequestBytes - r.IntN(100)
			}
			writes = append(writes, write{
				topicPartition: topicPartition{topic: []string{"a", "b"}[r.IntN(2)], partition: r.Int32N(3)},
				bytes:          make([]byte, size),
			})
			if r.IntN(5) > 0 {
				mine = append(mine, i)
			}
		}
		checkRounds(t, seed, writes, mine)
	}
}

func checkRounds(t *testing.T, seed uint64, writes []write, mine []int) {
	t.Helper()
	seen := make(map[int]int)
	newest := make(map[topicPartition]int)
	for number, round := range inRounds(writes, mine) {
		size := 0
		inRound := make(map[topicPartition]bool)
		for _, i := range round {
			tp := writes[i].topicPartition
			size += len(writes[i].bytes)
			seen[i]++
			if inRound[tp] {
				t.Fatalf("seed %d: round %d has two batches for %v", seed, number, tp)
			}
			inRound[tp] = true
			if last, ok := newest[tp]; ok && last > i {
				t.Fatalf("seed %d: write %d for %v goes before write %d", seed, last, tp, i)
			}
			newest[tp] = i
		}
		if size > maxRequestBytes && len(round) > 1 {
			t.Fatalf("seed %d: round %d has %d bytes", seed, number, size)
		}
	}
	for _, i := range mine {
		if seen[i] != 1 {
			t.Fatalf("seed %d: write %d is in %d rounds, want 1", seed, i, seen[i])
		}
	}
	if len(seen) != len(mine) {
		t.Fatalf("seed %d: %d writes in rounds, want %d", seed, len(seen), len(mine))
	}
}

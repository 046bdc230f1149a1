package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"pulse-scorer/internal/series"
)

// Whatever comes and goes, a row is found by its own key and by no other.
func TestMachineIndex_BehavesLikeAMap(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	keys := []seriesKey{{"", ""}, {"a", ""}, {"", "a"}, {"ab", "c"}, {"a", "bc"}, {"x", strings.Repeat("y", 31)}, {"x", strings.Repeat("y", 32)}, {"xy", strings.Repeat("y", 31)}}
	for i := range 3000 {
		keys = append(keys, seriesKey{fmt.Sprint("source-", i%7), fmt.Sprint("a name of some length ", i)})
	}
	x := newMachineIndex[series.Series, seriesStep]()
	held := map[seriesKey]*machineRow[series.Series, seriesStep]{}
	for round := range 40_000 {
		k := keys[r.IntN(len(keys))]
		got := x.get(x.hash(k.source, k.name), k.source, k.name)
		if got != held[k] {
			t.Fatalf("round %d: %q is %p, want %p", round, k, got, held[k])
		}
		switch {
		case got == nil:
			row := newMachineRow[series.Series, seriesStep](k.source, k.name)
			x.add(row)
			held[k] = row
		case round > 20_000 || r.IntN(2) == 0: // many come first, and more go in the end
			x.remove(got)
			delete(held, k)
		}
		if x.n != len(held) {
			t.Fatalf("round %d: %d rows, want %d", round, x.n, len(held))
		}
	}
	found := map[seriesKey]bool{}
	x.each(func(row *machineRow[series.Series, seriesStep]) {
		source, name := row.key.parts()
		found[seriesKey{source, name}] = true
		if want := appendString(appendString(nil, source), name); !bytes.Equal(row.key.append(nil), want) {
			t.Errorf("%q is written as %q, want %q", seriesKey{source, name}, row.key.append(nil), want)
		}
	})
	if len(found) != len(held) {
		t.Errorf("%d rows are listed, want %d", len(found), len(held))
	}
}

// A shard that is one run over its end, of rows with several homes.
func TestMachineIndex_ASeriesCalledLikeItsSourceIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	x := newMachineIndex[series.Series, seriesStep]()
	const n = 20_000
	for i := range n {
		x.add(newMachineRow[series.Series, seriesStep](fmt.Sprint(i), fmt.Sprint(i)))
	}
	away := 0
	for i := range x.shards {
		slots := x.shards[i].slots
		for at, s := range slots {
			if s.row != nil {
				away += (at - int(s.hash)) & (len(slots) - 1)
			}
		}
	}
	if mean := float64(away) / n; mean > 2 {
		t.Errorf("a row is %.1f slots from its home, want at most 2", mean)
	}
}

func TestMachineIndex_ARunLosesNobody(t *testing.T) {
	t.Parallel()
	x := newMachineIndex[series.Series, seriesStep]()
	s := &x.shards[0]
	s.slots = make([]indexSlot[series.Series, seriesStep], leastIndexShard)
	for i, home := range []uint64{6, 6, 7, 6, 0} { // at 6, 7, 0, 1, 2
		s.insert(indexSlot[series.Series, seriesStep]{hash: home, row: newMachineRow[series.Series, seriesStep]("s", fmt.Sprint(i))})
	}
	s.close(6)
	for i, home := range []uint64{0, 6, 7, 6, 0} {
		if got := x.get(home, "s", fmt.Sprint(i)); (got != nil) != (i > 0) {
			t.Errorf("row %d is found: %v", i, got != nil)
		}
	}
}

// Garbage collection finds the pointers of objects up to 512 bytes by a bitmap that lies
// beside them (heapBitsInSpan in Go's runtime/mbitmap.go).
func TestMachines_ARowIsSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(machineRow[series.Series, seriesStep]{}); size > 512 {
		t.Errorf("a row has %d bytes, want at most 512", size)
	}
}

package anomaly

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// While there are intervals enough, the distance is that from the nearest value seen.
func TestNovelty_MeasuresTheDistanceFromAllSeen(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		var m novelty
		var seen []float32
		for i := range intervals {
			x := float32(r.NormFloat64())
			at := m.find(x)
			before, after := m.gaps(at, x)
			want := math.Inf(1)
			for _, y := range seen {
				want = min(want, math.Abs(float64(x)-float64(y)))
			}
			if got := min(before, after); got != want {
				t.Fatalf("seed %d: value %d is %v away, want %v", seed, i, got, want)
			}
			m.cover(at, x, before, after)
			seen = append(seen, x)
		}
	}
}

// Whatever comes: intervals stay in order and cover all that was seen, and no gap that was closed
// was larger than one that is left.
func TestNovelty_KeepsTheLargestGaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		var m novelty
		var seen []float32
		for i := range 400 {
			x := float32(math.Pow(r.Float64(), -0.5) * float64(1-2*r.IntN(2)))
			m.surprise(float64(x), 0, uint32(i), true)
			seen = append(seen, x)
			for k := range m.seen[:m.used] {
				if m.seen[k].low > m.seen[k].high || k > 0 && m.seen[k-1].high >= m.seen[k].low {
					t.Fatalf("seed %d: intervals out of order: %v", seed, m.seen[:m.used])
				}
			}
			for _, y := range seen {
				if at := m.find(y); at == int(m.used) || m.seen[at].low > y {
					t.Fatalf("seed %d: %v was seen and is not covered by %v", seed, y, m.seen[:m.used])
				}
			}
		}
		slices.Sort(seen)
		if m.used != intervals || m.seen[0].low != seen[0] || m.seen[intervals-1].high != seen[len(seen)-1] {
			t.Errorf("seed %d: %d intervals from %v to %v", seed, m.used, m.seen[0].low, m.seen[intervals-1].high)
		}
	}
}

func TestNovelty_RarityIsTheShareOfLargerDistances(t *testing.T) {
	t.Parallel()
	var m novelty
	for k := range 10 { // 1, 2, 4 … 512: each at the begin of its bin
		m.count(2 * float64(k))
	}
	for _, c := range []struct {
		size float64
		want float64 // in bits, among 99 values
	}{
		{-1, -math.Log2(10.5 / 100)},
		{-100, -math.Log2(10.5 / 100)},
		{0, -math.Log2(10.5 / 100)},
		{0.5, -math.Log2(10 / 100.)}, // half of the bin's one
		{9, -math.Log2(5.5 / 100)},
		{18, -math.Log2(1.5 / 100)},
		{19, -math.Log2(0.5 / 100)},
		{21, -math.Log2(0.5/100) + beyond}, // twice as far as the end of the last bin
		{39, -math.Log2(0.5/100) + 10*beyond},
	} {
		if got := m.rarity(c.size, 99); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("a distance of %v half octaves has %v bits, want %v", c.size, got, c.want)
		}
	}
}

// One distance beyond all measure must not make all later ones rare.
func TestNovelty_HugeDistanceLeavesSmallOnesCommon(t *testing.T) {
	t.Parallel()
	var m novelty
	for range 500 {
		m.count(0)
	}
	m.count(200)
	if bits := m.rarity(0, 1000); bits > 1.1 {
		t.Errorf("what half of the values do has %v bits, want 1", bits)
	}
}

func TestNovelty_FadesWhatDoesNotComeAgain(t *testing.T) {
	t.Parallel()
	var m novelty
	m.surprise(100, 0, 0, true)
	m.surprise(0, 0, 1, true)
	m.surprise(-50, 0, 2, true)
	m.fade()
	m.surprise(0, 0, 1, true)
	m.surprise(-50, 0, 2, true)
	m.fade()
	if m.used != 2 || m.seen[0].low != -50 || m.seen[1].low != 0 {
		t.Errorf("%v is left, want -50 and 0", m.seen[:m.used])
	}
	if m.counts != ([bins]uint16{}) {
		t.Errorf("%v is counted, want nothing", m.counts)
	}
}

func TestNovelty_DustIsNoDistance(t *testing.T) {
	t.Parallel()
	var m novelty
	for range 100 {
		m.surprise(1, 1e-6, 100, true)
	}
	if bits := m.surprise(1+1e-7, 1e-6, 100, true); bits != 0 {
		t.Errorf("dust has %v bits", bits)
	}
	if bits := m.surprise(1.001, 1e-6, 100, true); bits < 6 {
		t.Errorf("the first real distance among 100 values has %v bits, want at least 6", bits)
	}
}

package anomaly

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestNumbers_AreGoodToTenDigits(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		x := math.Ldexp(1+r.Float64(), r.IntN(600)-300)
		if got, want := log2(x), math.Log2(x); math.Abs(got-want) > 1e-10*(1+math.Abs(want)) {
			t.Fatalf("log2(%v) = %v, want %v", x, got, want)
		}
		y := 400*r.Float64() - 300
		if got, want := exp2(y), math.Exp2(y); math.Abs(got-want) > 1e-10*want {
			t.Fatalf("exp2(%v) = %v, want %v", y, got, want)
		}
	}
	if exp2(-5000) != 0 || math.IsInf(exp2(1100), 0) == false {
		t.Errorf("exp2 ends at %v and %v, want 0 and infinity", exp2(-5000), exp2(1100))
	}
}

func TestNumbers_PartsAreTheLibrarys(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	numbers := []float64{0, math.Copysign(0, -1), 1, -1, math.SmallestNonzeroFloat64, 0x1p-1022, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
	for range 200_000 {
		numbers = append(numbers, math.Float64frombits(r.Uint64()))
	}
	same := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }
	for i, x := range numbers {
		got, gotE := frexp(x)
		if want, wantE := math.Frexp(x); !same(got, want) || gotE != wantE {
			t.Fatalf("frexp(%v) = %v, %d, want %v, %d", x, got, gotE, want, wantE)
		}
		for _, e := range []int{0, 1, -1, 40, -40, 1023, -1022, -1074, 2000, -2200, r.IntN(4400) - 2200, -i % 1100} {
			if got, want := ldexp(x, e), math.Ldexp(x, e); !same(got, want) {
				t.Fatalf("ldexp(%v, %d) = %v, want %v", x, e, got, want)
			}
		}
	}
}

// The bits are the same on every architecture; these were taken on amd64.
func TestNumbers_HaveFixedBits(t *testing.T) {
	t.Parallel()
	sum := uint64(0)
	for i := range 1000 {
		x := float64(i+1) / 7
		for _, y := range []float64{log2(x), exp2(-x), toward(x, 1/x, 1.0/3)} {
			sum = sum*1099511628211 ^ math.Float64bits(y)
		}
	}
	if want := uint64(0x19c2ac50c854e1a0); sum != want {
		t.Errorf("checksum %#x, want %#x", sum, want)
	}
}

// As TestNumbers_HaveFixedBits, for the whole detector.
func TestNext_HasFixedBits(t *testing.T) {
	t.Parallel()
	sum := uint64(0)
	for _, s := range labelled(t) {
		for _, score := range s.scores() {
			sum = sum*1099511628211 ^ math.Float64bits(score)
		}
	}
	if want := uint64(0xe69eb6e0e26baca9); sum != want {
		t.Errorf("checksum %#x, want %#x", sum, want)
	}
}

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

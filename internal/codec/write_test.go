package codec

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// strconvText is the text of a number that is finite, all of it from strconv.
func strconvText(f float64) string {
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	return strconv.FormatFloat(f, form, -1, 64)
}

func requireStrconvsText(t *testing.T, f float64) {
	t.Helper()
	for _, f := range []float64{f, -f} {
		if got, want := string(appendNumber(nil, f)), strconvText(f); got != want {
			t.Fatalf("%v (bits %x): got %s, want %s", f, math.Float64bits(f), got, want)
		}
	}
}

// Every way to a text gives what package strconv gives: at random, for few decimals
// and many, beside powers of two and ten, at both limits of the shortcuts, and where
// two decimals of the same length are equally near (a few bits after the point of
// a large number).
func TestAppendNumber_IsStrconvsText(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		requireStrconvsText(t, math.Ldexp(1+random.Float64(), random.IntN(100)-40))
		requireStrconvsText(t, 100+10*random.NormFloat64())
		requireStrconvsText(t, float64(random.Uint64()>>random.IntN(64))/exactPowers[random.IntN(len(exactPowers))])
		requireStrconvsText(t, math.Ldexp(float64(1<<52|random.Uint64N(1<<52)), -random.IntN(20)))
		requireStrconvsText(t, float64(random.IntN(20_001))/exactPowers[random.IntN(6)])
	}
	for power := -1074; power < 1024; power++ {
		requireNeighbours(t, math.Ldexp(1, power))
	}
	for power := -323; power <= 308; power++ {
		f, _ := strconv.ParseFloat("1e"+strconv.Itoa(power), 64)
		requireNeighbours(t, f)
	}
	requireNeighbours(t, 0)
	requireNeighbours(t, math.MaxFloat64)
}

func requireNeighbours(t *testing.T, f float64) {
	t.Helper()
	for _, f := range []float64{f, math.Nextafter(f, 0), math.Nextafter(f, math.MaxFloat64)} {
		requireStrconvsText(t, f)
	}
}

// FuzzAppendNumber holds that every finite number has strconv's text.
func FuzzAppendNumber(f *testing.F) {
	for _, number := range []float64{0, 0.998, 103.48291734659182, 1e-6, 1 << 52, 4503599627370495.5, 281474976710656.03125, 5e-324} {
		f.Add(math.Float64bits(number))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		if number := math.Float64frombits(bits); !math.IsNaN(number) && !math.IsInf(number, 0) {
			requireStrconvsText(t, number)
		}
	})
}

package codec

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// Every way to a float64 gives what package strconv gives: numbers of all lengths
// at random, and those that lie on the middle between two floats, or next to it.
func TestNumber_FloatAgreesWithStrconv(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		digits := strconv.FormatUint(random.Uint64()>>random.IntN(64), 10)
		power := random.IntN(45) - 22
		checkFloat(t, digits+"e"+strconv.Itoa(power))
		checkFloat(t, digits+"e-"+strconv.Itoa(random.IntN(19)))
		if point := random.IntN(len(digits)); point > 0 {
			checkFloat(t, "-"+digits[:point]+"."+digits[point:])
		}
	}
	for range 100_000 {
		// Odd multiples of a half, a quarter and so on of the last place of a float.
		odd := 1<<53 + random.Uint64N(1<<53) | 1
		for shift := 1; shift <= 10; shift++ {
			middle := strconv.FormatFloat(math.Ldexp(float64(odd>>11|1), -shift), 'f', -1, 64)
			checkFloat(t, middle)
		}
		tie := strconv.FormatUint(odd, 10) // of two floats above 2^53
		for _, text := range []string{tie, tie + "0e-1", tie + "00e-2", tie + "1e-1", tie + "01e-2", strconv.FormatUint(odd-1, 10) + "99e-2"} {
			checkFloat(t, text)
		}
	}
}

func checkFloat(t *testing.T, text string) {
	t.Helper()
	s := scanner{buf: []byte(text)}
	n, end := s.number(0)
	if end != len(text) {
		t.Fatalf("%s: read to %d", text, end)
	}
	want, _ := strconv.ParseFloat(text, 64)
	if got := n.float([]byte(text)); got != want {
		t.Fatalf("%s: got %v, want %v", text, got, want)
	}
}

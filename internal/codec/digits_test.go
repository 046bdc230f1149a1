package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// Each of the two halves of eight digits takes every value, and so do three digits.
func TestDigits_AreThoseOfTheNumber(t *testing.T) {
	t.Parallel()
	for half := range uint64(10_000) {
		for _, n := range []uint64{half, half * 10_000, half*10_000 + 9999 - half} {
			text := binary.LittleEndian.AppendUint64(nil, zeros|eightDigits(n))
			if want := fmt.Sprintf("%08d", n); string(text) != want {
				t.Fatalf("got %s, want %s", text, want)
			}
		}
	}
	for n := range uint32(1000) {
		text := binary.LittleEndian.AppendUint32(nil, zeros&math.MaxUint32|threeDigits(n))
		if want := fmt.Sprintf("%03d0", n); string(text) != want {
			t.Fatalf("got %s, want %s", text, want)
		}
	}
}

func TestAppendInt_IsStrconvsText(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	list := []int64{0, 1, -1, math.MinInt64, math.MaxInt64}
	for power := range 19 {
		unit := int64(wholePowers[power])
		list = append(list, unit-1, unit, unit+1, -unit, random.Int64()>>random.IntN(64))
	}
	for _, n := range list {
		if got, want := string(appendInt([]byte("x"), n)), "x"+strconv.FormatInt(n, 10); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

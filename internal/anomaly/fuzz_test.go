package anomaly

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// Whatever the values and times: scores are within 0 and 1, a detector stored and
// restored halfway goes on exactly alike, and its size stays bounded.
func FuzzNext(f *testing.F) {
	f.Add([]byte{})
	for _, values := range [][]float64{{0, 0, 1}, {1e300, -1e300, math.MaxFloat64, 5e-324}, {1, 1 + 1e-15, 1e-300, -1, math.Inf(1)}} {
		var input []byte
		for i, v := range values {
			input = binary.LittleEndian.AppendUint64(input, uint64(i)*step)
			input = binary.LittleEndian.AppendUint64(input, math.Float64bits(v))
		}
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var d, restored Detector
		given := len(input) / 16
		if given == 0 {
			return
		}
		const most = 4000
		for i := range most { // the same again and again, so that memory fills
			from, round := input[i%given*16:], i/given
			at := int64(binary.LittleEndian.Uint64(from)) + int64(round)*hour
			v := math.Float64frombits(binary.LittleEndian.Uint64(from[8:])) * float64(1+round%7)
			if i%(most/5) == 0 {
				if err := restored.UnmarshalBinary(encode(t, &d)); err != nil {
					t.Fatal(err)
				}
			}
			score, other := d.Next(at, v), restored.Next(at, v)
			if !(score >= 0 && score <= 1) || other != score {
				t.Fatalf("value %d (%v) scores %v, restored %v", i, v, score, other)
			}
		}
		if d.Size() > 4096 {
			t.Fatalf("%d bytes", d.Size())
		}
	})
}

// Bytes of any kind are refused or make a detector that works: it is stored
// as it was read, and its scores are within 0 and 1.
func FuzzUnmarshalBinary(f *testing.F) {
	for _, n := range []int{0, 5, 60, 3000} {
		s := ordinary(n, 1)[7]
		var d Detector
		for i, v := range s.values {
			d.Next(s.times[i], v)
		}
		f.Add(encode(f, &d))
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		var d, again Detector
		if err := d.UnmarshalBinary(state); err != nil {
			return
		}
		stored := encode(t, &d)
		if err := again.UnmarshalBinary(stored); err != nil {
			t.Fatalf("what was read is refused: %v", err)
		}
		if !bytes.Equal(encode(t, &again), stored) {
			t.Fatal("stored otherwise the second time")
		}
		for i := range 300 {
			v := math.Ldexp(float64(i%13-6), i*7%2000-1000)
			if score := d.Next(int64(i)*step, v); !(score >= 0 && score <= 1) {
				t.Fatalf("%v scores %v", v, score)
			}
		}
	})
}

package anomaly

import "testing"

func TestDetector_RestoredGoesOnAlike(t *testing.T) {
	t.Parallel()
	var a, b, c Detector
	for i := range 200 {
		a.Next(int64(i)*1e6, float64(i%7))
	}
	state, err := a.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	c.CopyFrom(&a)
	for i := range 200 {
		at, v := int64(200+i)*1e6, float64(i%11)
		want := a.Next(at, v)
		if got := b.Next(at, v); got != want {
			t.Fatalf("restored scores %v, want %v", got, want)
		}
		if got := c.Next(at, v); got != want {
			t.Fatalf("copied scores %v, want %v", got, want)
		}
	}
}

package anomaly

import "testing"

// A million series must fit into memory: what the package's doc says a series takes.
func TestSize_IsBoundedAndSmallWhenYoung(t *testing.T) {
	t.Parallel()
	for _, s := range ordinary(20_000, 1) {
		var d Detector
		young := 0
		for i, v := range s.values {
			if d.Next(s.times[i], v); i == 9 {
				young = d.Size()
			}
		}
		if young > 128 {
			t.Errorf("%s: %d bytes after 10 values, want at most 128", s.name, young)
		}
		if size := d.Size(); size > 2048 {
			t.Errorf("%s: %d bytes, want at most 2048", s.name, size)
		}
		if stored := len(encode(t, &d)); stored > 2000 {
			t.Errorf("%s: %d bytes stored, want at most 2000", s.name, stored)
		}
	}
}

func TestNext_AllocatesNothingWhenGrown(t *testing.T) {
	s := ordinary(4000, 1)[0]
	var d, copied Detector
	for i, v := range s.values {
		d.Next(s.times[i], v)
	}
	copied.CopyFrom(&d)
	state := make([]byte, 0, 4096)
	i := 0
	allocated := testing.AllocsPerRun(1000, func() {
		d.Next(int64(4000+i)*step, s.values[i%4000])
		copied.CopyFrom(&d)
		state, _ = d.AppendBinary(state[:0])
		i++
	})
	if allocated != 0 {
		t.Errorf("%v allocations a value, want none", allocated)
	}
}

func BenchmarkNext(b *testing.B) {
	for _, s := range labelled(b) {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			var d Detector
			i, shift := 0, int64(0)
			for b.Loop() {
				d.Next(s.times[i]+shift, s.values[i])
				if i++; i == len(s.values) {
					i, shift = 0, shift+s.times[len(s.times)-1]-s.times[0]+step
				}
			}
		})
	}
}

func BenchmarkState(b *testing.B) {
	s := ordinary(4000, 1)[0]
	var d, other Detector
	for i, v := range s.values {
		d.Next(s.times[i], v)
	}
	state := encode(b, &d)
	b.Run("CopyFrom", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			other.CopyFrom(&d)
		}
	})
	b.Run("AppendBinary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			state, _ = d.AppendBinary(state[:0])
		}
		b.ReportMetric(float64(len(state)), "bytes")
	})
	b.Run("UnmarshalBinary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := other.UnmarshalBinary(state); err != nil {
				b.Fatal(err)
			}
		}
	})
}

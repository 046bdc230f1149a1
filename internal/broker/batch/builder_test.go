package batch_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/codec"
)

func fill(b *batch.Builder, entries []entry) {
	b.Reset()
	for _, e := range entries {
		b.Append(e.ms, e.key, e.value, e.headers)
	}
}

func compressor(t testing.TB, kind batch.Compression) *batch.Compressor {
	t.Helper()
	c, err := batch.NewCompressor(kind)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The same records, encoded by franz-go's types, are the same bytes.
func TestBuilder_WritesWhatTheReferenceWrites(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var b batch.Builder
	for range 200 {
		want := reference{entries: randomEntries(rng, 1+rng.IntN(30)), producerID: 42, attributes: 1 << 4}
		fill(&b, want.entries)
		got := b.Seal(nil)
		batch.Stamp(got, 42, 7, 11, true)
		raw := want.bytes(t)
		copy(raw[12:16], []byte{0xff, 0xff, 0xff, 0xff}) // leader epoch: not the producer's to say
		if !bytes.Equal(got, raw) {
			t.Fatalf("got\n%x\nwant\n%x", got, raw)
		}
		if b.Len() != len(want.entries) || b.Size() != len(raw) || batch.Count(got) != int32(len(want.entries)) {
			t.Fatalf("Len %d, Size %d, Count %d; want %d, %d", b.Len(), b.Size(), batch.Count(got), len(want.entries), len(raw))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, kind := range []batch.Compression{batch.None, batch.LZ4, batch.Zstd} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, uint64(kind)))
			packer, cursor := compressor(t, kind), batch.NewCursor(roomy)
			var b batch.Builder
			for range 40 {
				want := randomEntries(rng, 1+rng.IntN(300))
				fill(&b, want)
				sealed := b.Seal(packer)
				batch.Stamp(sealed, 5, 1, 0, true)
				got := one(t, sealed)
				if rs := readAll(t, cursor, got); !reflect.DeepEqual(rs, want) {
					t.Fatalf("got  %v\nwant %v", rs, want)
				}
				if got.ProducerID != 5 || got.ProducerEpoch != 1 || !got.Transactional() || got.Control() {
					t.Fatalf("header %+v", got)
				}
			}
		})
	}
}

func TestSeal_CompressesOnlyWhereItHelps(t *testing.T) {
	t.Parallel()
	for _, kind := range []batch.Compression{batch.LZ4, batch.Zstd} {
		packer := compressor(t, kind)
		var b batch.Builder
		b.Append(1, []byte("k"), []byte("x"), nil)
		if got := one(t, b.Seal(packer)); got.Compression() != batch.None {
			t.Errorf("%v: one byte was compressed", kind)
		}
		b.Append(1, nil, bytes.Repeat([]byte("a"), 900), nil)
		if got := one(t, b.Seal(packer)); got.Compression() != batch.None {
			t.Errorf("%v: less than a kilobyte was compressed", kind)
		}
		b.Reset()
		for range 1000 {
			b.Append(1, []byte("key"), []byte("the same again and again"), nil)
		}
		sealed := b.Seal(packer)
		if got := one(t, sealed); got.Compression() != kind || len(sealed)*5 > b.Size() {
			t.Errorf("%v: %d bytes of %d, attributes say %v", kind, len(sealed), b.Size(), got.Compression())
		}
		if got := one(t, b.Seal(nil)); got.Compression() != batch.None || got.Count != 1000 {
			t.Errorf("%v: sealed again without compression: %+v", kind, got)
		}
	}
}

// A retry after a new epoch stamps the same bytes again.
func TestStamp_CanBeRepeated(t *testing.T) {
	t.Parallel()
	var b batch.Builder
	b.Append(9, nil, []byte("v"), nil)
	sealed := b.Seal(nil)
	if got := one(t, sealed); got.ProducerID != -1 || got.ProducerEpoch != -1 || got.BaseSequence != -1 || got.Transactional() {
		t.Errorf("before a stamp: %+v, want no producer", got)
	}
	batch.Stamp(sealed, 100, 1, 50, true)
	first := string(sealed)
	batch.Stamp(sealed, 100, 2, 0, false)
	if got := one(t, sealed); got.ProducerEpoch != 2 || got.BaseSequence != 0 || got.Transactional() {
		t.Errorf("after the second stamp: %+v", got)
	}
	batch.Stamp(sealed, 100, 1, 50, true)
	if string(sealed) != first {
		t.Error("the first stamp, repeated, gives other bytes")
	}
}

func TestBuilder_EmptyAndDiscard(t *testing.T) {
	t.Parallel()
	var b batch.Builder
	if b.Seal(nil) != nil || b.Size() != batch.HeaderSize || b.Len() != 0 {
		t.Errorf("empty builder: %d bytes sealed, size %d, %d records", len(b.Seal(nil)), b.Size(), b.Len())
	}
	b.Append(1, nil, []byte("kept"), nil)
	held := b.Seal(nil)
	want := string(held)
	b.Discard()
	b.Append(2, nil, []byte("over"), nil)
	b.Seal(nil)
	if string(held) != want {
		t.Error("bytes handed out before Discard were overwritten")
	}
	b.Reset()
	if b.Seal(nil) != nil {
		t.Error("a reset builder still seals a batch")
	}
}

func TestRecordBound_IsNeverExceeded(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	var b batch.Builder
	b.Append(math.MinInt64, nil, nil, nil) // the widest time deltas
	for _, e := range randomEntries(rng, 3000) {
		before, bound := b.Size(), batch.RecordBound(e.key, e.value, e.headers)
		b.Append(rng.Int64(), e.key, e.value, e.headers)
		if grown := b.Size() - before; grown > bound || bound-grown > 20 {
			t.Fatalf("a record took %d bytes, bound %d", grown, bound)
		}
	}
}

func TestNextSequence_WrapsToZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ seq, n, want int32 }{
		{0, 5, 5}, {math.MaxInt32 - 1, 1, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 1, 5, 3},
	} {
		if got := batch.NextSequence(c.seq, c.n); got != c.want {
			t.Errorf("NextSequence(%d, %d) = %d, want %d", c.seq, c.n, got, c.want)
		}
	}
}

func TestParseCompression(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]batch.Compression{"none": batch.None, "lz4": batch.LZ4, "zstd": batch.Zstd} {
		if got, err := batch.ParseCompression(name); got != want || err != nil {
			t.Errorf("ParseCompression(%q) = %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "gzip", "snappy", "LZ4", "brotli"} {
		if _, err := batch.ParseCompression(name); err == nil {
			t.Errorf("ParseCompression(%q) is accepted", name)
		}
	}
	for _, kind := range []batch.Compression{batch.Gzip, batch.Snappy, 5} {
		if _, err := batch.NewCompressor(kind); err == nil {
			t.Errorf("NewCompressor(%v) is accepted", kind)
		}
	}
}

// franz-go's record type reads what the builder writes.
func TestBuilder_RecordIsReadByTheReference(t *testing.T) {
	t.Parallel()
	var b batch.Builder
	b.Append(1000, []byte("k"), nil, []codec.Header{{Key: "a", Value: nil}, {Key: "", Value: []byte{}}})
	var whole kmsg.RecordBatch
	if err := whole.ReadFrom(b.Seal(nil)); err != nil {
		t.Fatal(err)
	}
	var got kmsg.Record
	if err := got.ReadFrom(whole.Records); err != nil {
		t.Fatal(err)
	}
	if string(got.Key) != "k" || got.Value != nil || len(got.Headers) != 2 || got.Headers[0].Value != nil || got.Headers[1].Value == nil {
		t.Errorf("reference reads %+v", got)
	}
}

func TestBuilder_SteadyStateAllocatesNothing(t *testing.T) {
	var b batch.Builder
	key, value, headers := []byte("key"), make([]byte, 114), []codec.Header{{Key: "h", Value: []byte("v")}}
	round := func() {
		b.Reset()
		for range 500 {
			b.Append(1, key, value, headers)
		}
		batch.Stamp(b.Seal(nil), 1, 1, 1, true)
	}
	round()
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations for a batch of 500", n)
	}
}

func BenchmarkBuilder(b *testing.B) {
	for _, kind := range []batch.Compression{batch.None, batch.LZ4, batch.Zstd} {
		b.Run(kind.String(), func(b *testing.B) {
			packer := compressor(b, kind)
			value := []byte(`{"name":"taxi.count","value":1234.5678901,"source":"nyc","timestamp":"2026-11-23T18:10:00Z","id":"abcdefg-01234"}`)
			key := []byte("taxi.count")
			var bu batch.Builder
			const per = 4000
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				bu.Reset()
				for i := range int64(per) {
					bu.Append(1_700_000_000_000+i, key, value, nil)
				}
				batch.Stamp(bu.Seal(packer), 1, 1, 0, true)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/per, "ns/record")
		})
	}
}

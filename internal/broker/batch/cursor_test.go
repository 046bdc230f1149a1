package batch_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/codec"
)

// Every compression, read whole and as a stream, gives what the reference
// encoder was given.
func TestCursor_ReadsWhatTheReferenceWrites(t *testing.T) {
	t.Parallel()
	for name := range compressions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(9, 10))
			whole := batch.NewCursor(roomy)
			stream := batch.NewCursor(batch.Limits{Inflate: 100, Part: 1 << 10})
			for n := 0; n < 300; n += 17 {
				want := reference{base: rng.Int64N(1 << 40), entries: randomEntries(rng, 1+n), compression: name}
				b := one(t, want.bytes(t))
				for _, c := range []*batch.Cursor{whole, stream} {
					if got := readAll(t, c, b); !reflect.DeepEqual(got, want.entries) {
						t.Fatalf("streaming %v: got  %v\nwant %v", c.Streaming(), got, want.entries)
					}
				}
				if n > 10 && name != "" && !stream.Streaming() {
					t.Fatal("the limit was not met: nothing was tested")
				}
			}
		})
	}
}

func TestCursor_CompactedBatches(t *testing.T) {
	t.Parallel()
	want := []entry{{delta: 2, key: []byte("a")}, {delta: 7, ms: 3, key: []byte("b")}}
	b := one(t, reference{base: 1000, entries: want, lastDelta: 9}.bytes(t))
	if got := readAll(t, batch.NewCursor(roomy), b); !reflect.DeepEqual(got, want) || b.LastOffset != 1009 {
		t.Errorf("got %v up to %d", got, b.LastOffset)
	}
	for _, attributes := range []int16{0, 1, 2, 3, 4} {
		empty := one(t, reference{base: 1000, lastDelta: 9, attributes: attributes}.bytes(t))
		if got := readAll(t, batch.NewCursor(roomy), empty); len(got) != 0 || empty.LastOffset != 1009 {
			t.Errorf("attributes %d: %v up to %d, want no records up to 1009", attributes, got, empty.LastOffset)
		}
	}
}

func TestCursor_LogAppendTimeCountsForAllRecords(t *testing.T) {
	t.Parallel()
	in := reference{attributes: 1 << 3, maxMs: 777, entries: []entry{{ms: 5}, {delta: 1, ms: 900}}}
	for _, e := range readAll(t, batch.NewCursor(roomy), one(t, in.bytes(t))) {
		if e.ms != 777 {
			t.Errorf("record %d has time %d, want the broker's, 777", e.delta, e.ms)
		}
	}
}

func TestCursor_RefusesMalformedRecords(t *testing.T) {
	t.Parallel()
	ok := reference{entries: []entry{{key: []byte("k"), value: []byte("v"), headers: []codec.Header{{Key: "h"}}}}}
	good := ok.records()
	spoiled := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	cases := map[string][]byte{
		"nothing":                {},
		"length too large":       spoiled(0, 2*60),
		"length negative":        spoiled(0, 1),
		"length null":            spoiled(0, 3),
		"length zero":            spoiled(0, 0),
		"length cuts headers":    spoiled(0, 2*8),
		"overlong varint":        append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, good...),
		"offset beyond last":     spoiled(3, 2),
		"offset negative":        spoiled(3, 1),
		"key too long":           spoiled(4, 2*60),
		"key length -2":          spoiled(4, 3),
		"value too long":         spoiled(6, 2*60),
		"value length -2":        spoiled(6, 3),
		"bytes after the last":   append(bytes.Clone(good), 0),
		"a record too many":      append(bytes.Clone(good), good...),
		"no headers count":       {2 * 5, 0, 0, 0, 1, 1},
		"endless timestamp":      {2 * 3, 0, 0xff, 0xff},
		"length of 2^62, short":  {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"value of 2^62 in stock": {2 * 14, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
	}
	for name, records := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, compression := range []string{"", "gzip"} {
				for _, limits := range []batch.Limits{roomy, {Inflate: 1, Part: 100}, {Inflate: 1, Part: 2}} {
					in := ok
					in.base, in.compression = 31, compression
					err := walk(batch.NewCursor(limits), one(t, in.with(t, records)))
					var corrupt *batch.CorruptError
					if !errors.Is(err, batch.ErrMalformed) || !errors.As(err, &corrupt) || corrupt.Offset != 31 {
						t.Errorf("%q, limits %+v: %v, want ErrMalformed at 31", compression, limits, err)
					}
				}
			}
		})
	}
}

func TestCursor_RefusesOffsetsThatRepeat(t *testing.T) {
	t.Parallel()
	in := reference{entries: []entry{{delta: 1}, {delta: 1}}, lastDelta: 5}
	if err := walk(batch.NewCursor(roomy), one(t, in.bytes(t))); !errors.Is(err, batch.ErrMalformed) {
		t.Errorf("got %v, want ErrMalformed", err)
	}
}

// walk reads a batch to its end or first fault.
func walk(c *batch.Cursor, b batch.Batch) error {
	if _, err := c.Reset(b, nil); err != nil {
		return err
	}
	var r batch.Record
	for c.Next(&r) {
	}
	return c.Err()
}

func TestCursor_RefusesDamagedCompression(t *testing.T) {
	t.Parallel()
	for name, c := range compressions {
		if name == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := reference{entries: randomEntries(rand.New(rand.NewPCG(3, 4)), 200)}
			packed := c.pack(t, in.records())
			badXerial := []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff")
			for _, limits := range []batch.Limits{roomy, {Inflate: 64, Part: 1 << 10}} {
				for _, bad := range [][]byte{{}, packed[:len(packed)/2], packed[:4], badXerial, {0xff, 0xff, 0xff, 0xff, 0x0f, 0}} {
					in.attributes = c.id
					if err := walk(batch.NewCursor(limits), one(t, in.with(t, bad))); !errors.Is(err, batch.ErrMalformed) {
						t.Errorf("%d bytes of %d, limits %+v: %v, want ErrMalformed", len(bad), len(packed), limits, err)
					}
				}
			}
		})
	}
}

// In a stream, parts beyond the limit come as size and hash, and the records
// around them are whole.
func TestCursor_WithholdsLargePartsOfAStream(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), 20<<10)
	hidden := batch.Digest{Size: int64(len(large)), SHA256: sha256.Sum256(large)}
	header, rawHeader := []codec.Header{{Key: "h", Value: []byte("v")}}, []byte{2, 2, 'h', 2, 'v'}
	rawLarge := kmsg.Record{Headers: []kmsg.Header{{Key: "big", Value: large}}}
	headers := rawLarge.AppendTo(nil)[6:] // what follows length, attributes, deltas, key and value
	in := reference{base: 10, compression: "zstd, stream", entries: []entry{
		{delta: 0, key: []byte("a"), value: []byte("small"), headers: header},
		{delta: 1, key: []byte("b"), value: large, headers: header},
		{delta: 2, key: large, value: nil},
		{delta: 3, key: nil, value: []byte{}, headers: []codec.Header{{Key: "big", Value: large}}},
		{delta: 4, key: []byte("e"), value: []byte("last")},
	}}
	want := []batch.Record{
		{Offset: 10, Key: []byte("a"), Value: []byte("small"), Headers: rawHeader},
		{Offset: 11, Key: []byte("b"), Headers: rawHeader, Withheld: &batch.Withheld{Value: hidden}},
		{Offset: 12, Withheld: &batch.Withheld{Key: hidden}},
		{Offset: 13, Value: []byte{}, Withheld: &batch.Withheld{Headers: batch.Digest{Size: int64(len(headers)), SHA256: sha256.Sum256(headers)}}},
		{Offset: 14, Key: []byte("e"), Value: []byte("last")},
	}
	c := batch.NewCursor(batch.Limits{Inflate: 1 << 10, Part: 4 << 10})
	if _, err := c.Reset(one(t, in.bytes(t)), nil); err != nil || !c.Streaming() {
		t.Fatalf("Reset: %v, streaming %v", err, c.Streaming())
	}
	for i := range want {
		var r batch.Record
		if !c.Next(&r) || !reflect.DeepEqual(r, want[i]) {
			t.Fatalf("record %d: got %+v, %v; want %+v", i, r, c.Err(), want[i])
		}
	}
	if c.Next(new(batch.Record)) || c.Err() != nil {
		t.Errorf("after the last: %v", c.Err())
	}
}

// A value of 10 MiB in a batch of a fraction of that. One-shot zstd makes the
// frame its own window, and a bare snappy block cannot be read in part.
func TestCursor_WithholdsALargeValueOfEveryCompression(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), 640<<10)
	hidden := batch.Digest{Size: int64(len(large)), SHA256: sha256.Sum256(large)}
	c := batch.NewCursor(batch.Limits{Inflate: 4 << 20, Part: 1 << 20, Held: 1 << 20})
	for name := range compressions {
		set := reference{compression: name, entries: []entry{{value: large}, {delta: 1, value: []byte("after")}}}.bytes(t)
		for range 2 { // a decompressor that was used once works again
			var large, after batch.Record
			buf, err := c.Reset(one(t, set), nil)
			if err != nil || !c.Next(&large) || large.Withheld == nil || large.Withheld.Value != hidden || large.Value != nil {
				t.Fatalf("%q: %v, %v: %+v", name, err, c.Err(), large)
			}
			if !c.Next(&after) || string(after.Value) != "after" || after.Withheld != nil || c.Next(&after) || c.Err() != nil {
				t.Fatalf("%q: %+v, %v", name, after, c.Err())
			}
			if cap(buf) > 8<<20 {
				t.Errorf("%q: buffer of %d bytes", name, cap(buf))
			}
		}
	}
}

func TestCursor_WithholdsHeldValuesBeyondTheCap(t *testing.T) {
	t.Parallel()
	value := bytes.Repeat([]byte("x"), 101)
	in := reference{entries: []entry{{value: value[:100]}, {delta: 1, value: value}, {delta: 2}}}
	c := batch.NewCursor(batch.Limits{Inflate: 1 << 20, Part: 10, Held: 100})
	if _, err := c.Reset(one(t, in.bytes(t)), nil); err != nil {
		t.Fatal(err)
	}
	var got [3]batch.Record
	for i := range got {
		c.Next(&got[i])
		if i == 1 && (got[i].Withheld == nil || got[i].Withheld.Value != batch.Digest{Size: 101, SHA256: sha256.Sum256(value)}) {
			t.Errorf("101 bytes: %+v", got[i])
		}
	}
	if len(got[0].Value) != 100 || got[0].Withheld != nil || got[1].Value != nil || got[2].Withheld != nil {
		t.Errorf("got %+v", got)
	}
}

func TestHeaderParser_RefusesMalformed(t *testing.T) {
	t.Parallel()
	var p batch.HeaderParser
	for _, raw := range [][]byte{{1}, {2}, {2, 1, 1}, {2, 0}, {2, 0, 4, 1}, {2, 0, 1, 0}, {4, 0, 1}, {0x80}, {0, 0}, {0xfe, 0xff, 0xff, 0xff, 0xff, 0x1f}} {
		kept := []codec.Header{{Key: "kept"}}
		if got, err := p.Parse(kept, raw); !errors.Is(err, batch.ErrMalformed) || len(got) != 1 {
			t.Errorf("headers %v: %v, %v; want ErrMalformed", raw, got, err)
		}
	}
	if got, err := p.Parse(nil, []byte{0}); err != nil || len(got) != 0 {
		t.Errorf("no headers: %v, %v", got, err)
	}
}

func TestCursor_SteadyStateAllocatesNothing(t *testing.T) {
	for name := range compressions {
		set := reference{entries: randomEntries(rand.New(rand.NewPCG(1, 9)), 300), compression: name}.bytes(t)
		c := batch.NewCursor(roomy)
		var buf []byte
		var r batch.Record
		var p batch.HeaderParser
		var headers []codec.Header
		round := func() {
			b, _, err := batch.Next(set)
			if err != nil {
				t.Fatal(err)
			}
			if buf, err = c.Reset(b, buf); err != nil {
				t.Fatal(err)
			}
			for c.Next(&r) {
				if headers, err = p.Parse(headers[:0], r.Headers); err != nil {
					t.Fatal(err)
				}
			}
		}
		round()
		n := testing.AllocsPerRun(20, round)
		t.Logf("%q: %v allocations a batch", name, n)
		// Decompressors may allocate a little a batch (gzip's tables, pools
		// under the race detector), never a record.
		if allowed := map[bool]float64{true: 0, false: 150}[name == ""]; n > allowed {
			t.Errorf("%q: %v allocations a batch of 300", name, n)
		}
	}
}

func BenchmarkCursor(b *testing.B) {
	for _, name := range []string{"", "snappy, xerial", "lz4", "zstd, stream"} {
		b.Run(name, func(b *testing.B) {
			const per = 4000
			in := reference{compression: name}
			value := []byte(`{"name":"taxi.count","value":1234.5678901,"source":"nyc","timestamp":"2026-11-23T18:10:00Z","id":"abcdefg-01234"}`)
			for i := range int32(per) {
				value[len(value)-3-int(i%7)] = byte('0' + i%10)
				in.entries = append(in.entries, entry{delta: i, ms: int64(i), key: []byte("taxi.count"), value: bytes.Clone(value)})
			}
			set := in.bytes(b)
			c := batch.NewCursor(roomy)
			var buf []byte
			var r batch.Record
			b.ReportAllocs()
			for b.Loop() {
				bt, _, err := batch.Next(set)
				if err != nil {
					b.Fatal(err)
				}
				if buf, err = c.Reset(bt, buf); err != nil {
					b.Fatal(err)
				}
				for c.Next(&r) {
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/per, "ns/record")
		})
	}
}

// FuzzNext feeds arbitrary bytes, with the checksum made right so that the
// content is reached. Invariants: no panic; nothing is read beyond the set
// (slices are cut to their capacity); offsets rise within the batch; a part is
// never longer than what was inflated or the limit; the walk ends.
func FuzzNext(f *testing.F) {
	for name := range compressions {
		f.Add(reference{entries: randomEntries(rand.New(rand.NewPCG(2, 2)), 5), compression: name}.bytes(f), false)
	}
	f.Fuzz(func(t *testing.T, set []byte, whole bool) {
		var raw kmsg.RecordBatch
		if raw.ReadFrom(set) == nil {
			set = append(seal(raw), set...)
		}
		limits := batch.Limits{Inflate: 256, Part: 64}
		if whole {
			limits = batch.Limits{Inflate: 1 << 16, Part: 1 << 16}
		}
		c, parser := batch.NewCursor(limits), batch.HeaderParser{}
		for len(set) > 0 {
			b, rest, err := batch.Next(set)
			if err != nil {
				return
			}
			if len(rest) >= len(set) {
				t.Fatal("no progress")
			}
			_, _ = b.Marker()
			_, _ = c.Reset(b, nil)
			last := b.BaseOffset - 1
			var r batch.Record
			for c.Next(&r) {
				if r.Offset <= last || r.Offset > b.LastOffset {
					t.Fatalf("offset %d after %d in a batch up to %d", r.Offset, last, b.LastOffset)
				}
				last = r.Offset
				if c.Streaming() && (len(r.Key) > limits.Part || len(r.Value) > limits.Part || len(r.Headers) > limits.Part) {
					t.Fatalf("part beyond the limit: %d, %d, %d", len(r.Key), len(r.Value), len(r.Headers))
				}
				_, _ = parser.Parse(nil, r.Headers)
			}
			set = rest
		}
	})
}

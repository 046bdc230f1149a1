package batch_test

import (
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/codec"
)

// entry is a record as a test states it. Its offset is its base offset's
// plus its delta.
type entry struct {
	delta      int32
	ms         int64
	key, value []byte
	headers    []codec.Header
}

// reference is a batch made with franz-go's message types instead of the
// package under test.
type reference struct {
	base        int64
	attributes  int16 // without compression
	maxMs       int64 // 0: of the entries
	producerID  int64
	compression string // a key of compressions
	entries     []entry
	lastDelta   int32 // 0: of the entries
}

func (r reference) records() []byte {
	var out []byte
	for _, e := range r.entries {
		rec := kmsg.Record{TimestampDelta64: e.ms - r.entries[0].ms, OffsetDelta: e.delta, Key: e.key, Value: e.value}
		for _, h := range e.headers {
			rec.Headers = append(rec.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1) // a length of 0 is one byte
		out = rec.AppendTo(out)
	}
	return out
}

func (r reference) bytes(t testing.TB) []byte {
	t.Helper()
	return r.with(t, r.records())
}

// with makes the batch around records that need not be the entries'.
func (r reference) with(t testing.TB, records []byte) []byte {
	t.Helper()
	b := kmsg.RecordBatch{
		FirstOffset: r.base, PartitionLeaderEpoch: 3, Magic: 2, MaxTimestamp: r.maxMs, ProducerID: r.producerID,
		ProducerEpoch: 7, FirstSequence: 11, NumRecords: int32(len(r.entries)), LastOffsetDelta: r.lastDelta,
	}
	if n := len(r.entries); n > 0 {
		b.FirstTimestamp = r.entries[0].ms
		b.LastOffsetDelta = max(b.LastOffsetDelta, r.entries[n-1].delta)
	}
	for _, e := range r.entries {
		if r.maxMs == 0 {
			b.MaxTimestamp = max(b.MaxTimestamp, e.ms)
		}
	}
	c := compressions[r.compression]
	b.Attributes = r.attributes | c.id
	b.Records = c.pack(t, records)
	return seal(b)
}

// seal sets length and checksum.
func seal(b kmsg.RecordBatch) []byte {
	b.Length = int32(49 + len(b.Records))
	raw := b.AppendTo(nil)
	b.CRC = int32(crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

type packer struct {
	id int16
	// open is nil where the whole has to be compressed at once.
	open func(io.Writer) io.WriteCloser
	pack func(testing.TB, []byte) []byte
}

// compressions are the ways producers compress, written without the package
// under test.
var compressions = map[string]packer{
	"":               {0, nil, func(_ testing.TB, b []byte) []byte { return b }},
	"gzip":           inPieces(1, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
	"snappy, bare":   {2, nil, func(_ testing.TB, b []byte) []byte { return snappy.Encode(nil, b) }},
	"snappy, xerial": {2, nil, func(_ testing.TB, b []byte) []byte { return xerial.Encode(nil, b) }},
	"lz4":            inPieces(3, func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) }),
	"zstd, stream":   inPieces(4, func(w io.Writer) io.WriteCloser { return zstdWriter(w) }),
	"zstd, one shot": {4, nil, func(_ testing.TB, b []byte) []byte { return zstdWriter(nil).EncodeAll(b, nil) }},
}

func zstdWriter(w io.Writer) *zstd.Encoder {
	enc, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // the options are wrong
	}
	return enc
}

// inPieces writes in pieces, so that no encoder learns the size beforehand.
func inPieces(id int16, open func(io.Writer) io.WriteCloser) packer {
	return packer{id, open, func(t testing.TB, b []byte) []byte {
		t.Helper()
		var out bytes.Buffer
		w := open(&out)
		for len(b) > 0 {
			n := min(len(b), 64<<10)
			if _, err := w.Write(b[:n]); err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}}
}

// randomEntries gives records of all shapes: null and empty parts, headers,
// times that go back.
func randomEntries(rng *rand.Rand, n int) []entry {
	out := make([]entry, n)
	for i := range out {
		out[i] = entry{
			delta: int32(i), ms: 1_700_000_000_000 + rng.Int64N(200_000) - 100_000,
			key: randomPart(rng, 40), value: randomPart(rng, 400),
		}
		for range rng.IntN(4) * rng.IntN(2) {
			out[i].headers = append(out[i].headers, codec.Header{Key: string(randomPart(rng, 12)), Value: randomPart(rng, 30)})
		}
	}
	return out
}

func randomPart(rng *rand.Rand, most int) []byte {
	switch rng.IntN(8) {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	p := make([]byte, rng.IntN(most))
	for i := range p {
		p[i] = "abcdefgh"[rng.IntN(8)]
	}
	return p
}

// roomy never streams and never withholds.
var roomy = batch.Limits{Inflate: 64 << 20, Part: 64 << 20}

// one takes the only batch of a set.
func one(t testing.TB, set []byte) batch.Batch {
	t.Helper()
	b, rest, err := batch.Next(set)
	if err != nil || len(rest) != 0 {
		t.Fatalf("Next = %v, %d bytes left; want one batch", err, len(rest))
	}
	return b
}

// readAll copies the records of a batch.
func readAll(t testing.TB, c *batch.Cursor, b batch.Batch) []entry {
	t.Helper()
	if _, err := c.Reset(b, nil); err != nil {
		t.Fatalf("Reset: %v", err)
	}
	var out []entry
	var r batch.Record
	var p batch.HeaderParser
	for c.Next(&r) {
		headers, err := p.Parse(nil, r.Headers)
		if err != nil {
			t.Fatalf("headers at offset %d: %v", r.Offset, err)
		}
		for i := range headers {
			headers[i].Value = bytes.Clone(headers[i].Value)
		}
		out = append(out, entry{
			delta: int32(r.Offset - b.BaseOffset), ms: r.TimestampMs,
			key: bytes.Clone(r.Key), value: bytes.Clone(r.Value), headers: headers,
		})
	}
	if err := c.Err(); err != nil {
		t.Fatalf("after %d records: %v", len(out), err)
	}
	return out
}

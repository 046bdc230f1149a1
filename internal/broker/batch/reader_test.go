package batch_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/batch"
)

func TestNext_WalksASetAndStopsAtATruncatedBatch(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	first := reference{base: 100, entries: randomEntries(rng, 5), producerID: 9}.bytes(t)
	second := reference{base: 105, entries: randomEntries(rng, 3), compression: "lz4", attributes: 1 << 4}.bytes(t)
	for cut := range second {
		set := append(append([]byte{}, first...), second[:cut]...)
		b, rest, err := batch.Next(set)
		if err != nil || b.BaseOffset != 100 || b.LastOffset != 104 || b.Count != 5 || b.ProducerID != 9 {
			t.Fatalf("first batch: %+v, %v", b, err)
		}
		if _, _, err = batch.Next(rest); !errors.Is(err, io.EOF) {
			t.Fatalf("second batch cut to %d bytes: %v, want io.EOF", cut, err)
		}
	}
	b, rest, err := batch.Next(second)
	if err != nil || b.LastOffset != 107 || !b.Transactional() || b.Compression() != batch.LZ4 {
		t.Fatalf("second batch: %+v, %v", b, err)
	}
	if _, _, err := batch.Next(rest); !errors.Is(err, io.EOF) {
		t.Fatalf("after the last batch: %v, want io.EOF", err)
	}
}

// Any changed byte of the part that the checksum covers is noticed; what
// stands before it is either harmless (leader epoch), checked by its caller
// (base offset) or noticed too.
func TestNext_RefusesDamage(t *testing.T) {
	t.Parallel()
	raw := reference{base: 1, entries: randomEntries(rand.New(rand.NewPCG(1, 1)), 2)}.bytes(t)
	for at := 16; at < len(raw); at++ {
		bad := append([]byte{}, raw...)
		bad[at] ^= 0x10
		_, _, err := batch.Next(bad)
		var corrupt *batch.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Offset != 1 {
			t.Fatalf("byte %d changed: %v, want a CorruptError at offset 1", at, err)
		}
		if want := map[bool]error{true: batch.ErrFormat, false: batch.ErrChecksum}[at == 16]; !errors.Is(err, want) {
			t.Fatalf("byte %d changed: %v, want %v", at, err, want)
		}
	}
}

func TestNext_RefusesOldFormats(t *testing.T) {
	t.Parallel()
	v1 := kmsg.MessageV1{Offset: 12, MessageSize: 28, Magic: 1, Value: []byte("old")}
	for _, raw := range [][]byte{v1.AppendTo(nil), (&kmsg.MessageV0{Offset: 12, MessageSize: 17, Value: []byte("old")}).AppendTo(nil)} {
		_, _, err := batch.Next(raw)
		var corrupt *batch.CorruptError
		if !errors.Is(err, batch.ErrFormat) || !errors.As(err, &corrupt) || corrupt.Offset != 12 {
			t.Errorf("message of format %d: %v", raw[16], err)
		}
	}
}

func TestNext_RefusesImpossibleHeaders(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*kmsg.RecordBatch){
		"negative last offset delta": func(b *kmsg.RecordBatch) { b.LastOffsetDelta = -1 },
		"negative count":             func(b *kmsg.RecordBatch) { b.NumRecords = -1 },
		"more records than offsets":  func(b *kmsg.RecordBatch) { b.NumRecords = 2 },
		"negative base offset":       func(b *kmsg.RecordBatch) { b.FirstOffset = -5 },
		"offset overflow":            func(b *kmsg.RecordBatch) { b.FirstOffset, b.LastOffsetDelta = 1<<63-1, 1 },
		"unknown compression":        func(b *kmsg.RecordBatch) { b.Attributes = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := kmsg.RecordBatch{Magic: 2, NumRecords: 1, Records: reference{entries: []entry{{}}}.records()}
			spoil(&b)
			if _, _, err := batch.Next(seal(b)); !errors.Is(err, batch.ErrMalformed) {
				t.Errorf("got %v, want ErrMalformed", err)
			}
		})
	}
	for _, length := range []byte{0, 48} {
		raw := seal(kmsg.RecordBatch{Magic: 2})
		raw[11] = length
		if _, _, err := batch.Next(raw); !errors.Is(err, batch.ErrMalformed) {
			t.Errorf("length %d: %v, want ErrMalformed", length, err)
		}
	}
}

func TestMarker(t *testing.T) {
	t.Parallel()
	control := func(key []byte) batch.Batch {
		return one(t, reference{base: 50, attributes: 1<<5 | 1<<4, producerID: 3, entries: []entry{{key: key, value: make([]byte, 6)}}}.bytes(t))
	}
	for _, c := range []struct {
		want batch.Marker
		key  []byte
	}{{batch.MarkerAbort, []byte{0, 0, 0, 0}}, {batch.MarkerCommit, []byte{0, 0, 0, 1}}, {2, []byte{0, 0, 0, 2, 9}}} {
		b := control(c.key)
		if got, err := b.Marker(); got != c.want || err != nil || !b.Control() || b.LastOffset != 50 {
			t.Errorf("key %v: %v, %v; want %v", c.key, got, err, c.want)
		}
	}
	for name, b := range map[string]batch.Batch{
		"short key": control([]byte{0, 0, 0}), "null key": control(nil),
		"no control batch": one(t, reference{entries: []entry{{key: make([]byte, 4)}}}.bytes(t)),
	} {
		if _, err := b.Marker(); !errors.Is(err, batch.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	gone := one(t, reference{attributes: 1 << 5}.bytes(t))
	if got, err := gone.Marker(); got != batch.MarkerGone || err != nil {
		t.Errorf("compacted control batch: %v, %v", got, err)
	}
}

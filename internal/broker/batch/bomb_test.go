package batch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"pulse-scorer/internal/broker/batch"
)

// bomb compresses one record with a value of size zero bytes, and a small
// one after it, without holding them.
func bomb(t *testing.T, size int64, pack func(io.Writer) io.WriteCloser) ([]byte, batch.Digest) {
	t.Helper()
	head := binary.AppendVarint([]byte{0, 0, 0, 1}, size) // attributes, deltas, null key
	body := int64(len(head)) + size + 1
	var out bytes.Buffer
	w := pack(&out)
	hash := sha256.New()
	write := func(p []byte) {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	write(append(binary.AppendVarint(nil, body), head...))
	zero := make([]byte, 1<<20)
	for left := size; left > 0; left -= int64(len(zero)) {
		zero = zero[:min(left, int64(len(zero)))]
		write(zero)
		hash.Write(zero)
	}
	write([]byte{0, 2 * 8, 0, 0, 2, 1, 4, 'o', 'k', 0})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d := batch.Digest{Size: size}
	hash.Sum(d.SHA256[:0])
	return out.Bytes(), d
}

// A value of 48 MiB comes in a batch of far below its size; reading it may
// take the limits and the decompressor's window, not the value's size.
//
//nolint:paralleltest // it measures what it allocates
func TestCursor_DecompressionBombIsBounded(t *testing.T) {
	const size = 48 << 20
	for name, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": compressions["gzip"].open, "lz4": compressions["lz4"].open, "zstd, stream": compressions["zstd, stream"].open,
		"zstd, 1 MiB window": func(w io.Writer) io.WriteCloser {
			enc, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
			if err != nil {
				t.Fatal(err)
			}
			return enc
		},
	} {
		payload, want := bomb(t, size, pack)
		in := reference{entries: make([]entry, 2), attributes: compressions[name].id}
		if in.attributes == 0 {
			in.attributes = int16(batch.Zstd)
		}
		in.entries[1].delta = 1
		b := one(t, in.with(t, payload))
		c := batch.NewCursor(batch.Limits{Inflate: 4 << 20, Part: 1 << 20})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		buf, err := c.Reset(b, nil)
		var r batch.Record
		if err != nil || !c.Next(&r) || r.Withheld == nil || r.Withheld.Value != want {
			t.Fatalf("%s: large record %v %v: %+v", name, err, c.Err(), r)
		}
		if !c.Next(&r) || string(r.Value) != "ok" || c.Next(&r) || c.Err() != nil {
			t.Fatalf("%s: small record after it: %+v, %v", name, r, c.Err())
		}
		runtime.ReadMemStats(&after)
		taken := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes packed, %d MiB allocated in all, buffer %d KiB", name, len(payload), taken>>20, cap(buf)>>10)
		if taken > 24<<20 || cap(buf) > 8<<20 {
			t.Errorf("%s: %d MiB allocated in all, buffer %d MiB", name, taken>>20, cap(buf)>>20)
		}
	}
}

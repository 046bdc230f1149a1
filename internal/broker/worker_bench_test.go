//go:build unix

package broker

import (
	"fmt"
	"math"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// The load of one task when a million records of a thousand series come over
// eight partitions.
const (
	benchRecords = 125_000
	benchSeries  = 125
	benchCommit  = 12_500 // records a transaction
)

// benchInput is that load as a broker stores it, in chunks of whole batches; every
// hundredth record repeats the one before it.
func benchInput(b *testing.B) [][]byte {
	b.Helper()
	var chunks [][]byte
	var chunk []byte
	var builder batch.Builder
	base := int64(0)
	seal := func() {
		n := int64(builder.Len())
		sealed := builder.Seal(nil)
		batch.Stamp(sealed, -1, -1, -1, false)
		for i := range 8 { // the base offset is the broker's to write
			sealed[i] = byte(base >> (56 - 8*i))
		}
		chunk = append(chunk, sealed...)
		base += n
		builder.Reset()
		if len(chunk) >= partitionBytes-batchBytes/2 {
			chunks, chunk = append(chunks, chunk), nil
		}
	}
	var value []byte
	for i := range benchRecords {
		j := i - (i%100)/99
		name := fmt.Sprintf("series-%04d", j%benchSeries)
		value = fmt.Appendf(value[:0], `{"id":"sig-%09d","name":%q,"value":`, j, name)
		value = strconv.AppendFloat(value, 100+10*math.Sin(float64(j)/50)+float64(j%17), 'g', -1, 64)
		value = fmt.Appendf(value, `,"source":"bench","timestamp":%.3f}`, 1763922333.123-float64(j%1000))
		if builder.Len() > 0 && builder.Size()+batch.RecordBound([]byte(name), value, nil) > batchBytes/2 {
			seal()
		}
		builder.Append(1763922333123+int64(i/100), []byte(name), value, nil)
	}
	seal()
	return append(chunks, chunk)
}

// benchWorker is a worker with the service's own record path, nothing in it yet.
func benchWorker(b *testing.B, profile *scoring.Profile, m *memory, metrics *pipeline.Metrics) *worker {
	b.Helper()
	path, err := pipeline.New(pipeline.Settings{
		Group: "pulse-scorer", ScorerVersion: "1.2.3", DefaultSource: "unknown", MaxRecordBytes: 1 << 20, License: true,
		State: state.Settings{DedupeWindow: 24 * time.Hour, DedupeMaxIDs: 1_000_000, WindowSize: profile.WindowSize, MemorySize: profile.MemorySize},
	}, pipeline.Deps{Profile: profile, Metrics: metrics, HashKey: [16]byte{1, 2, 3}, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	return &worker{
		task: &task{id: 3, ctx: b.Context()}, path: path, out: newOutput(m), topics: Topology{Input: "pulse.signals"},
		now: time.Now, limit: 8 << 20, cursor: batch.NewCursor(batch.Limits{Inflate: 8 << 20, Part: 16 << 20}),
		refused: make(map[place]pipeline.Destination),
	}
}

// BenchmarkWorker is all that a worker does with a record, from the bytes of a
// fetch to those of Produce, and its part of the commits: everything but the
// network and the engine's loop.
func BenchmarkWorker(b *testing.B) {
	for _, profile := range []*scoring.Profile{scoring.Parity(), scoring.V2()} {
		for _, kind := range []batch.Compression{batch.None, batch.LZ4} {
			b.Run(profile.Name+"/"+kind.String(), func(b *testing.B) { benchWork(b, profile, kind) })
		}
	}
}

func benchWork(b *testing.B, profile *scoring.Profile, kind batch.Compression) {
	b.Helper()
	m, err := newMemory(kind)
	if err != nil {
		b.Fatal(err)
	}
	chunks := benchInput(b)
	metrics := pipeline.NewMetrics(prometheus.NewRegistry())
	written := 0
	b.ReportAllocs()
	began := processTime(b)
	for b.Loop() {
		w := benchWorker(b, profile, m, metrics)
		w.path.Open()
		since, sealed, next := 0, false, int64(0)
		seal := func() {
			if sealed {
				w.execute(order{kind: orderCommit, answered: true})
			}
			r, _ := w.execute(order{kind: orderSeal, nowMs: 1763922333123, next: offsets{next}})
			for _, out := range r.batches {
				written += len(out.bytes)
			}
			since, sealed = 0, true
		}
		for _, bytes := range chunks {
			c := &chunk{rest: bytes, next: next}
			for {
				r, _ := w.execute(order{kind: orderProcess, chunk: c})
				if r.err != nil {
					b.Fatal(r.err)
				}
				next = r.next
				if since += r.records; since >= benchCommit {
					seal()
				}
				if r.finished {
					break
				}
			}
		}
		seal()
		w.path.Close()
	}
	records := float64(b.N) * benchRecords
	b.ReportMetric(float64((processTime(b)-began).Nanoseconds())/records, "cpu-ns/record")
	b.ReportMetric(float64(written)/records, "B-out/record")
}

// processTime is the processor time that the process has used, which other
// processes on the machine change less than the time that has passed.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

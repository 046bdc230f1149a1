package state

import (
	"time"
	"unsafe"

	"pulse-scorer/internal/pulse"
)

// Evictions counts IDs let go of, by reason.
type Evictions struct{ ByTime, ByCount uint64 }

// DedupeStats describes what a task remembers of signal IDs, with the batches
// not yet committed.
type DedupeStats struct {
	// IDs is how many IDs are known.
	IDs int
	// DedupeWindow is the effective one at the last commit time: an ID
	// committed within it is still known. It is shorter than the setting
	// while the bound on the number of IDs bites.
	DedupeWindow time.Duration
	// Evictions since this Task was made, once committed.
	Evictions Evictions
}

// Dedupe looks at a few counters only: cheap enough for each commit.
func (t *Task) Dedupe() DedupeStats {
	return DedupeStats{IDs: t.cur.segments.known, DedupeWindow: t.effectiveWindow(), Evictions: t.committed.segments.evicted}
}

// Stats describes a task's state, with the batches not yet committed.
type Stats struct {
	DedupeStats

	// Pending is how many IDs wait, Parked how many records of them are parked.
	Pending, Parked int
	// Series and Streams are how many series and forecast memories there are.
	Series, Streams int
	// Resting is how many series the changelog has of profiles of the other kind.
	Resting int
	// Bytes estimates the memory in use; forecasts count with a fixed size.
	Bytes int64
}

// Stats walks over the series and streams: for a scrape, not for each record.
func (t *Task) Stats() Stats {
	const rowBytes, forecastBytes, pendingBytes = 160, 1024, 96
	bytes := int64(t.ids.table.capacity()) * int64(unsafe.Sizeof(slot{}))
	bytes += int64(cap(t.ids.tail))*int64(unsafe.Sizeof(entry{})) + int64(cap(t.ids.log))*int64(unsafe.Sizeof(replaced{}))
	bytes += int64(cap(t.ids.closed)) * int64(unsafe.Sizeof(extent{}))
	for _, w := range t.windows.byKey {
		bytes += rowBytes + int64(len(w.key.source)+len(w.key.name)) + 8*int64(cap(w.tape.buf))
	}
	for _, w := range t.memory.byKey {
		bytes += rowBytes + int64(cap(w.tape.buf))*int64(unsafe.Sizeof(pulse.Value{})) + forecastBytes*int64(len(w.tape.view()))
	}
	bytes += t.series.bytes() + t.sources.bytes()
	bytes += pendingBytes*int64(len(t.pending.held)) + int64(t.cur.parkedBytes)
	return Stats{
		DedupeStats: t.Dedupe(), Pending: t.Pending(), Parked: t.Parked(),
		Series: len(t.windows.byKey) + t.series.index.n, Streams: len(t.memory.byKey), Resting: t.Resting(), Bytes: bytes,
	}
}

func (t *Task) effectiveWindow() time.Duration {
	c := &t.cur.segments
	if c.forgottenMs == 0 {
		return t.settings.DedupeWindow
	}
	return min(t.settings.DedupeWindow, time.Duration(c.clockMs-c.forgottenMs)*time.Millisecond)
}

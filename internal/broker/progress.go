package broker

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// progress is how far the restore of one task has come. Its goroutine writes,
// the loop and /status read.
type progress struct {
	task  int32
	began time.Time
	// from, at and end are offsets in the state topic; records are those that
	// were applied.
	from, at, end, records atomic.Int64
}

// share is how much of the offsets has been read, from 0 to 1.
func (p *progress) share() float64 {
	from, end := p.from.Load(), p.end.Load()
	if end <= from {
		return 0
	}
	return min(1, max(0, float64(p.at.Load()-from)/float64(end-from)))
}

// estimate is how many records there are to apply. Compaction and aborted
// transactions leave holes in the offsets, so it is a guess that gets better.
func (p *progress) estimate() int64 {
	records := p.records.Load()
	if s := p.share(); s > 0 {
		return max(records, int64(float64(records)/s))
	}
	return max(records, p.end.Load()-p.from.Load())
}

// RestoreStatus is a restore that is under way.
type RestoreStatus struct {
	Task int32 `json:"task"`
	// Records were applied so far, Estimated are expected in all.
	Records   int64   `json:"records"`
	Estimated int64   `json:"estimated"`
	Seconds   float64 `json:"seconds"`
}

func (p *progress) status(now time.Time) RestoreStatus {
	return RestoreStatus{
		Task: p.task, Records: p.records.Load(), Estimated: p.estimate(),
		Seconds: max(0, now.Sub(p.began)).Seconds(),
	}
}

// progressInterval is how often the restores under way are logged.
const progressInterval = 2 * time.Second

// observeRestores shows how far the restores have come: in the metric at once,
// in the log every other second.
func (e *Engine) observeRestores(now time.Time) {
	var records, estimated int64
	var under []*progress
	began := now
	for _, t := range e.tasks {
		if t.progress == nil || t.phase != phaseRestoring {
			continue
		}
		under = append(under, t.progress)
		records += t.progress.records.Load()
		estimated += t.progress.estimate()
		if t.progress.began.Before(began) {
			began = t.progress.began
		}
	}
	e.health.restores(under)
	share := 1.0
	if estimated > 0 {
		share = float64(records) / float64(estimated)
	}
	e.metrics.restoreShare.Set(share)
	if len(under) == 0 || now.Sub(began) < progressInterval || now.Sub(e.restoreLogged) < progressInterval {
		return
	}
	e.restoreLogged = now
	e.log.Info("restoring state", slog.Int("tasks", len(under)), slog.Int64("records", records),
		slog.Int64("estimated_records", estimated), slog.Float64("seconds", now.Sub(began).Round(100*time.Millisecond).Seconds()))
}

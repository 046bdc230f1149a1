package broker

import (
	"crypto/sha256"
	"fmt"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// upcoming are the records of one batch that were read and not processed yet. A few are
// read ahead, so that the record path can prefetch what they need. They are in places that are
// used again: made anew for each record, they would be most of the garbage there is.
type upcoming struct {
	records  [pipeline.Lookahead + 1]pipeline.Record
	parsed   [pipeline.Lookahead + 1][]pipeline.Header
	first, n int
	// over: there is nothing more to be read, because of err if that is not nil.
	over bool
	err  error
}

func (u *upcoming) reset() { u.first, u.n, u.over, u.err = 0, 0, false, nil }

// forget lets go of the memory that records are in, that of a fetch, mostly
// (TestWorker_LetsGoOfWhatItHasRead).
func (u *upcoming) forget() {
	clear(u.records[:])
	for _, p := range u.parsed {
		clear(p[:cap(p)])
	}
}

// nextRecord is the next one of the batch at the cursor, from an offset on, because a
// batch may begin before the offset that was asked for; nil at its end. It is valid
// until the next call. What comes before a record that cannot be read is given before
// the error is (TestWorker_ProcessesWhatIsReadBeforeADamagedRecord).
func (w *worker) nextRecord(tier int, from int64) (*pipeline.Record, error) {
	u := &w.upcoming
	room := len(u.records)
	if w.cursor.Streaming() {
		room = 1 // one is valid only until the next one is read (Records_OverTheMemoryLimitAreWithheld)
	}
	for !u.over && u.n < room {
		w.readAhead(tier, from)
	}
	if u.n == 0 {
		return nil, u.err
	}
	in := &u.records[u.first]
	u.n--
	if u.first++; u.first == len(u.records) {
		u.first = 0
	}
	return in, nil
}

// readAhead reads one record more, or none that is before an offset.
func (w *worker) readAhead(tier int, from int64) {
	u := &w.upcoming
	var rec batch.Record
	if !w.cursor.Next(&rec) {
		u.over = true
		if err := w.cursor.Err(); err != nil {
			u.err = fmt.Errorf("fetched records: %w", err)
		}
		return
	}
	if rec.Offset < from {
		return
	}
	i := u.first + u.n
	if i >= len(u.records) {
		i -= len(u.records)
	}
	var err error
	if u.parsed[i], err = w.headers.Parse(u.parsed[i][:0], rec.Headers); err != nil {
		u.over, u.err = true, fmt.Errorf("headers at offset %d: %w", rec.Offset, err)
		return
	}
	u.n++
	in := &u.records[i]
	*in = pipeline.Record{
		Tier: tier, Topic: w.topics.source(tier), Partition: w.task.id, Offset: rec.Offset, TimestampMs: rec.TimestampMs,
		Key: rec.Key, Value: rec.Value, Headers: u.parsed[i],
	}
	if rec.Withheld != nil {
		in.Withheld = withheld(rec.Withheld)
	}
	w.asRefused(in)
	w.path.Prefetch(in)
}

// asRefused gives a record the form that is not refused again.
func (w *worker) asRefused(in *pipeline.Record) {
	switch to, ok := w.refused[place{in.Tier, in.Offset}]; {
	case !ok:
	case to == pipeline.DeadLetters:
		in.Withheld = &pipeline.Withheld{Size: int64(len(in.Value)), SHA256: sha256.Sum256(in.Value)}
		in.Value = nil
	case to.Tier() > 0:
		in.RetryRefused = true
	default:
		in.ResultRefused = true
	}
}

// withheld describes what could not be held: the value, or else the key or the
// headers.
func withheld(w *batch.Withheld) *pipeline.Withheld {
	d := w.Value
	if d.Size == 0 {
		d = w.Key
	}
	if d.Size == 0 {
		d = w.Headers
	}
	return &pipeline.Withheld{Size: d.Size, SHA256: d.SHA256}
}

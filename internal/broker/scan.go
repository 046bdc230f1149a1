package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/pipeline"
)

// Scan is one reading of a partition, as a read_committed consumer sees it.
type Scan struct {
	Topic     string
	Partition int32
	// From and To bound the offsets that are read: From ≤ offset < To.
	From, To int64
	// Each gets the committed records in order. What it is given is valid only
	// until it returns.
	Each func(*pipeline.Record) error
	// Jumped is told when retention has deleted a range that was still to
	// be read: the scan goes on at to, which is at most To. nil: not told.
	Jumped func(from, to int64)
	// Passed is told how many offsets have been passed since it was told
	// last. nil: not told.
	Passed func(offsets int64)

	// most bounds the bytes of an answer, but for its first batch; 0 for
	// fetchBytes.
	most int32
}

// scanPatience is how long a scan or a question goes on without any progress. An
// open transaction holds a reader back until it ends; ours do within
// PULSE_TRANSACTION_TIMEOUT (default 10 s) and the broker's scan for those of dead
// workers (default 10 s).
const scanPatience = 90 * time.Second

var errNoProgress = fmt.Errorf("no progress for %v", scanPatience)

// Scan reads until To has been passed. It waits for open transactions that
// hold back what lies before To, and goes on through passing failures of the
// cluster, both with a bound.
func (i *Inspector) Scan(ctx context.Context, s Scan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Unbuffered: the next answer is fetched while one is looked at, so two are
	// in memory (fetchBytes each, unless one batch is larger).
	answers := make(chan scanned)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(answers)
		i.fetchAll(ctx, s, answers)
	}()
	defer func() { // the goroutine has ended when Scan returns
		cancel()
		for a := range answers {
			a.release()
		}
		<-done
	}()
	at := s.From
	reader := newScanReader(s, i.set.MaxRecordBytes)
	for a := range answers {
		err := a.err
		if err == nil {
			err = reader.take(a)
		}
		a.release()
		if err != nil {
			return fmt.Errorf("read %s-%d from offset %d: %w", s.Topic, s.Partition, at, err)
		}
		if s.Passed != nil {
			s.Passed(min(reader.next, s.To) - at)
		}
		at = min(reader.next, s.To)
	}
	if at < s.To {
		return fmt.Errorf("read %s-%d: stopped at offset %d: %w", s.Topic, s.Partition, at, context.Cause(ctx))
	}
	return nil
}

// errEnough ends a scan that has found what it was looking for.
var errEnough = errors.New("found")

// First shows the first committed record of a range, if there is one before
// whatever an open transaction holds back: it does not wait for that.
func (i *Inspector) First(ctx context.Context, topic string, partition int32, from, to int64, each func(*pipeline.Record)) error {
	var stable int64
	err := i.patiently(ctx, func() (err error) {
		stable, err = i.cluster.listOffset(ctx, topic, partition, wire.LatestOffset, true)
		return err
	})
	if err != nil {
		return err
	}
	err = i.Scan(ctx, Scan{Topic: topic, Partition: partition, From: from, To: min(to, stable), most: 1, Each: func(r *pipeline.Record) error {
		each(r)
		return errEnough
	}})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// scanned is an answer, a jump over deleted offsets, or the error that ended
// the scan.
type scanned struct {
	part fetchedPartition
	buf  *buffer
	jump int64 // offset to go on at, 0 for none
	err  error
}

func (a scanned) release() {
	if a.buf != nil {
		a.buf.release()
	}
}

// fetchAll hands on what comes from s.From to s.To.
func (i *Inspector) fetchAll(ctx context.Context, s Scan, out chan<- scanned) {
	hand := func(a scanned) bool {
		select {
		case out <- a:
			return true
		case <-ctx.Done():
			a.release()
			return false
		}
	}
	for at := s.From; at < s.To; {
		a, next, err := i.fetchNext(ctx, s, at)
		if err != nil {
			hand(scanned{err: err})
			return
		}
		if !hand(a) {
			return
		}
		at = next
	}
}

// fetchNext waits for something after offset at; next is where to go on.
func (i *Inspector) fetchNext(ctx context.Context, s Scan, at int64) (a scanned, next int64, err error) {
	err = i.patiently(ctx, func() error {
		a, next, err = i.fetchOnce(ctx, s, at)
		return err
	})
	return a, next, err
}

// errHeldBack: there is nothing to read below the end, so far.
var errHeldBack = errors.New("a transaction that is still open holds the rest back")

func (i *Inspector) fetchOnce(ctx context.Context, s Scan, at int64) (scanned, int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTimeout, errRequestTimeout)
	defer cancel()
	part, buf, err := i.cluster.fetchBuffered(ctx, s, at)
	if errors.Is(err, wire.OffsetOutOfRange) {
		start, err := i.cluster.logStart(ctx, s.Topic, s.Partition)
		switch {
		case err != nil:
			return scanned{}, at, err
		case start <= at:
			return scanned{}, at, fmt.Errorf("offset %d is past the end of the log: was the topic made anew meanwhile?: %w", at, wire.OffsetOutOfRange)
		}
		return scanned{jump: min(start, s.To)}, min(start, s.To), nil
	}
	if err != nil {
		return scanned{}, at, err
	}
	next, whole, err := wholeBatches(part.set)
	if err == nil && len(whole) == 0 {
		err = errHeldBack
		if len(part.set) > 0 {
			err = fmt.Errorf("a batch of more than %d bytes was cut off", len(part.set))
		}
	}
	if err != nil {
		buf.release()
		return scanned{}, at, err
	}
	part.set = whole
	return scanned{part: part, buf: buf}, next, nil
}

// fetchBuffered is fetchOne for readers that give the memory back.
func (c *cluster) fetchBuffered(ctx context.Context, s Scan, offset int64) (fetchedPartition, *buffer, error) {
	topic, partition := s.Topic, s.Partition
	node, err := c.leaderNow(ctx, topic, partition)
	if err != nil {
		return fetchedPartition{}, nil, err
	}
	id, err := c.topicID(topic)
	if err != nil {
		return fetchedPartition{}, nil, err
	}
	parts, buf, err := c.fetchFrom(ctx, node, oneFetch(id, partition, offset, readCommitted, cmp.Or(s.most, fetchBytes)))
	if err != nil {
		return fetchedPartition{}, nil, err
	}
	if len(parts) != 1 {
		buf.release()
		return fetchedPartition{}, nil, fmt.Errorf("%s-%d: answer has %d partitions", topic, partition, len(parts))
	}
	if code := parts[0].code; code != 0 {
		buf.release()
		return fetchedPartition{}, nil, fmt.Errorf("fetch %s-%d: %w", topic, partition, wire.DeniedTopic(wire.Fetch, code, topic))
	}
	return parts[0], buf, nil
}

// patiently tries again what fails for a passing reason, for scanPatience.
func (i *Inspector) patiently(ctx context.Context, do func() error) error {
	waiting, cancel := context.WithTimeoutCause(ctx, scanPatience, errNoProgress)
	defer cancel()
	for pause := newBackoff(); ; {
		err := do()
		if err == nil || !passing(err) {
			return err
		}
		pause.wait(waiting)
		if waiting.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(waiting), err)
		}
		if !errors.Is(err, errHeldBack) {
			// What has moved is seen at the next attempt.
			_ = i.cluster.lookUp(waiting)
		}
	}
}

// passing tells failures that may go away: the broker's own passing states, and
// connections that broke. Reading twice does no harm.
func passing(err error) bool {
	if code, ok := errors.AsType[wire.ErrorCode](err); ok {
		return code.Retriable()
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, batch.ErrMalformed)
}

// scanReader decodes what a scan fetches.
type scanReader struct {
	scan    Scan
	next    int64
	cursor  *batch.Cursor
	inflate []byte
	headers batch.HeaderParser
	parsed  []pipeline.Header
}

func newScanReader(s Scan, maxRecordBytes int) *scanReader {
	return &scanReader{scan: s, next: s.From, cursor: batch.NewCursor(batch.Limits{
		Inflate: fetchBytes, Part: maxRecordBytes, Held: maxRecordBytes,
	})}
}

// take gives the records of one answer to Each.
func (r *scanReader) take(a scanned) error {
	if a.jump > 0 {
		if r.scan.Jumped != nil {
			r.scan.Jumped(r.next, a.jump)
		}
		r.next = a.jump
		return nil
	}
	aborted := abortedTransactions{pending: a.part.aborted}
	for set := a.part.set; ; {
		b, rest, err := batch.Next(set)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		set = rest
		switch {
		case b.Control():
			err = aborted.marker(&b)
		case aborted.covers(&b), b.LastOffset < r.next:
		default:
			err = r.batch(b)
		}
		if err != nil {
			return err
		}
		r.next = max(r.next, b.LastOffset+1)
	}
}

func (r *scanReader) batch(b batch.Batch) (err error) {
	if r.inflate, err = r.cursor.Reset(b, r.inflate); err != nil {
		return err
	}
	var rec batch.Record
	for r.cursor.Next(&rec) {
		if rec.Offset < r.next || rec.Offset >= r.scan.To {
			continue
		}
		if r.parsed, err = r.headers.Parse(r.parsed[:0], rec.Headers); err != nil {
			return fmt.Errorf("headers at offset %d: %w", rec.Offset, err)
		}
		out := pipeline.Record{
			Topic: r.scan.Topic, Partition: r.scan.Partition, Offset: rec.Offset, TimestampMs: rec.TimestampMs,
			Key: rec.Key, Value: rec.Value, Headers: r.parsed,
		}
		if rec.Withheld != nil {
			out.Withheld = withheld(rec.Withheld)
		}
		if err := r.scan.Each(&out); err != nil {
			return err
		}
	}
	return r.cursor.Err()
}

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
)

// RedriveGroup is the consumer group, and the transactional ID, under which dead
// letters of a group are dealt with. It begins with the group's name, so that
// what the service may do is allowed to it too.
func RedriveGroup(group string) string { return group + "-dlq-redrive" }

// Redriven is what a redrive, or a hold, has done.
type Redriven struct {
	ToInput uint64 `json:"to_input"`
	ToTier  uint64 `json:"to_retry_tier"`
	// Forgettable are those sent whose signal may be scored twice.
	Forgettable uint64 `json:"older_than_dedupe_window"`
	// Held are letters that were put on hold, by standing.
	Held     map[string]uint64 `json:"held"`
	Released uint64            `json:"released"`
	// Filtered are open letters that do not fit, Before those that were held or
	// sent back before.
	Filtered uint64 `json:"not_meant"`
	Before   uint64 `json:"dealt_with_before"`
	// Foreign are other services' letters, and what is no letter.
	Foreign      uint64 `json:"foreign"`
	Transactions uint64 `json:"transactions"`
}

// Sent is how many letters were sent back.
func (r *Redriven) Sent() uint64 { return r.ToInput + r.ToTier }

// Redriver sends dead letters back. Ctrl-C ends it after the transaction under way;
// however it ends, the next one goes on where it was.
type Redriver struct {
	*DeadLetters

	// Rate limits letters a second; 0 does not.
	Rate float64
	// MaxRedrives is how often a record may be sent back; then it is held.
	MaxRedrives int
	// Limit ends the redrive after so many letters; 0 does not.
	Limit uint64

	tx    *broker.Transactor
	tier  string
	now   func() time.Time
	due   time.Time
	batch letterBatch
	// alone: the broker has refused a batch for its size; letters go one by one.
	// refused are those that were refused alone.
	alone   bool
	refused map[deadletter.Position]bool
	// failures are those since the last transaction that has committed.
	failures int
	done     Redriven
}

// letterBatch is what goes into the next transaction.
type letterBatch struct {
	marks      map[deadletter.Standing][]int64
	letters    int
	bytes      int
	next, open int64 // where reading goes on, and the first letter that stays open
	ways       [deadletter.Hold + 1]uint64
	// forgettable are those of them that are sent and may be scored twice.
	forgettable uint64
}

// Bounds of a transaction: it stays far below a second.
const (
	batchLetters = 500
	letterBytes  = 2 << 20
	// batchesASecond is how a rate is divided.
	batchesASecond = 4
)

// NewRedriver prepares one.
func NewRedriver(c config.Config, now func() time.Time) (*Redriver, error) {
	conn, err := connection(c)
	if err != nil {
		return nil, err
	}
	compression, err := batch.ParseCompression(c.Compression)
	if err != nil {
		return nil, err
	}
	letters, err := NewDeadLetters(c)
	if err != nil {
		return nil, err
	}
	r := &Redriver{
		DeadLetters: letters, now: now, refused: make(map[deadletter.Position]bool),
		done: Redriven{Held: make(map[string]uint64)},
	}
	to := []string{r.topics.Input}
	if tiers := c.Topics().Retry; len(tiers) > 0 {
		r.tier = tiers[0]
		to = append(to, r.tier)
	}
	r.tx, err = broker.NewTransactor(conn, broker.TransactorSettings{
		Group: RedriveGroup(c.Group), From: r.topics.DeadLetters, To: to,
		Timeout: c.TransactionTimeout, Compression: compression,
	})
	if err != nil {
		letters.Close()
		return nil, err
	}
	return r, nil
}

// Close ends the connections.
func (r *Redriver) Close() {
	r.tx.Close()
	r.DeadLetters.Close()
}

// Run sends back what fits. What it returns has happened, also with an error.
func (r *Redriver) Run(ctx context.Context) (Redriven, error) {
	return r.eachPartition(ctx, r.redrive)
}

// Hold puts what fits on hold, or releases it.
func (r *Redriver) Hold(ctx context.Context, release bool) (Redriven, error) {
	return r.eachPartition(ctx, func(ctx context.Context, p int32) error { return r.hold(ctx, p, release) })
}

func (r *Redriver) eachPartition(ctx context.Context, do func(context.Context, int32) error) (Redriven, error) {
	n, err := r.partitions(ctx)
	if err != nil {
		return r.done, err
	}
	if err := r.tx.Begin(ctx); err != nil {
		return r.done, err
	}
	if err := r.checkTier(ctx, n); err != nil {
		return r.done, err
	}
	for p := range n {
		if !r.concerns(p) {
			continue
		}
		err := r.persistently(ctx, p, do)
		if errors.Is(err, ErrEnough) {
			break
		}
		if err != nil {
			return r.done, err
		}
	}
	return r.done, nil
}

// checkTier forgets a tier that there is not.
func (r *Redriver) checkTier(ctx context.Context, n int32) error {
	if r.tier == "" {
		return nil
	}
	has, err := r.tx.Partitions(ctx, r.tier)
	if has < n {
		r.tier = ""
	}
	return err
}

const (
	maxFailures  = 10
	failurePause = 250 * time.Millisecond
)

// persistently begins a partition anew after a failure that may pass: the marks
// tell what has happened.
func (r *Redriver) persistently(ctx context.Context, p int32, do func(context.Context, int32) error) error {
	for {
		err := do(ctx, p)
		tooLarge := errors.Is(err, broker.ErrRefusedForSize)
		switch {
		case err == nil, errors.Is(err, ErrEnough), ctx.Err() != nil:
			return err
		case !tooLarge && (!r.tx.Passing(err) || r.failures >= maxFailures):
			return fmt.Errorf("partition %d of %s: %w", p, r.topics.DeadLetters, err)
		}
		r.failures++
		if !tooLarge {
			if err := r.wait(ctx, time.Duration(r.failures)*failurePause); err != nil {
				return err
			}
		}
		if err := r.tx.Begin(ctx); err != nil {
			return err
		}
	}
}

func (r *Redriver) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopped before the end: %w", context.Cause(ctx))
	}
}

// redrive reads one partition from where all letters before are dealt with.
func (r *Redriver) redrive(ctx context.Context, p int32) error {
	from, end, err := r.unsettled(ctx, p)
	if err != nil {
		return err
	}
	book, err := r.book(ctx, p, from, end)
	if err != nil {
		return err
	}
	var seen Redriven
	r.batch = newLetterBatch()
	err = r.letters(ctx, p, from, end, func(rec *pipeline.Record, l *deadletter.Letter, why error) error {
		standing := book.Of(rec.Offset)
		switch {
		case why != nil:
			seen.Foreign++
			return nil //nolint:nilerr // it is counted and passed over
		case standing != deadletter.Open:
			seen.Before++
			return nil
		case !r.Filter.Fits(l):
			seen.Filtered++
			r.batch.leave(l.At)
			return nil
		}
		return r.take(ctx, rec, l)
	})
	if errors.Is(err, ErrEnough) || err == nil {
		if fault := r.flush(ctx, p); fault != nil {
			return fault
		}
	}
	r.done.Foreign += seen.Foreign
	r.done.Before += seen.Before
	r.done.Filtered += seen.Filtered
	return err
}

// unsettled is the range in which letters may be open.
func (r *Redriver) unsettled(ctx context.Context, p int32) (from, end int64, err error) {
	committed, err := r.tx.Committed(ctx, p)
	if err != nil {
		return 0, 0, err
	}
	if from, err = r.look.Start(ctx, r.topics.DeadLetters, p); err != nil {
		return 0, 0, err
	}
	// After Begin nothing of ours is undecided, so all our marks lie before it.
	if end, err = r.look.End(ctx, r.topics.DeadLetters, p); err != nil {
		return 0, 0, err
	}
	if committed <= end {
		from = max(from, committed)
	}
	return from, end, nil
}

// take adds a letter to the batch, and ends the batch when it is full.
func (r *Redriver) take(ctx context.Context, rec *pipeline.Record, l *deadletter.Letter) error {
	if r.Limit > 0 && r.done.Sent()+r.batch.sent() >= r.Limit {
		r.batch.leave(l.At)
		return ErrEnough
	}
	decision := deadletter.Decide(l, deadletter.Open, r.MaxRedrives, r.tier != "")
	if r.refused[deadletter.Position{Partition: l.Partition, Offset: l.At}] {
		decision = deadletter.Decision{Way: deadletter.Hold, Standing: deadletter.HeldRefused}
	}
	r.send(rec, l, decision)
	r.batch.add(l, decision)
	if r.batch.letters >= r.batchLetters() || r.batch.bytes >= letterBytes {
		return r.flush(ctx, l.Partition)
	}
	return nil
}

// send puts what is sent back into the transaction.
func (r *Redriver) send(rec *pipeline.Record, l *deadletter.Letter, d deadletter.Decision) {
	at := r.now()
	now := at.UnixMilli()
	switch d.Way {
	case deadletter.ToInput:
		r.tx.Append(r.topics.Input, l.Partition, now, rec.Key, rec.Value, pipeline.BackToInput(nil, rec.Headers, l.Redrives+1))
	case deadletter.ToTier:
		r.tx.Append(r.tier, l.Partition, now, rec.Key, rec.Value, pipeline.BackToTier(nil, rec, l.Redrives+1, now))
	case deadletter.Hold, deadletter.Stay:
		return
	}
	r.batch.forgettable += r.forgettable(l, at)
}

func (r *Redriver) batchLetters() int {
	switch {
	case r.alone:
		return 1
	case r.Rate > 0:
		return max(1, min(batchLetters, int(r.Rate/batchesASecond)))
	}
	return batchLetters
}

func newLetterBatch() letterBatch {
	return letterBatch{marks: make(map[deadletter.Standing][]int64), open: broker.NoOffset}
}

func (b *letterBatch) add(l *deadletter.Letter, d deadletter.Decision) {
	b.marks[d.Standing] = append(b.marks[d.Standing], l.At)
	b.letters++
	b.bytes += l.Bytes
	b.ways[d.Way]++
	b.next = l.At + 1
}

// leave notes that a letter stays open: the group's offset stays before it.
func (b *letterBatch) leave(at int64) {
	if b.open == broker.NoOffset {
		b.open = at
	}
}

func (b *letterBatch) sent() uint64 { return b.ways[deadletter.ToInput] + b.ways[deadletter.ToTier] }

// offset is up to where all letters are dealt with.
func (b *letterBatch) offset() int64 {
	if b.open != broker.NoOffset {
		return b.open
	}
	return b.next
}

// flush commits the batch, when its time has come.
func (r *Redriver) flush(ctx context.Context, p int32) error {
	b := r.batch
	if b.letters == 0 {
		return nil
	}
	if err := r.pace(ctx, b.letters); err != nil {
		return err
	}
	if err := r.commit(ctx, p, b.marks, b.offset()); err != nil {
		if errors.Is(err, broker.ErrRefusedForSize) {
			r.refuse(p, b)
		}
		return err
	}
	r.done.ToInput += b.ways[deadletter.ToInput]
	r.done.ToTier += b.ways[deadletter.ToTier]
	r.done.Forgettable += b.forgettable
	for standing, offsets := range b.marks {
		if standing.Held() {
			r.done.Held[standing.String()] += uint64(len(offsets))
		}
	}
	open := b.open
	r.batch = newLetterBatch()
	r.batch.open = open
	return nil
}

// refuse makes the next attempt another one: letters alone, then without the one
// that is too large even so.
func (r *Redriver) refuse(p int32, b letterBatch) {
	if !r.alone {
		r.alone = true
		return
	}
	for _, offsets := range b.marks {
		for _, offset := range offsets {
			r.refused[deadletter.Position{Partition: p, Offset: offset}] = true
		}
	}
}

// commit writes marks beside what was appended. It is not interrupted.
func (r *Redriver) commit(ctx context.Context, p int32, marks map[deadletter.Standing][]int64, offset int64) error {
	for standing, offsets := range marks {
		value, headers := deadletter.Mark{Standing: standing, Offsets: offsets}.Append()
		r.tx.Append(r.topics.DeadLetters, p, r.now().UnixMilli(), nil, value, headers)
	}
	if err := r.tx.Commit(context.WithoutCancel(ctx), p, offset); err != nil {
		return err
	}
	for _, offsets := range marks {
		for _, offset := range offsets {
			r.act(p, offset)
		}
	}
	r.failures = 0
	r.done.Transactions++
	return nil
}

// pace waits until so many letters are due. What was missed while something else
// took long is not made up for.
func (r *Redriver) pace(ctx context.Context, letters int) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stopped before the end: %w", context.Cause(ctx))
	}
	if r.Rate <= 0 {
		return nil
	}
	now := r.now()
	if wait := r.due.Sub(now); wait > 0 {
		if err := r.wait(ctx, wait); err != nil {
			return err
		}
		now = r.due
	}
	r.due = now.Add(time.Duration(float64(letters) / r.Rate * float64(time.Second)))
	return nil
}

// hold marks what fits in one partition. A release moves the group's offset back
// to the first letter that is open again.
func (r *Redriver) hold(ctx context.Context, p int32, release bool) error {
	offset, err := r.tx.Committed(ctx, p)
	if err != nil {
		return err
	}
	becomes := deadletter.HeldByHand
	if release {
		becomes = deadletter.Open
	}
	var chosen []int64
	flush := func() error {
		if len(chosen) == 0 {
			return nil
		}
		if release {
			offset = min(offset, chosen[0])
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stopped before the end: %w", context.Cause(ctx))
		}
		marks := make(map[deadletter.Standing][]int64, 1)
		marks[becomes] = chosen
		if err := r.commit(ctx, p, marks, max(0, offset)); err != nil {
			return err
		}
		if release {
			r.done.Released += uint64(len(chosen))
		} else {
			r.done.Held[becomes.String()] += uint64(len(chosen))
		}
		chosen = chosen[:0]
		return nil
	}
	err = r.eachOf(ctx, p, func(_ *pipeline.Record, l *deadletter.Letter, s deadletter.Standing) error {
		if release != s.Held() || !release && s != deadletter.Open {
			return nil
		}
		if chosen = append(chosen, l.At); len(chosen) >= batchLetters {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

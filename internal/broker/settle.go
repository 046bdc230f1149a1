package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"pulse-scorer/internal/broker/wire"
)

// settle finds out what became of a transaction that did not end as asked: a
// request without answer, a refusal, a time-out. It decides every part, or
// returns an error that the service cannot go on with.
//
// InitProducerID until it answers 0 makes the outcome final: a transaction that
// was being committed is committed by then, any other is aborted, and a
// delayed EndTxn is refused for its old epoch. Only then the group's stable
// offsets tell which of the two it was. The heartbeat comes first, because an
// expelled or replaced member must not touch the ID again
// (TestSettle_LostAnswerOfEachRequest, and on the real broker integration).
func (c *committer) settle(ctx context.Context, tx *transaction) error {
	for pause := newBackoff(); ; {
		try, cancel := context.WithTimeoutCause(ctx, c.set.TransactionTimeout, errSettleTimeout)
		err := c.trySettle(ctx, try, tx)
		cancel()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrFatal):
			tx.decide(unsettled)
			return err
		case final(err):
			tx.decide(unsettled)
			return fatalf("outcome of a transaction: %w", err)
		case ctx.Err() != nil:
			// Stopping for good: nobody will ask for the outcome. The
			// next owner fences this ID and finds it out for itself.
			tx.decide(unsettled)
			return nil //nolint:nilerr // it is the next owner's to find out
		}
		c.log.Warn("outcome of a transaction is still unknown, trying again", slog.Any("err", err))
		pause.wait(ctx)
	}
}

var errSettleTimeout = errors.New("not found out within a transaction time-out (PULSE_TRANSACTION_TIMEOUT)")

// trySettle is bounded by try, so that what it waits for is said once in a while. Only
// what must not be left in the middle has all the time there is.
func (c *committer) trySettle(ctx, try context.Context, tx *transaction) error {
	if g := c.member.generation(); g != nil && g.txnID != c.txnID {
		// Expelled, and a member again under another ID. To wait for offsets
		// that the former ID holds would be in vain: the takeover that fences
		// it waits for us (TestSettle_GivesUpWhatAFormerIDHolds).
		tx.decide(unsettled)
		return nil
	}
	switch err := c.member.check(try); {
	case errors.Is(err, wire.FencedInstanceID):
		return errReplaced
	case errors.Is(err, wire.UnknownMemberID), errors.Is(err, errNotJoined):
		// Expelled: the next owners fence our ID. They may do so before or
		// after us; what they find is what counts, for the tasks are theirs.
		// Until the member has heard of it as well, the tasks are taken anew:
		// should it stay a member, the transaction may have committed
		// (TestSimulation_KeepsWhatItFound).
		tx.decide(unsettled)
		return nil
	case err != nil && !errors.Is(err, wire.RebalanceInProgress) && !errors.Is(err, wire.IllegalGeneration):
		return fmt.Errorf("heartbeat: %w", err)
	}
	g := c.member.generation()
	if g == nil {
		return errNotJoined
	}
	parts := tx.undecided()
	if err := c.endOpen(ctx, try, g, parts); err != nil {
		return err
	}
	offsets, err := c.cluster.stableOffsets(try, tasksOf(parts))
	if err != nil {
		return fmt.Errorf("stable offsets: %w", err)
	}
	for _, p := range parts {
		p.verdict = judge(p, offsets[p.task])
		c.say(p, offsets[p.task])
	}
	c.kept, c.ended = nil, endUnknown
	return nil
}

// endOpen makes sure that nothing of ours is open any more, nor hangs.
func (c *committer) endOpen(ctx, try context.Context, g *generation, parts []*part) error {
	if err := c.endEmpty(try, g); err != nil {
		return err
	}
	if err := c.ensureProducer(try, g); err != nil {
		return err
	}
	c.opened = false
	c.doubtAll(parts)
	return c.clearDoubts(ctx, nil, tasksOf(parts))
}

// say logs a verdict. That our own last commit has been taken back is the cluster's
// fault, and can have doubled results (doubts.go says when it cannot be helped).
func (c *committer) say(p *part, stable groupOffsets) {
	c.log.Info("outcome found", slog.Int("task", int(p.task)), slog.String("verdict", p.verdict.String()),
		slog.Any("committed", stable.offsets()), slog.Any("before", p.before), slog.Any("next", p.next))
	for tier, now := range stable {
		if before := p.before.at(tier); p.verdict == unclear && now.offset < before && now.metadata == c.txnID {
			c.log.Error("the cluster has taken back what it had committed; results of these offsets may stand twice: run pulse-scorer audit",
				slog.String("topic", c.set.Topics.source(tier)), slog.Int("partition", int(p.task)),
				slog.Int64("offset", now.offset), slog.Int64("next", before))
		}
	}
}

// judge compares the group's stable offsets with what a part started from and
// what it was to commit. They are committed together, so all that it has moved must
// say the same.
func judge(p *part, stable groupOffsets) verdict {
	if !guardOutcome {
		return rolledBack
	}
	moved, atNext, atBefore := p.compare(stable)
	switch {
	case !moved && p.records > 0:
		// It ends where the group was before: input was read again from
		// further back. Only the state knows.
		return unclear
	case !moved && atNext:
		// Nothing but the owner record: whether it committed cannot be told
		// from the offset, and is found out by doing it again.
		return rolledBack
	case atNext:
		return committed
	case atBefore:
		return rolledBack
	default:
		return unclear
	}
}

// compare tells whether the part moves any offset, and whether the group stands at
// all of those that it commits, or at all of those before it.
func (p *part) compare(stable groupOffsets) (moved, atNext, atBefore bool) {
	atNext, atBefore = true, true
	for tier, now := range stable {
		before, next := p.before.at(tier), p.next.at(tier)
		if next < 0 {
			continue
		}
		moved = moved || next != before
		atNext = atNext && now.offset == next
		atBefore = atBefore && now.offset == before
	}
	return moved, atNext, atBefore
}

func tasksOf(parts []*part) []int32 {
	ids := make([]int32, len(parts))
	for i, p := range parts {
		ids[i] = p.task
	}
	return ids
}

// String names the verdict for logs.
func (v verdict) String() string {
	switch v {
	case undecided:
		return "undecided"
	case committed:
		return "committed"
	case rolledBack:
		return "rolled back"
	case unclear:
		return "unclear, the group's offset was moved by somebody else"
	case unsettled:
		return "not settled, the member is none any more"
	}
	return fmt.Sprintf("verdict %d", uint8(v))
}

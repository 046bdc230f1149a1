package broker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A broker that goes away just after a transaction was committed may never write its
// marker there (KAFKA-20734). The next transaction that writes to such a partition ends
// both: with commit if it commits, and what had committed is lost if it fails. So it is
// not begun before the last one's partitions are known to be whole where something may
// have happened to them: where their leaders have moved meanwhile (doubtMoved), and
// where the coordinator took long to end the last one, as it does while it cannot reach
// a leader (openedInTime). Between transactions that follow each other at once, which
// is what a busy service has, that costs no request.

// moves is what is noted of the last committed transaction for that.
type moves struct {
	at     time.Time
	epochs map[topicPartition]int32
}

const (
	// quietFor is how long after a commit nothing is asked before the next transaction:
	// a broker that dies is not replaced sooner.
	quietFor = time.Second
	// opensWithin is how long the coordinator takes at most to end a transaction whose
	// leaders all answer, so that it opens the next one.
	opensWithin = 2 * time.Second
)

// keep notes what the transaction that has just committed wrote.
func (c *committer) keep() {
	c.kept, c.ended = c.wrote, endUnknown
	c.moves = moves{at: c.now(), epochs: make(map[topicPartition]int32, len(c.kept))}
	for tp := range c.kept {
		c.moves.epochs[tp] = c.cluster.leaderEpoch(tp)
	}
}

// doubtMoved puts those partitions of the last committed transaction in doubt that have
// got another leader since (TestDoubtMoved_OnlyWhatHasMoved).
func (c *committer) doubtMoved(ctx context.Context) error {
	if len(c.kept) == 0 || c.now().Sub(c.moves.at) < quietFor {
		return nil
	}
	if err := c.cluster.lookUp(ctx); err != nil {
		return fmt.Errorf("look for leaders that have moved: %w", err)
	}
	c.moves.at = c.now()
	for tp, offset := range c.kept {
		epoch := c.cluster.leaderEpoch(tp)
		if epoch == c.moves.epochs[tp] && epoch != noEpoch {
			continue
		}
		c.moves.epochs[tp] = epoch
		if _, noted := c.doubts[tp]; !noted {
			c.doubts[tp] = doubt{endCommitted, offset}
		}
	}
	return nil
}

var errOpenedLate = errors.New("the coordinator took long to end the last one: its partitions are looked at first")

// openedInTime gives the transaction up, before anything is sent, that had to wait long
// for the end of the last one. Empty, it is ended with commit (endEmpty), and so is what
// hangs.
func (c *committer) openedInTime(began time.Time) error {
	if len(c.kept) > 0 && c.now().Sub(began) > opensWithin {
		return errOpenedLate
	}
	return nil
}

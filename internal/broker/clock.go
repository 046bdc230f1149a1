package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pulse-scorer/internal/broker/wire"
)

// clockTTL is how long a reading of the brokers' clock is used before the next
// transaction brings another. Clocks that are disciplined drift by far less than a
// millisecond in it; one that is set is followed within it, while there is traffic.
const clockTTL = 10 * time.Second

// brokerClock translates this process's clock into the brokers'. The protocol has
// no request for a time; but the coordinator stamps a transaction with its own when
// the first partition is added, and DescribeTransactions gives that
// (transaction_start_time_ms, KIP-664), without any right that is not needed anyway.
// The instant lies between sending and answer, so the error is less than that: some
// milliseconds. Every task begins with a transaction, its owner record's, so that
// there is a reading before there is lag to show. It is shared: the committer reads,
// the loop asks.
type brokerClock struct {
	mu    sync.Mutex // guards the rest
	ahead time.Duration
	// readAt is by the clock on the wall, which can be set, not by how long the process
	// has run; zero before the first reading.
	readAt time.Time
}

// due tells whether a transaction that begins now should bring a reading.
func (b *brokerClock) due(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A clock that was set back is as good a reason as one that went on.
	return b.readAt.IsZero() || now.Sub(b.readAt).Abs() >= clockTTL
}

// read takes what the brokers' clock showed between two moments of ours. No time,
// not above 0, changes nothing: the broker tells none, and what was known goes on.
func (b *brokerClock) read(shownMs int64, sent, answered time.Time) {
	if shownMs <= 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead, b.readAt = aheadOf(shownMs, sent, answered), answered.Round(0)
}

// aheadOf is how far a clock that showed a time, in milliseconds since 1970, at some
// moment between two of ours is ahead of ours. Where it can be 0 it is: then nothing
// says that the clocks differ.
func aheadOf(shownMs int64, sent, answered time.Time) time.Duration {
	least, most := time.UnixMilli(shownMs).Sub(answered), time.UnixMilli(shownMs+1).Sub(sent)
	if least <= 0 && most >= 0 {
		return 0
	}
	return (least + most) / 2
}

// at is what the brokers' clock shows when ours shows now; the same before the first
// reading.
func (b *brokerClock) at(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Add(b.ahead)
}

// clockPatience is how long the quorum's leader may take to answer. A broker holds the
// question while there is none, and lag is wanted then, too.
const clockPatience = time.Second

// errNoQuorum says that a broker's answer holds no time of the quorum's leader.
var errNoQuorum = errors.New("the answer has no time of the leader")

// Clock is how far the brokers' clock is ahead of now, to some milliseconds. An
// Inspector writes nothing, so it asks the quorum's leader, which tells its own time
// with when its voters were caught up last (KIP-836). That takes the operation Describe
// on the cluster, and brokers without ZooKeeper; else it is an error.
func (i *Inspector) Clock(ctx context.Context, now func() time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, clockPatience)
	defer cancel()
	var res wire.DescribeQuorumResponse
	sent := now()
	if err := i.cluster.do(ctx, anyNode, &wire.DescribeQuorumRequest{}, &res); err != nil {
		return 0, err
	}
	answered := now()
	if err := res.Err(); err != nil {
		return 0, err
	}
	shown := res.LeaderMs()
	if shown <= 0 {
		return 0, fmt.Errorf("%v: %w", wire.DescribeQuorum, errNoQuorum)
	}
	return aheadOf(shown, sent, answered), nil
}

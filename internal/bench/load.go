package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Load says what records are made: each series has a key, and murmur2 spreads the
// keys over the partitions.
type Load struct {
	Records, Series, Partitions int
}

// partitions is the number in Kafka's type; Validate has looked at it.
func (l Load) partitions() int32 { return int32(min(l.Partitions, math.MaxInt32)) } //nolint:gosec // G115: bounded

// repeatEvery: every record of this number repeats the one before it, same ID and
// content.
const repeatEvery = 100

// Unique is how many results there must be.
func (l Load) Unique() int { return l.Records - l.Records/repeatEvery }

// origin is the number of the record that record i is, or repeats.
func origin(i int) int {
	if i%repeatEvery == repeatEvery-1 {
		return i - 1
	}
	return i
}

// UsualLoad is that of a round where nothing else is said.
func UsualLoad() Load { return Load{Records: 1_000_000, Series: 1000, Partitions: 8} }

// key is the name of a record's series. Neighbours are of different series, but for
// repeats; as many signals as there are series have one of each
// (TestLoad_HasAllItsSeries). Repeats do not count: where the number of series is a
// multiple of repeatEvery, each would take the turn of the same ones.
func (l Load) key(i int) []byte {
	stride := 7919 // a prime
	if l.Series%stride == 0 {
		stride = 7907 // another one
	}
	j := origin(i)
	return fmt.Appendf(nil, "series-%04d", (j-j/repeatEvery)*stride%l.Series)
}

// idPrefix stands before the number in the ID of a record.
const idPrefix = `"id":"bench-`

const idDigits = 9

// maxRecords is how many numbers the ID has room for.
const maxRecords = 1_000_000_000

// value is a signal with a value of as many digits as a measurement has that was
// computed, observed in the last hour that was over now, in seconds since 1970. All
// in one: a series that goes from one hour to another begins to learn its day, which
// takes memory and time, and whether a run does so must not depend on the clock.
func (l Load) value(i int, now float64) []byte {
	const hour, spread = 3600, 1000
	j := origin(i)
	over := math.Floor(now/hour) * hour
	b := fmt.Appendf(make([]byte, 0, 160), `{%s%0*d","name":"%s","value":`, idPrefix, idDigits, j, l.key(i))
	b = strconv.AppendFloat(b, 100+10*math.Sin(float64(j)/50)+float64(j%17), 'f', -1, 64)
	b = append(b, `,"source":"bench","timestamp":`...)
	b = strconv.AppendFloat(b, over-1-float64(j%spread), 'f', 3, 64)
	return append(b, '}')
}

var errNoNumber = errors.New("a record without a number of the load in its ID")

// numberOf is the number of the record that a value, or a result, is of.
func numberOf(value []byte) (int, error) {
	at := bytes.Index(value, []byte(idPrefix))
	if at < 0 || len(value) < at+len(idPrefix)+idDigits {
		return 0, errNoNumber
	}
	n, err := strconv.Atoi(string(value[at+len(idPrefix) : at+len(idPrefix)+idDigits]))
	if err != nil || n < 0 {
		return 0, errNoNumber
	}
	return n, nil
}

// timeout is how long the load's transaction may be open: until all of it is produced,
// and whoever works on it has begun.
func (l Load) timeout() time.Duration {
	const (
		record = 60 * time.Microsecond
		most   = 15 * time.Minute // a broker takes no longer one, unless it is told to
	)
	return min(beginTimeout+time.Duration(l.Records)*record, most)
}

// held is a load that is in its topic and cannot be read with read_committed yet.
type held struct {
	client *kgo.Client
	// ends are the offsets after the last record of each partition.
	ends map[int32]int64
}

// hold produces a load in one transaction, which it leaves open.
func (l Load) hold(ctx context.Context, brokers []string, topic string, now float64) (*held, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic),
		kgo.TransactionTimeout(l.timeout()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(loadLinger),
		kgo.MaxBufferedRecords(100_000),
		// A topic of many partitions takes a broker a while to know.
		kgo.UnknownTopicRetries(-1))
	if err != nil {
		return nil, fmt.Errorf("client of the load: %w", err)
	}
	h := &held{client: client, ends: make(map[int32]int64)}
	if err := h.produce(ctx, l, now); err != nil {
		client.Close()
		return nil, fmt.Errorf("produce the load: %w", err)
	}
	return h, nil
}

func (h *held) produce(ctx context.Context, l Load, now float64) error {
	if err := h.client.BeginTransaction(); err != nil {
		return err //nolint:wrapcheck // hold says what it was
	}
	var mu sync.Mutex // guards failed and ends
	var failed error
	for i := range l.Records {
		h.client.Produce(ctx, &kgo.Record{Key: l.key(i), Value: l.value(i, now)}, func(r *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err // there may be a million
			}
			h.ends[r.Partition] = max(h.ends[r.Partition], r.Offset+1)
		})
		if ctx.Err() != nil {
			break
		}
	}
	if err := h.client.Flush(ctx); err != nil {
		return err //nolint:wrapcheck // hold says what it was
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// release makes the load visible.
func (h *held) release(ctx context.Context) error {
	if err := h.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("end the load's transaction: %w", err)
	}
	return nil
}

func (h *held) close() { h.client.Close() }

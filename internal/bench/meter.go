package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Latency is how long after it was handed to a producer a signal could be seen by a
// read_committed consumer.
type Latency struct {
	P50, P99, P999, Max time.Duration
}

// meter sends signals at a rate and waits for what becomes of them.
type meter struct {
	brokers []string
	in, out string
	load    Load
	rate    int
	now     func() time.Time

	// sent is when each was sent, in nanoseconds since 1970.
	sent []atomic.Int64
	// warm is closed when the reader has seen the warm-up.
	warm    chan struct{}
	latency []time.Duration
}

const (
	// tick is how often the meter sends: what is due by then, at once.
	tick = time.Millisecond
	// warmUp is how many signals go first, one after the other, and are not counted: a
	// process that has just begun has connections to make.
	warmUp = 50
	// quiet is how long nothing may come before the rest counts as lost.
	quiet = 20 * time.Second
)

// measure sends for a time and returns what it saw.
func (m *meter) measure(ctx context.Context, length time.Duration) (Latency, error) {
	count := warmUp + int(length.Seconds()*float64(m.rate))
	m.sent, m.warm = make([]atomic.Int64, count), make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.read(ctx) })
	group.Go(func() error { return m.send(ctx) })
	if err := group.Wait(); err != nil {
		return Latency{}, err
	}
	slices.Sort(m.latency)
	at := func(share float64) time.Duration { return m.latency[int(share*float64(len(m.latency)-1))] }
	return Latency{P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: at(1)}, nil
}

func (m *meter) send(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(m.brokers...), kgo.DefaultProduceTopic(m.in), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return fmt.Errorf("client that sends: %w", err)
	}
	defer client.Close()
	failed := make(chan error, 1)
	one := func(i int) {
		now := m.now()
		m.sent[i].Store(now.UnixNano())
		client.Produce(ctx, &kgo.Record{Key: m.load.key(i), Value: m.value(i, now)}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var began time.Time
	for i := 0; i < len(m.sent); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-failed:
			return fmt.Errorf("send to %s: %w", m.in, err)
		case <-ticker.C:
		}
		if i < warmUp {
			one(i)
			i++
			continue
		}
		if began.IsZero() {
			select {
			case <-m.warm:
			default:
				continue
			}
			began = m.now()
		}
		due := warmUp + int(m.now().Sub(began).Seconds()*float64(m.rate))
		for ; i < min(due, len(m.sent)); i++ {
			one(i)
		}
	}
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("send to %s: %w", m.in, err)
	}
	return nil
}

// meterID stands before the number in the ID of a signal of the meter, none of which
// is like another.
const meterID = `"id":"meter-`

func (m *meter) value(i int, now time.Time) []byte {
	return fmt.Appendf(nil, `{%s%0*d","name":"%s","value":%d.25,"source":"meter","timestamp":%.6f}`,
		meterID, idDigits, i, m.load.key(i), i%97, float64(now.UnixMicro())/1e6)
}

func (m *meter) read(ctx context.Context) error {
	from := make(map[int32]kgo.Offset)
	for p := range m.load.Partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(m.brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{m.out: from}), kgo.FetchMinBytes(1))
	if err != nil {
		return fmt.Errorf("client that reads: %w", err)
	}
	defer client.Close()
	seen := make([]bool, len(m.sent))
	warm := false
	for left := len(m.sent); left > 0; {
		poll, cancel := context.WithTimeoutCause(ctx, quiet, errQuiet)
		fetches := client.PollFetches(poll)
		cancel()
		now := m.now().UnixNano()
		if err := fetches.Err(); err != nil {
			if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("%w: %d signals of %d are not there %v after the last one", ErrIncomplete, left, len(seen), quiet)
			}
			return fmt.Errorf("read %s: %w", m.out, err)
		}
		var fault error
		fetches.EachRecord(func(r *kgo.Record) {
			i, err := m.number(r.Value)
			switch {
			case err != nil:
				fault = err
			case m.sent[i].Load() == 0:
				fault = fmt.Errorf("%w: signal %d has not been sent yet", ErrIncomplete, i)
			case seen[i]:
				fault = fmt.Errorf("%w: signal %d comes twice", ErrIncomplete, i)
			default:
				seen[i] = true
				left--
				if i >= warmUp {
					m.latency = append(m.latency, time.Duration(now-m.sent[i].Load()))
				}
			}
		})
		if fault != nil {
			return fault
		}
		if !warm && len(seen)-left >= warmUp {
			warm = true
			close(m.warm)
		}
	}
	return nil
}

var errQuiet = errors.New("nothing comes")

func (m *meter) number(value []byte) (int, error) {
	at := bytes.Index(value, []byte(meterID))
	if at < 0 || len(value) < at+len(meterID)+idDigits {
		return 0, errNoNumber
	}
	i, err := strconv.Atoi(string(value[at+len(meterID) : at+len(meterID)+idDigits]))
	if err != nil || i < 0 || i >= len(m.sent) {
		return 0, errNoNumber
	}
	return i, nil
}

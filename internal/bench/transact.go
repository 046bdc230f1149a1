package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Transact is the service's job as one would write it with a client library: read,
// drop what was seen before, judge each value by its series, and write results and
// offsets in transactions (franz-go's GroupTransactSession). What it remembers is in
// memory only, so a restart would score everything anew; it has no dead letters, no
// retries and no metrics. It works until ctx ends.
func (j Job) Transact(ctx context.Context) error {
	var once sync.Once
	said := make(chan error, 1)
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(j.Brokers...), kgo.ConsumeTopics(j.In), kgo.ConsumerGroup(j.Group),
		kgo.TransactionalID(j.Group), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DefaultProduceTopic(j.Out), kgo.FetchMaxWait(peerWait),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			once.Do(func() {
				_, err := fmt.Fprintln(j.Ready, ready)
				said <- err
			})
		}))
	if err != nil {
		return fmt.Errorf("client of the comparison: %w", err)
	}
	defer session.Close()
	known := make(map[int32]*remembered)
	for {
		fetches := session.PollRecords(ctx, transactRecords)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", j.In, err)
		}
		select {
		case err := <-said:
			if err != nil {
				return fmt.Errorf("say that it is ready: %w", err)
			}
		default:
		}
		if fetches.NumRecords() == 0 {
			continue
		}
		// One that has begun ends, also when there is no next one.
		if err := transact(context.WithoutCancel(ctx), session, fetches, known); err != nil {
			return err
		}
	}
}

// transactRecords is how many records a transaction has at most.
const transactRecords = 50_000

func transact(ctx context.Context, session *kgo.GroupTransactSession, fetches kgo.Fetches, known map[int32]*remembered) error {
	if err := session.Begin(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	var partitions errgroup.Group
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		state := known[p.Partition]
		if state == nil {
			state = &remembered{ids: make(map[string]bool), series: make(map[string][]float64)}
			known[p.Partition] = state
		}
		partitions.Go(func() error {
			for _, r := range p.Records {
				result, err := state.score(r)
				if err != nil {
					return err
				}
				if result != nil {
					session.Produce(ctx, &kgo.Record{Key: r.Key, Value: result}, nil)
				}
			}
			return nil
		})
	})
	if err := partitions.Wait(); err != nil {
		return err
	}
	committed, err := session.End(ctx, kgo.TryCommit)
	if err != nil {
		return fmt.Errorf("end: %w", err)
	}
	if !committed {
		return fmt.Errorf("%w: a transaction was aborted, and what it remembered is not taken back", ErrIncomplete)
	}
	return nil
}

// remembered is what the comparison knows of a partition.
type remembered struct {
	ids    map[string]bool
	series map[string][]float64
}

type observation struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Source    string  `json:"source"`
	Timestamp float64 `json:"timestamp"`
}

type judged struct {
	observation

	Tag     string  `json:"signal_tag"`
	Recency float64 `json:"recency_score"`
	Anomaly bool    `json:"anomaly_flag"`
	STI     float64 `json:"sti"`
	Trust   float64 `json:"trust_score"`
}

// score is nil for a signal that was seen before.
func (m *remembered) score(r *kgo.Record) ([]byte, error) {
	var o observation
	if err := json.Unmarshal(r.Value, &o); err != nil {
		return nil, fmt.Errorf("record at offset %d: %w", r.Offset, err)
	}
	if m.ids[o.ID] {
		return nil, nil
	}
	m.ids[o.ID] = true
	const week, windowSize, fewest = 7 * 24 * time.Hour, 50, 10
	window := m.series[o.Name]
	window = append(window, o.Value)
	window = window[max(0, len(window)-windowSize):]
	m.series[o.Name] = window
	out := judged{observation: o, Tag: tagOf(o.Name), Anomaly: len(window) >= fewest && stands(o.Value, window)}
	age := float64(r.Timestamp.UnixMilli())/1000 - o.Timestamp
	out.Recency = round3(max(0, min(1, 1-age/week.Seconds())))
	out.STI = 0.6 + 0.3*out.Recency
	if out.Anomaly {
		out.STI -= 0.2
	}
	out.STI = round3(out.STI)
	result, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("result of the record at offset %d: %w", r.Offset, err)
	}
	return result, nil
}

func tagOf(name string) string {
	lower := strings.ToLower(name)
	for _, word := range []string{"hope", "despair", "rage", "fatigue"} {
		if strings.Contains(lower, word) {
			return word
		}
	}
	return "neutral"
}

// stands is true for a value far from the others of its window.
func stands(value float64, window []float64) bool {
	mean, squares := 0.0, 0.0
	for _, v := range window {
		mean += v
	}
	mean /= float64(len(window))
	for _, v := range window {
		squares += (v - mean) * (v - mean)
	}
	return math.Abs(value-mean) > 3*math.Sqrt(squares/float64(len(window)))+1e-6
}

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Job is what a process that the service is compared with works on.
type Job struct {
	Brokers    []string
	In, Out    string
	Group      string
	Partitions int
	// Ready is told, by a line, when the job has begun to read.
	Ready io.Writer
}

// Args are the job as a program's arguments: brokers with commas between them, topic to
// read, topic to write, group, and partitions of each topic.
func (j Job) Args() []string {
	return []string{strings.Join(j.Brokers, ","), j.In, j.Out, j.Group, strconv.Itoa(j.Partitions)}
}

// Copy reads records and writes them as they are, until ctx ends: what moving them
// costs, without transactions, group, or a look at what is in them.
func (j Job) Copy(ctx context.Context) error {
	from := make(map[int32]kgo.Offset)
	for p := range j.Partitions {
		from[int32(p)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(j.Brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{j.In: from}), kgo.DefaultProduceTopic(j.Out),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(copyLinger), kgo.FetchMaxWait(peerWait))
	if err != nil {
		return fmt.Errorf("client of the copy: %w", err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("no broker answers: %w", err)
	}
	if _, err := fmt.Fprintln(j.Ready, ready); err != nil {
		return fmt.Errorf("say that it is ready: %w", err)
	}
	failed := make(chan error, 1)
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", j.In, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			client.Produce(ctx, &kgo.Record{Key: r.Key, Value: r.Value, Partition: r.Partition}, func(_ *kgo.Record, err error) {
				if err != nil && !errors.Is(err, context.Canceled) {
					select {
					case failed <- err:
					default:
					}
				}
			})
		})
		select {
		case err := <-failed:
			return fmt.Errorf("write %s: %w", j.Out, err)
		default:
		}
	}
}

const (
	// ready is the line that a job says when it has begun.
	ready = "ready"
	// copyLinger gathers records into batches.
	copyLinger = 5 * time.Millisecond
	// peerWait is how long a broker holds a fetch that finds nothing.
	peerWait = 100 * time.Millisecond
)

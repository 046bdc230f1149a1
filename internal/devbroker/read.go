package devbroker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is a record as an outsider reads it.
type Record struct {
	Topic       string
	Partition   int32
	Offset      int64
	TimestampMs int64
	Key, Value  []byte
	Headers     map[string]string
}

// Read calls each for every committed record of the topics, from their
// beginning, until ctx ends; then it returns nil. It is a client of its own
// (franz-go, isolation level read_committed), so that what the service claims
// to have written can be counted by somebody else.
func (b *Broker) Read(ctx context.Context, topics []string, each func(Record)) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(b.addrs...), kgo.ConsumeTopics(topics...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return fmt.Errorf("read from the embedded broker: %w", err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, fault := range fetches.Errors() {
			return fmt.Errorf("read %s-%d from the embedded broker: %w", fault.Topic, fault.Partition, fault.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			record := Record{
				Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMs: r.Timestamp.UnixMilli(),
				Key: r.Key, Value: r.Value, Headers: make(map[string]string, len(r.Headers)),
			}
			for _, h := range r.Headers {
				record.Headers[h.Key] = string(h.Value)
			}
			each(record)
		})
	}
}

package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// warmers are how many producers keep the brokers busy before anything is measured.
const warmers = 4

// warm has producers make small transactions for a while. A broker that has just been
// started runs most of what transactions are made of uncompiled; a service at a low rate
// alone needs ten minutes to make it as quick as it is for the rest of its life, and
// whoever is measured first would look slower than the others.
func (r *runner) warm(ctx context.Context) error {
	if r.WarmUp == 0 {
		return nil
	}
	r.Progress(fmt.Sprintf("keeping the brokers busy for %v", r.WarmUp))
	topic := r.prefix + "-warm"
	if err := r.admin.create(ctx, r.Load.partitions(), topic); err != nil {
		return err
	}
	until := r.now().Add(r.WarmUp)
	group, busy := errgroup.WithContext(ctx)
	for i := range warmers {
		group.Go(func() error {
			if err := r.warmer(busy, topic, fmt.Sprintf("%s-%d", topic, i), until); err != nil {
				return fmt.Errorf("keep the brokers busy: %w", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.admin.drop(ctx, topic)
}

// warmer makes transactions of a few records in all partitions.
func (r *runner) warmer(ctx context.Context, topic, id string, until time.Time) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...), kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic),
		kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return err //nolint:wrapcheck // warm says what it was
	}
	defer client.Close()
	for i := 0; r.now().Before(until); i++ {
		if err := client.BeginTransaction(); err != nil {
			return err //nolint:wrapcheck // warm says what it was
		}
		for range r.Load.Partitions {
			client.Produce(ctx, &kgo.Record{Key: r.Load.key(i), Value: r.Load.value(i, 0)}, nil)
		}
		if err := client.Flush(ctx); err != nil {
			return err //nolint:wrapcheck // warm says what it was
		}
		if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return err //nolint:wrapcheck // warm says what it was
		}
	}
	return nil
}

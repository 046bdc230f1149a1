package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrIncomplete says that what was measured has lost or doubled results.
var ErrIncomplete = errors.New("results are not complete and unique")

// check reads all that can be read of a results topic: each record of the load must
// have one result, and nothing else may be there.
func (l Load) check(ctx context.Context, a *admin, brokers []string, topic string) error {
	ends, err := a.settled(ctx, topic)
	if err != nil {
		return err
	}
	seen := make([]bool, l.Records)
	unique, twice, strange := 0, 0, 0
	err = readTo(ctx, brokers, topic, ends, func(value []byte) {
		n, err := numberOf(value)
		switch {
		case err != nil || n >= l.Records || origin(n) != n:
			strange++
		case seen[n]:
			twice++
		default:
			seen[n] = true
			unique++
		}
	})
	if err != nil {
		return err
	}
	if unique != l.Unique() || twice > 0 || strange > 0 {
		return fmt.Errorf("%w: %d of %d are there, %d come twice, %d are of nothing that was sent",
			ErrIncomplete, unique, l.Unique(), twice, strange)
	}
	return nil
}

// readTo gives the value of each committed record before the ends.
func readTo(ctx context.Context, brokers []string, topic string, ends map[int32]int64, each func(value []byte)) error {
	from := make(map[int32]kgo.Offset)
	for partition, end := range ends {
		if end > 0 {
			from[partition] = kgo.NewOffset().AtStart()
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.KeepControlRecords())
	if err != nil {
		return fmt.Errorf("client that reads results: %w", err)
	}
	defer client.Close()
	for left := len(from); left > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				each(r.Value)
			}
			if r.Offset == ends[r.Partition]-1 { // a marker, where there are transactions
				left--
			}
		})
	}
	return nil
}

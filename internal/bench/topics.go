package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// beginTimeout is how long the load's transaction may wait for the processes that
	// work on it.
	beginTimeout = 2 * time.Minute
	loadLinger   = 20 * time.Millisecond
	// lookEvery is how often the committed offsets are asked for: the error of a
	// measured time, against a run.
	lookEvery = 5 * time.Millisecond
)

// admin makes, looks at and deletes topics.
type admin struct {
	client *kgo.Client
	kafka  *kadm.Client
}

func newAdmin(brokers []string) (*admin, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, fmt.Errorf("client of the benchmark: %w", err)
	}
	return &admin{client: client, kafka: kadm.NewClient(client)}, nil
}

func (a *admin) close() { a.client.Close() }

// resultBytes is what a results topic must take, more than the broker's default.
const resultBytes = "2097152"

func (a *admin) create(ctx context.Context, partitions int32, names ...string) error {
	size := resultBytes
	answers, err := a.kafka.CreateTopics(ctx, partitions, -1, map[string]*string{"max.message.bytes": &size}, names...)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return fmt.Errorf("create topics %v: %w", names, err)
	}
	return nil
}

// drop deletes all topics whose names begin so.
func (a *admin) drop(ctx context.Context, prefix string) error {
	// Not kadm's list, which may be the one of a moment ago.
	list, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, a.client)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var names []string
	for i := range list.Topics {
		if name := list.Topics[i].Topic; name != nil && strings.HasPrefix(*name, prefix) {
			names = append(names, *name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	answers, err := a.kafka.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("delete topics %s…: %w", prefix, err)
	}
	return deleted(answers)
}

// deleted joins what went wrong. A topic that is not there is as wanted: a broker may
// still have listed one that was deleted the moment before.
func deleted(answers kadm.DeleteTopicResponses) error {
	var faults []error
	for _, answer := range answers.Sorted() {
		if answer.Err != nil && !errors.Is(answer.Err, kerr.UnknownTopicOrPartition) {
			faults = append(faults, fmt.Errorf("delete topic %s: %w", answer.Topic, answer.Err))
		}
	}
	return errors.Join(faults...)
}

// awaitCommitted returns when a group has committed everything up to the offsets.
func (a *admin) awaitCommitted(ctx context.Context, group, topic string, ends map[int32]int64) error {
	return until(ctx, func() (bool, error) {
		offsets, err := a.kafka.FetchOffsets(ctx, group)
		if err != nil {
			return false, fmt.Errorf("offsets of group %s: %w", group, err)
		}
		for partition, end := range ends {
			if o, ok := offsets.Lookup(topic, partition); !ok || o.At < end {
				return false, nil
			}
		}
		return true, nil
	})
}

// awaitMembers returns when a group has so many members, which know what is theirs.
func (a *admin) awaitMembers(ctx context.Context, group string, members int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("group %s does not come to rest with %d members", group, members))
	defer cancel()
	return until(ctx, func() (bool, error) {
		groups, err := a.kafka.DescribeGroups(ctx, group)
		if err == nil {
			err = groups.Error()
		}
		if errors.Is(err, kerr.GroupIDNotFound) {
			return false, nil // nobody has joined yet
		}
		if err != nil {
			return false, fmt.Errorf("members of group %s: %w", group, err)
		}
		g := groups[group]
		return g.State == "Stable" && len(g.Members) == members, nil
	})
}

// awaitEnd returns when a topic has so many records.
func (a *admin) awaitEnd(ctx context.Context, topic string, records int) error {
	return until(ctx, func() (bool, error) {
		ends, err := a.ends(ctx, topic)
		if err != nil {
			return false, err
		}
		sum := int64(0)
		for _, end := range ends {
			sum += end
		}
		return sum >= int64(records), nil
	})
}

// ends are the offsets after the last record that can be read with read_committed.
func (a *admin) ends(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := a.kafka.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	ends := make(map[int32]int64)
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// settled are the ends of a topic that nobody writes to any more, when its last
// transactions are over. An offset of the group can be seen when its own partition has
// the marker of the end; those of the results may get theirs later, and what is read
// until then lacks what stands behind (TestSettled_WaitsForTheLastTransaction; seen on
// Kafka 4.3.1 on a busy machine).
func (a *admin) settled(ctx context.Context, topic string) (ends map[int32]int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("a transaction in %s does not end", topic))
	defer cancel()
	err = until(ctx, func() (bool, error) {
		if ends, err = a.ends(ctx, topic); err != nil {
			return false, err
		}
		whole, err := a.kafka.ListEndOffsets(ctx, topic)
		if err == nil {
			err = whole.Error()
		}
		if err != nil {
			return false, fmt.Errorf("ends of %s: %w", topic, err)
		}
		open := false
		whole.Each(func(o kadm.ListedOffset) { open = open || o.Offset > ends[o.Partition] })
		return !open, nil
	})
	return ends, err
}

// until asks again and again whether it is over.
func until(ctx context.Context, over func() (bool, error)) error {
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		if done, err := over(); done || err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

//go:build integration

package kafkatest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/integration/kafkatest"
)

// testTimeout is far above what a small transaction takes, and below the broker's own time-outs of a minute, so a marker that
// cannot be delivered shows up as a failure.
const testTimeout = 30 * time.Second

// The harness must give a broker on which a transaction becomes visible to a read_committed reader. A broker whose own
// listener leads nowhere answers everything but never delivers the markers, so looking at metadata would prove too little.
func TestBroker_CommitsATransaction(t *testing.T) {
	t.Parallel()
	brokers, topic := kafkatest.Brokers(t), kafkatest.Name("smoke")
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	writer := newClient(t, brokers, kgo.DefaultProduceTopic(topic), kgo.TransactionalID(topic))
	createTopic(ctx, t, writer, topic)

	writeTransaction(ctx, t, writer, "aborted", kgo.TryAbort)
	writeTransaction(ctx, t, writer, "committed", kgo.TryCommit)

	reader := newClient(t, brokers, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	fetches := reader.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		t.Fatalf("read %s: %v", topic, err)
	}
	records := fetches.Records()
	if len(records) != 1 || string(records[0].Value) != "committed" {
		t.Errorf("a read_committed reader got %d records, want the committed one alone: %v", len(records), records)
	}
}

// Names must differ from run to run, or a cluster that is used again would mix two runs.
func TestName_IsNewEachTime(t *testing.T) {
	t.Parallel()
	if a, b := kafkatest.Name("x"), kafkatest.Name("x"); a == b {
		t.Errorf("two calls gave the same name %q", a)
	}
}

func newClient(t *testing.T, brokers []string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(brokers...))...)
	if err != nil {
		t.Fatalf("make a client of %v: %v", brokers, err)
	}
	t.Cleanup(client.Close)
	return client
}

func createTopic(ctx context.Context, t *testing.T, client *kgo.Client, topic string) {
	t.Helper()
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, 1, -1
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, wanted)
	response, err := request.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
}

func writeTransaction(ctx context.Context, t *testing.T, client *kgo.Client, value string, end kgo.TransactionEndTry) {
	t.Helper()
	err := errors.Join(
		client.BeginTransaction(),
		client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(),
		client.EndTransaction(ctx, end),
	)
	if err != nil {
		t.Fatalf("transaction with %q: %v", value, err)
	}
}

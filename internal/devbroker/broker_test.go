package devbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// hangGuard ends a test that would never end by itself; it is no measure of
// speed.
const hangGuard = 3 * time.Minute

func start(t *testing.T, settings Settings) *Broker {
	t.Helper()
	b, err := Start(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func client(t *testing.T, b *Broker, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addrs()...)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	t.Cleanup(cancel)
	return ctx
}

// read returns the values of a topic up to the record "end".
func read(t *testing.T, c *kgo.Client) []string {
	t.Helper()
	var values []string
	for {
		fetches := c.PollFetches(bounded(t))
		if err := fetches.Err(); err != nil {
			t.Fatalf("read, %q so far: %v", values, err)
		}
		for _, record := range fetches.Records() {
			if string(record.Value) == "end" {
				return values
			}
			values = append(values, string(record.Value))
		}
	}
}

func TestBroker_ListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	host, _, err := net.SplitHostPort(start(t, Settings{}).Addrs()[0])
	if err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("listens on %q (%v), want a loopback address", host, err)
	}
}

func TestStart_SaysWhatToChange(t *testing.T) {
	t.Parallel()
	_, port, _ := net.SplitHostPort(start(t, Settings{}).Addrs()[0])
	var taken int
	if _, err := fmt.Sscan(port, &taken); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	start(t, Settings{DataDir: dir})
	tests := []struct {
		name     string
		settings Settings
		want     string
	}{
		{"port in use", Settings{Port: taken}, "--port"},
		{"no such port", Settings{Port: 70000}, "70000"},
		{"topic without partitions", Settings{Topics: []Topic{{Name: "a"}}}, "partition"},
		{"topic twice with other partitions", Settings{Topics: []Topic{{Name: "a", Partitions: 1}, {Name: "a", Partitions: 2}}}, "not 2"},
		{"directory in use", Settings{DataDir: dir}, "in use by another broker"},
		{"directory that is a file", Settings{DataDir: "broker_test.go"}, "data directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := Start(tt.settings)
			if err == nil {
				t.Fatal(errors.Join(errors.New("started"), b.Close()))
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not hold %q", err, tt.want)
			}
		})
	}
}

func TestBroker_ReadCommittedSeesNoAbortedRecord(t *testing.T) {
	t.Parallel()
	b := start(t, Settings{Topics: []Topic{{Name: "t", Partitions: 1}}})
	producer := client(t, b, kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	ctx := bounded(t)
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		value := []string{"first", "aborted", "end"}[i]
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := producer.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	committed := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if got := strings.Join(read(t, committed), ","); got != "first" {
		t.Errorf("read_committed saw %q, want first alone", got)
	}
	all := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := strings.Join(read(t, all), ","); got != "first,aborted" {
		t.Errorf("read_uncommitted saw %q: nothing was aborted, the test proves nothing", got)
	}
	if ends := b.EndOffsets("t"); len(ends) != 1 || ends[0] != 6 {
		t.Errorf("end offsets = %v, want [6]: three records, three markers", ends)
	}
}

// The fence of every batch: offsets are committed in the transaction, by the
// generation of the group, and are unstable until it ends.
func TestBroker_OffsetsInATransaction(t *testing.T) {
	t.Parallel()
	b := start(t, Settings{Topics: []Topic{{Name: "in", Partitions: 1}, {Name: "out", Partitions: 1}}})
	ctx := bounded(t)
	if err := client(t, b, kgo.DefaultProduceTopic("in")).ProduceSync(ctx, kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID("g-1"), kgo.ConsumerGroup("g"),
		kgo.ConsumeTopics("in"), kgo.DefaultProduceTopic("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	if err := session.PollFetches(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if err := session.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := session.ProduceSync(ctx, kgo.StringRecord("b")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if committed, err := session.End(ctx, kgo.TryCommit); err != nil || !committed {
		t.Fatalf("end: committed %v, %v", committed, err)
	}
	if got := committedOffset(t, b, "g", "in"); got != 1 {
		t.Errorf("committed offset = %d, want 1", got)
	}
}

func committedOffset(t *testing.T, b *Broker, group, topic string) int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	req.Group = group
	asked := kmsg.NewOffsetFetchRequestTopic()
	asked.Topic, asked.Partitions = topic, []int32{0}
	req.Topics = append(req.Topics, asked)
	answer, err := req.RequestWith(bounded(t), client(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Groups) > 0 {
		return answer.Groups[0].Topics[0].Partitions[0].Offset
	}
	return answer.Topics[0].Partitions[0].Offset
}

// A second InitProducerID for a transactional ID aborts what the first has
// open and fences it.
func TestBroker_InitProducerIDFencesTheOlderOne(t *testing.T) {
	t.Parallel()
	b := start(t, Settings{Topics: []Topic{{Name: "t", Partitions: 1}}})
	ctx := bounded(t)
	zombie := client(t, b, kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	if err := zombie.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := zombie.ProduceSync(ctx, kgo.StringRecord("zombie")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = new("x"), 10_000
	req.ProducerID, req.ProducerEpoch = -1, -1
	c := client(t, b)
	for {
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		code := kerr.ErrorForCode(resp.ErrorCode)
		if code == nil {
			break
		}
		if !errors.Is(code, kerr.ConcurrentTransactions) {
			t.Fatal(code)
		}
	}
	if err := zombie.EndTransaction(ctx, kgo.TryCommit); err == nil {
		t.Error("the fenced producer committed")
	}
}

func TestBroker_ReportsTopicSettings(t *testing.T) {
	t.Parallel()
	settings := map[string]string{
		"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact", "segment.bytes": "67108864", "segment.ms": "600000",
		"delete.retention.ms": "86400000", "min.cleanable.dirty.ratio": "0.1", "max.message.bytes": "2097152", "retention.ms": "2592000000",
	}
	b := start(t, Settings{Topics: []Topic{{Name: "t", Partitions: 1, Configs: settings}}})
	got := b.TopicConfigs("t")
	for name, want := range settings {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	described := describe(t, b, "t")
	for name, want := range settings {
		if described[name] != want {
			t.Errorf("DescribeConfigs: %s = %q, want %q", name, described[name], want)
		}
	}
}

func describe(t *testing.T, b *Broker, topic string) map[string]string {
	t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(bounded(t), client(t, b))
	if err != nil {
		t.Fatal(err)
	}
	configs := map[string]string{}
	for _, entry := range resp.Resources[0].Configs {
		if entry.Value != nil {
			configs[entry.Name] = *entry.Value
		}
	}
	return configs
}

// The known difference that matters most for topics with LogAppendTime: the
// broker keeps the producer's time. When this goes red, doc.go can lose a line.
func TestBroker_DoesNotStampAppendTime(t *testing.T) {
	t.Parallel()
	b := start(t, Settings{Topics: []Topic{{Name: "t", Partitions: 1, Configs: map[string]string{"message.timestamp.type": "LogAppendTime"}}}})
	record := &kgo.Record{Topic: "t", Timestamp: time.Unix(1, 0)}
	if err := client(t, b).ProduceSync(bounded(t), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	reader := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	records := reader.PollFetches(bounded(t)).Records()
	if len(records) != 1 || records[0].Timestamp.Unix() != 1 {
		t.Errorf("records = %v, want one with the producer's time", records)
	}
}

func TestBroker_RefusesTooLargeARecord(t *testing.T) {
	t.Parallel()
	b := start(t, Settings{Topics: []Topic{{Name: "t", Partitions: 1}}})
	c := client(t, b, kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(4<<20), kgo.BrokerMaxWriteBytes(8<<20))
	err := c.ProduceSync(bounded(t), &kgo.Record{Value: make([]byte, 2<<20)}).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("2 MiB on the default limit: %v, want MESSAGE_TOO_LARGE", err)
	}
}

func TestBroker_DataDirectorySurvivesARestart(t *testing.T) {
	t.Parallel()
	settings := Settings{DataDir: t.TempDir() + "/kept", Topics: []Topic{{Name: "t", Partitions: 2}}}
	first, err := Start(settings)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"kept", "end"} {
		c := client(t, first, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := c.ProduceSync(bounded(t), &kgo.Record{Topic: "t", Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	second := start(t, settings)
	reader := client(t, second, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := strings.Join(read(t, reader), ","); got != "kept" {
		t.Errorf("after the restart: %q, want kept", got)
	}
}

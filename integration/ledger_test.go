//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
)

// ledger accounts for every offset of an input topic, from what a read_committed
// reader of another make sees: results and dead letters name the input offset
// they come from; an offset without either must repeat an ID that has a result in
// its partition.
type ledger struct {
	rows []ledgerRow
	// faults are the first of everything that does not add up.
	faults []string
}

type ledgerRow struct {
	partition                                  int32
	in, scored, duplicate, dead, lost, doubled int
	committed, end                             int64
}

// mostFaults are listed by name; the table has all in numbers.
const mostFaults = 20

func (l *ledger) faultf(format string, args ...any) {
	if len(l.faults) < mostFaults {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// coordinates of an input record.
type coordinates struct {
	partition int32
	offset    int64
}

// account reads all topics to their ends. Run it when nothing writes any more.
func (l *lab) account(ctx context.Context, t *testing.T) *ledger {
	t.Helper()
	var book ledger
	scored, ids := l.scored(ctx, t, &book)
	dead := l.dead(ctx, t)
	rows := make(map[int32]*ledgerRow)
	input := make(map[coordinates]bool)
	l.each(ctx, t, l.topics.Input, func(record *kgo.Record) {
		at := coordinates{record.Partition, record.Offset}
		input[at] = true
		row := rows[record.Partition]
		if row == nil {
			row = &ledgerRow{partition: record.Partition}
			rows[record.Partition] = row
		}
		known := ids[record.Partition][identity(record.Value)] > 0
		book.enter(row, at, scored[at], dead[at], known, bytes.Contains(record.Value, []byte(poison)))
	})
	for partition, seen := range ids {
		for id, n := range seen {
			if n > 1 {
				book.faultf("signal %s has %d results in partition %d", id, n, partition)
			}
		}
	}
	for _, outcome := range []map[coordinates]int{scored, dead} {
		for at := range outcome {
			if !input[at] {
				book.faultf("an outcome names input offset %d of partition %d, which there is not", at.offset, at.partition)
			}
		}
	}
	committed := l.committed(ctx, t)
	for _, partition := range slices.Sorted(maps.Keys(rows)) {
		row := rows[partition]
		row.committed, row.end = committed[partition].offset, l.end(ctx, t, l.topics.Input, partition)
		if row.committed != row.end {
			book.faultf("partition %d: committed offset %d, end of the input %d", partition, row.committed, row.end)
		}
		book.rows = append(book.rows, *row)
	}
	return &book
}

// enter books the outcome of one input offset. A dead letter is the right one for
// a poisoned record, and for no other.
func (l *ledger) enter(row *ledgerRow, at coordinates, scored, dead int, known, poisoned bool) {
	row.in++
	if scored > 0 && poisoned {
		l.faultf("poisoned record of partition %d offset %d has a result", at.partition, at.offset)
	}
	if dead > 0 && !poisoned {
		l.faultf("dead letter of partition %d offset %d", at.partition, at.offset)
	}
	switch {
	case scored+dead > 1:
		row.doubled++
		l.faultf("partition %d offset %d: %d results and %d dead letters", at.partition, at.offset, scored, dead)
	case scored == 1:
		row.scored++
	case dead == 1:
		row.dead++
	case known:
		row.duplicate++
	default:
		row.lost++
		l.faultf("partition %d offset %d: no outcome", at.partition, at.offset)
	}
}

// series is a name in a partition.
type series struct {
	partition int32
	name      string
}

// scored counts results by input offset, and by partition and signal. It checks
// the order of each series on its way.
func (l *lab) scored(ctx context.Context, t *testing.T, book *ledger) (map[coordinates]int, map[int32]map[string]int) {
	t.Helper()
	byOffset := make(map[coordinates]int)
	byID := make(map[int32]map[string]int)
	last := make(map[series]int64)
	l.each(ctx, t, l.topics.Results, func(record *kgo.Record) {
		var result struct {
			Name  string `json:"name"`
			Input struct {
				Partition int32 `json:"partition"`
				Offset    int64 `json:"offset"`
			} `json:"input"`
		}
		if err := json.Unmarshal(record.Value, &result); err != nil {
			t.Fatalf("result at %d-%d: %v", record.Partition, record.Offset, err)
		}
		if result.Input.Partition != record.Partition {
			book.faultf("a result of input partition %d lies in partition %d", result.Input.Partition, record.Partition)
		}
		byOffset[coordinates{result.Input.Partition, result.Input.Offset}]++
		if byID[record.Partition] == nil {
			byID[record.Partition] = make(map[string]int)
		}
		byID[record.Partition][identity(record.Value)]++
		of := series{record.Partition, result.Name}
		if before, ok := last[of]; ok && before > result.Input.Offset && !l.unordered {
			book.faultf("series %s of partition %d: the result of input offset %d stands behind that of %d", of.name, of.partition, result.Input.Offset, before)
		}
		last[of] = result.Input.Offset
	})
	return byOffset, byID
}

// dead counts dead letters by input offset.
func (l *lab) dead(ctx context.Context, t *testing.T) map[coordinates]int {
	t.Helper()
	letters := make(map[coordinates]int)
	l.each(ctx, t, l.topics.DeadLetters, func(record *kgo.Record) {
		at := coordinates{partition: -1, offset: -1}
		for _, h := range record.Headers {
			n, err := strconv.ParseInt(string(h.Value), 10, 64)
			switch {
			case err != nil:
			case h.Key == "__dlq.errors.partition":
				at.partition = int32(n)
			case h.Key == "__dlq.errors.offset":
				at.offset = n
			}
		}
		letters[at]++
	})
	return letters
}

// identity is source and ID of a signal or a result.
func identity(value []byte) string {
	var signal struct {
		Source string `json:"source"`
		ID     string `json:"id"`
	}
	if err := json.Unmarshal(value, &signal); err != nil {
		return ""
	}
	return signal.Source + "/" + signal.ID
}

// total sums the rows.
func (l *ledger) total() ledgerRow {
	var sum ledgerRow
	for _, r := range l.rows {
		sum.in += r.in
		sum.scored += r.scored
		sum.duplicate += r.duplicate
		sum.dead += r.dead
		sum.lost += r.lost
		sum.doubled += r.doubled
		sum.committed += r.committed
		sum.end += r.end
	}
	return sum
}

// String is the table.
func (l *ledger) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, r ledgerRow) {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, r.in, r.scored, r.duplicate, r.dead, r.lost, r.doubled, r.committed, r.end)
	}
	_, _ = fmt.Fprintln(w, "partition\tin\tscored\tduplicate\tdead\tlost\tdoubled\tcommitted\tend\t")
	for _, r := range l.rows {
		line(strconv.Itoa(int(r.partition)), r)
	}
	line("all", l.total())
	_ = w.Flush()
	return b.String()
}

// expectBalanced fails the test unless every input offset has exactly one
// outcome, a dead letter if and only if it was poisoned, every ID is visible once,
// every series is in order and the group is at the end.
func (l *ledger) expectBalanced(t *testing.T) {
	t.Helper()
	for _, fault := range l.faults {
		t.Errorf("ledger: %s", fault)
	}
	if t.Failed() {
		t.Logf("ledger:\n%s", l)
	}
}

// lab is the topics and the group of one test on a real Kafka.
type lab struct {
	brokers    []string
	group      string
	topics     broker.Topology
	partitions int
	client     *kgo.Client
	// poisonEvery tells which records of a partition cannot be scored; 0 is none.
	poisonEvery int
	// env are further variables of the workers' environment.
	env []string
	// unordered: what is retried may come behind later signals of its series.
	unordered bool
}

// offset is what a group has committed, and who did: workers put their
// transactional ID into the metadata.
type offset struct {
	offset int64
	owner  string
}

// newLab makes topics that nobody else has used.
func newLab(ctx context.Context, t *testing.T, brokers []string, name string, partitions int) *lab {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// A broker that has just come back does not know every topic yet.
		kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(client.Close)
	l := &lab{
		brokers: brokers, group: name, partitions: partitions, client: client,
		topics: broker.Topology{Input: name + ".in", Results: name + ".out", DeadLetters: name + ".dead", State: name + ".state"},
	}
	err = l.createTopics(ctx)
	for err != nil && ctx.Err() == nil { // a busy broker; the service tries again, too
		t.Logf("create topics: %v", err)
		err = l.createTopics(ctx)
	}
	if err != nil {
		t.Fatalf("create topics: %v", err)
	}
	return l
}

// createTopics makes what is missing as the service does.
func (l *lab) createTopics(ctx context.Context) error {
	admin := broker.NewAdmin(broker.Connection{Brokers: l.brokers}, l.topics, broker.TopicSettings{Partitions: l.partitions, Replication: -1})
	states, err := admin.Plan(ctx)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return admin.Create(ctx, states)
}

// committed asks for the group's offsets as they are, undecided ones aside.
func (l *lab) committed(ctx context.Context, t *testing.T) map[int32]offset {
	t.Helper()
	offsets := make(map[int32]offset)
	for _, p := range l.offsets(ctx, t, false) {
		o := offset{offset: p.Offset}
		if p.Metadata != nil {
			o.owner = *p.Metadata
		}
		offsets[p.Partition] = o
	}
	return offsets
}

func (l *lab) offsets(ctx context.Context, t *testing.T, stable bool) []kmsg.OffsetFetchResponseGroupTopicPartition {
	t.Helper()
	var found []kmsg.OffsetFetchResponseGroupTopicPartition
	insist(ctx, t, "fetch the group's offsets", func() (err error) {
		found, err = l.askOffsets(ctx, stable)
		return err
	})
	return found
}

// insist asks until there is an answer: coordinators and leaders move, and brokers
// are away, while the tests look on.
func insist(ctx context.Context, t *testing.T, what string, ask func() error) {
	t.Helper()
	if err := until(ctx, what, ask); err != nil {
		t.Fatal(err)
	}
}

// end is a partition's high watermark.
func (l *lab) end(ctx context.Context, t *testing.T, topic string, partition int32) int64 {
	t.Helper()
	return l.listOffset(ctx, t, topic, partition, 0)
}

// stable is a partition's last stable offset.
func (l *lab) stable(ctx context.Context, t *testing.T, topic string, partition int32) int64 {
	t.Helper()
	return l.listOffset(ctx, t, topic, partition, 1)
}

func (l *lab) listOffset(ctx context.Context, t *testing.T, topic string, partition int32, isolation int8) int64 {
	t.Helper()
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = partition, -1
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	req.Topics = append(req.Topics, kmsg.ListOffsetsRequestTopic{
		Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{part},
	})
	var offset int64
	insist(ctx, t, fmt.Sprintf("end of %s-%d", topic, partition), func() error {
		for _, shard := range l.client.RequestSharded(ctx, req) {
			res, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
			switch {
			case shard.Err != nil:
				return shard.Err
			case ok && len(res.Topics) == 1 && res.Topics[0].Partitions[0].ErrorCode != 0:
				return kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
			case ok && len(res.Topics) == 1:
				offset = res.Topics[0].Partitions[0].Offset
				return nil
			}
		}
		return errors.New("no broker answered for it")
	})
	return offset
}

// each hands out what a read_committed reader sees of a topic up to its end.
func (l *lab) each(ctx context.Context, t *testing.T, topic string, do func(*kgo.Record)) {
	t.Helper()
	l.eachOf(ctx, t, topic, l.partitions, do)
}

// eachOf does so for a topic with a number of partitions of its own.
func (l *lab) eachOf(ctx context.Context, t *testing.T, topic string, partitions int, do func(*kgo.Record)) {
	t.Helper()
	l.eachUpTo(ctx, t, topic, partitions, l.end, do)
}

// settled does so up to what open transactions hold back.
func (l *lab) settled(ctx context.Context, t *testing.T, topic string, do func(*kgo.Record)) {
	t.Helper()
	l.eachUpTo(ctx, t, topic, l.partitions, l.stable, do)
}

func (l *lab) eachUpTo(ctx context.Context, t *testing.T, topic string, partitions int,
	endOf func(context.Context, *testing.T, string, int32) int64, do func(*kgo.Record),
) {
	t.Helper()
	starts := make(map[int32]kgo.Offset)
	left := make(map[int32]int64)
	for p := range int32(partitions) {
		if end := endOf(ctx, t, topic, p); end > 0 {
			starts[p], left[p] = kgo.NewOffset().AtStart(), end
		}
	}
	if len(left) == 0 {
		return
	}
	// Control records are kept here to see that the end has been reached.
	reader, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	if err != nil {
		t.Fatalf("make a reader: %v", err)
	}
	defer reader.Close()
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v (left: %v)", topic, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				do(r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
}

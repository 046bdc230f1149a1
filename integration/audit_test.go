//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/app"
	"pulse-scorer/internal/audit"
	"pulse-scorer/internal/broker/faultnet"
	"pulse-scorer/internal/cli"
)

const auditPartitions = 2

// command runs one command of the program in the lab's environment.
func (l *lab) command(ctx context.Context, t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return l.commandWith(ctx, t, time.Now, args...)
}

// commandWith is command on a machine with a clock of its own.
func (l *lab) commandWith(ctx context.Context, t *testing.T, now func() time.Time, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = cli.Main(ctx, cli.Process{
		Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Now: now,
		Environ: l.environ(),
	})
	return code, out.String(), err.String()
}

// environ is the environment of a command.
func (l *lab) environ() []string {
	return []string{
		"PULSE_BROKERS=" + strings.Join(l.brokers, ","), "PULSE_GROUP=" + l.group,
		"PULSE_TOPIC_INPUT=" + l.topics.Input, "PULSE_TOPIC_OUTPUT=" + l.topics.Results,
		"PULSE_TOPIC_DLQ=" + l.topics.DeadLetters, "PULSE_TOPIC_STATE=" + l.topics.State, "PULSE_DEFAULT_SOURCE=unknown",
	}
}

// audit runs audit --json, which must end with a code.
func (l *lab) audit(ctx context.Context, t *testing.T, code int, args ...string) audit.Report {
	t.Helper()
	got, stdout, stderr := l.command(ctx, t, append([]string{"audit", "--json"}, args...)...)
	var report audit.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || got != code {
		t.Fatalf("audit %v: exit %d, want %d: %v\n%s%s", args, got, code, err, stdout, stderr)
	}
	return report
}

// expectAudit is a second opinion about a run that must balance: the program's own,
// after that of a ledger of another make.
func (l *lab) expectAudit(ctx context.Context, t *testing.T) {
	t.Helper()
	code, stdout, stderr := l.command(ctx, t, "audit")
	t.Logf("audit, exit %d:\n%s%s", code, stdout, stderr)
	if code != 0 {
		t.Errorf("audit exits %d, want 0: %s", code, stderr)
	}
}

// mixed produces records of every outcome: signals, some of them repeated, some in
// conflict with an earlier one, some that are none, all of
// them in transactions, each after one of the same that is aborted.
func (l *lab) mixed(ctx context.Context, t *testing.T, from, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := from; i < from+n; i++ {
		r := l.signal(i)
		switch {
		case i%97 == 50:
			r.Value = []byte(`{"id":"bad","name":`)
		case i%89 == 40:
			r.Value = bytes.Replace(l.signal(i-20*auditPartitions).Value, []byte(`"value":`), []byte(`"value":9`), 1)
		}
		records = append(records, r)
	}
	writer, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(kafkatest.Name("upstream")))
	if err != nil {
		t.Errorf("make a client: %v", err)
		return
	}
	defer writer.Close()
	const perTransaction = 50
	for i := 0; i < len(records); i += perTransaction {
		part := records[i:min(i+perTransaction, len(records))]
		aborted := make([]*kgo.Record, len(part))
		for j, r := range part {
			aborted[j] = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		}
		err := errors.Join(
			writer.BeginTransaction(), writer.ProduceSync(ctx, aborted...).FirstErr(), writer.EndTransaction(ctx, kgo.TryAbort),
			writer.BeginTransaction(), writer.ProduceSync(ctx, part...).FirstErr(), writer.EndTransaction(ctx, kgo.TryCommit),
		)
		if err != nil {
			t.Errorf("produce: %v", err)
			return
		}
	}
}

// A run with duplicates, conflicts, dead letters and aborted transactions balances,
// beside the running service and after it; the counts are those of a ledger of
// another make. Then an offset is removed by hand: moved past without an outcome.
func TestAudit_ARunWithEveryOutcome(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	lab := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("audit"), auditPartitions)
	stop := lab.serve(ctx, t, faultnet.New(faultnet.Fault{}))
	const rounds, perRound = 5, 1000
	lab.mixed(ctx, t, 0, perRound)
	lab.awaitEnd(ctx, t)
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		for i := 1; i < rounds; i++ {
			lab.mixed(ctx, t, i*perRound, perRound)
		}
	}()
	for audits, over := 0, false; !over; audits++ {
		select {
		case <-produced:
			over = true
		default:
		}
		sum := audit.Total(lab.audit(ctx, t, 0).Partitions)
		t.Logf("audit %d beside the service: %d in, %d offsets waiting", audits, sum.In, sum.Waiting)
	}
	lab.awaitEnd(ctx, t)
	lab.expectLag(ctx, t, true)
	if err := stop(); err != nil {
		t.Fatalf("engine: %v", err)
	}
	lab.expectLag(ctx, t, false)
	report, book := lab.audit(ctx, t, 0), lab.account(ctx, t)
	for i, row := range report.Partitions {
		want := book.rows[i]
		got := ledgerRow{
			partition: row.Partition, in: int(row.In), scored: int(row.Scored), duplicate: int(row.Duplicate), dead: int(row.Dead),
			lost: int(row.Lost), committed: row.Committed, end: row.End,
		}
		if got != want || row.Scored == 0 || row.Duplicate == 0 || row.Dead == 0 || row.Results != row.Ledger.Scored {
			t.Errorf("partition %d: got %+v, the ledger of another make has %+v", i, got, want)
		}
	}
	if in := audit.Total(report.Partitions).In; in != rounds*perRound {
		t.Errorf("%d records in, want %d", in, rounds*perRound)
	}
	lab.removeByHand(ctx, t, 1)
}

// removeByHand moves the group past a record that nobody has seen.
func (l *lab) removeByHand(ctx context.Context, t *testing.T, partition int32) {
	t.Helper()
	removed := l.end(ctx, t, l.topics.Input, partition)
	if err := l.client.ProduceSync(ctx, &kgo.Record{Topic: l.topics.Input, Partition: partition, Value: []byte(`{"id":"removed","name":"n","value":1}`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	l.expectLag(ctx, t, false)
	l.commit(ctx, t, partition, removed+1)
	report := l.audit(ctx, t, 1)
	row := report.Partitions[partition]
	if report.Balanced || row.Lost != 1 || row.Faults != 1 || row.Findings[0].Kind != audit.Lost || row.Findings[0].Offset != removed {
		t.Errorf("an offset removed by hand: %+v, want one lost at %d", row, removed)
	}
	code, stdout, stderr := l.command(ctx, t, "audit")
	t.Logf("audit, exit %d:\n%s%s", code, stdout, stderr)
	code, stdout, _ = l.command(ctx, t, "find", "removed")
	if code != 0 || !strings.Contains(stdout, string(app.StandingUnknown)) {
		t.Errorf("find: exit %d\n%s", code, stdout)
	}
}

// What retention has deleted is not provable, neither balanced nor lost; what is
// younger is.
func TestAudit_DeletedRangesAreNotProvable(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	lab := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("deleted"), auditPartitions)
	stop := lab.serve(ctx, t, faultnet.New(faultnet.Fault{}))
	const n = 2000
	lab.mixed(ctx, t, 0, n)
	lab.awaitEnd(ctx, t)
	ends := []int64{lab.end(ctx, t, lab.topics.Input, 0), lab.end(ctx, t, lab.topics.Input, 1)}
	whole := lab.audit(ctx, t, 0)
	// Partition 0 loses the beginning of its input, 1 that of its results.
	const gone = 700
	lab.deleteRecords(ctx, t, lab.topics.Input, 0, gone)
	lab.deleteRecords(ctx, t, lab.topics.Results, 1, gone)
	report := lab.audit(ctx, t, 1)
	first, second := report.Partitions[0], report.Partitions[1]
	if report.Verdict != audit.NotProvable || report.Balanced || first.NotProvable != gone || first.Lost+second.Lost+first.Faults+second.Faults > 0 {
		t.Errorf("verdict %s: %+v", report.Verdict, report)
	}
	if second.NotProvable == 0 || second.In != whole.Partitions[1].In || second.Scored+second.NotProvable > whole.Partitions[1].Scored+whole.Partitions[1].Duplicate {
		t.Errorf("results deleted: %+v, whole %+v", second, whole.Partitions[1])
	}
	code, stdout, stderr := lab.command(ctx, t, "audit")
	t.Logf("audit, exit %d:\n%s%s", code, stdout, stderr)
	// What has been produced since is provable, but for what may repeat the
	// results that are gone.
	since := time.Now()
	lab.mixed(ctx, t, n, n)
	lab.awaitEnd(ctx, t)
	young := lab.audit(ctx, t, 0, "--since", since.Format(time.RFC3339Nano))
	for p, row := range young.Partitions {
		if row.From < ends[p] || row.In == 0 {
			t.Errorf("since %v: %+v, want from %d on", since, row, ends[p])
		}
	}
	if in := audit.Total(young.Partitions).In; in != n {
		t.Errorf("since %v: %d in, want %d", since, in, n)
	}
	if err := stop(); err != nil {
		t.Errorf("engine: %v", err)
	}
}

// expectLag compares lag with what a client of another make finds and, where there
// is a JDK, with what Kafka's own tool prints.
func (l *lab) expectLag(ctx context.Context, t *testing.T, owned bool) {
	t.Helper()
	code, stdout, stderr := l.command(ctx, t, "lag", "--json")
	var lags []app.PartitionLag
	if err := json.Unmarshal([]byte(stdout), &lags); err != nil || code != 0 || len(lags) != l.partitions {
		t.Fatalf("lag: exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	committed := l.committed(ctx, t)
	tool := l.toolsLag(ctx, t)
	for p, got := range lags {
		end := l.end(ctx, t, l.topics.Input, int32(p))
		want := app.PartitionLag{
			Topic: l.topics.Input, Partition: int32(p), Committed: committed[int32(p)].offset, End: end,
			Lag: end - committed[int32(p)].offset, LagSeconds: got.LagSeconds, Owner: got.Owner,
		}
		if got != want || (got.Owner != "") != owned || (got.LagSeconds > 0) != (got.Lag > 0) {
			t.Errorf("lag is %+v, want %+v with an owner: %v", got, want, owned)
		}
		row := tool[int32(p)]
		if row.committed != got.Committed || row.end != got.End || row.lag != got.Lag || (row.member+"@"+row.host != got.Owner && owned) {
			t.Errorf("Kafka's tool says %+v, lag says %+v", row, got)
		}
	}
}

// toolRow is what kafka-consumer-groups says of a partition.
type toolRow struct {
	committed, end, lag int64
	member, host        string
}

// toolsLag asks Kafka's own tool, which needs Java.
func (l *lab) toolsLag(ctx context.Context, t *testing.T) map[int32]toolRow {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		t.Fatalf("kafka-consumer-groups, which lag is compared with, needs a Java runtime on the PATH: %v", err)
	}
	jars, err := exec.CommandContext(ctx, filepath.Join("kafka", "jars.sh"), "--tools").Output()
	if err != nil {
		t.Fatalf("jars of Kafka's tools: %v", err)
	}
	out, err := exec.CommandContext(ctx, "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", strings.TrimSpace(string(jars))+"/*",
		"org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", l.brokers[0], "--describe", "--group", l.group).CombinedOutput()
	if err != nil {
		t.Fatalf("kafka-consumer-groups: %v\n%s", err, out)
	}
	rows := make(map[int32]toolRow)
	for line := range strings.Lines(string(out)) {
		columns := strings.Fields(line) // group, topic, partition, current, end, lag, consumer, host, client
		if len(columns) < 8 || columns[0] != l.group {
			continue
		}
		number := func(i int) int64 {
			n, err := strconv.ParseInt(columns[i], 10, 64)
			if err != nil {
				t.Fatalf("kafka-consumer-groups: %q: %v", line, err)
			}
			return n
		}
		rows[int32(number(2))] = toolRow{committed: number(3), end: number(4), lag: number(5), member: columns[6], host: strings.TrimPrefix(columns[7], "/")}
	}
	if len(rows) != l.partitions {
		t.Fatalf("kafka-consumer-groups has %d rows, want %d:\n%s", len(rows), l.partitions, out)
	}
	return rows
}

// commit sets the group's offset from outside, while it has no members.
func (l *lab) commit(ctx context.Context, t *testing.T, partition int32, offset int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.MaxVersions(kversion.V3_7_0())) // it names topics, not their IDs
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	part := kmsg.NewOffsetCommitRequestTopicPartition()
	part.Partition, part.Offset = partition, offset
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = l.topics.Input, append(topic.Partitions, part)
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.Topics = l.group, append(request.Topics, topic)
	response, err := request.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("commit offset %d: %v", offset, err)
	}
}

// deleteRecords is what retention does, at once.
func (l *lab) deleteRecords(ctx context.Context, t *testing.T, topic string, partition int32, before int64) {
	t.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 30_000
	part := kmsg.DeleteRecordsRequestTopicPartition{Partition: partition, Offset: before}
	request.Topics = append(request.Topics, kmsg.DeleteRecordsRequestTopic{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{part}})
	for _, shard := range l.client.RequestSharded(ctx, request) {
		err := shard.Err
		if response, ok := shard.Resp.(*kmsg.DeleteRecordsResponse); ok && err == nil {
			err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
		}
		if err != nil {
			t.Fatalf("delete records: %v", fmt.Errorf("%s-%d before %d: %w", topic, partition, before, err))
		}
	}
}

package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/audit"
	"pulse-scorer/internal/devbroker"
)

// lagOf runs lag --json.
func lagOf(t *testing.T, b *devbroker.Broker) []app.PartitionLag {
	t.Helper()
	got := runWith(t.Context(), nil, at(b), commands(), "lag", "--json")
	var lags []app.PartitionLag
	if err := json.Unmarshal([]byte(got.stdout), &lags); err != nil || got.code != 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	return lags
}

// awaitNoLag waits until all that was produced is committed.
func awaitNoLag(t *testing.T, b *devbroker.Broker) {
	t.Helper()
	for {
		lags := lagOf(t, b)
		left := int64(0)
		for _, l := range lags {
			left += l.Lag
		}
		if left == 0 {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("still behind: %+v", lags)
		}
	}
}

func auditJSON(t *testing.T, b *devbroker.Broker, code int, args ...string) (audit.Report, result) {
	t.Helper()
	got := runWith(t.Context(), nil, at(b), commands(), append([]string{"audit", "--json"}, args...)...)
	var report audit.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != code {
		t.Fatalf("%v, want exit %d: %+v", err, code, got)
	}
	return report, got
}

// served has a service score these lines on a new broker, and stops it.
func served(t *testing.T, lines ...string) *devbroker.Broker {
	t.Helper()
	b := startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: 2})
	produced := runWith(t.Context(), nil, at(b), commands(), "produce", file(t, "in.ndjson", lines...))
	if produced.code != 0 {
		t.Fatalf("%+v", produced)
	}
	service := start(t, at(b), "serve")
	service.await(t, `"state restored"`)
	awaitNoLag(t, b)
	if code, _ := service.interrupt(t); code != 0 {
		t.Fatalf("serve: exit %d\n%s", code, service.stderr)
	}
	return b
}

var mixedLines = []string{
	`{"id":"a","name":"n","value":1,"source":"s"}`,
	`{"id":"b","name":"n","value":2,"source":"s"}`,
	`{"id":"a","name":"n","value":1,"source":"s"}`, // a duplicate
	`{"id":"b","name":"n","value":3,"source":"s"}`, // a conflict
	`{"name":"n","value":4}`,
	`{"id":"c","name":"n","value":"text"}`, // goes by its name, too
	`nonsense`,
}

// The commands say what became of each record, agree with each other, and balance.
func TestAudit_BalancesWhatTheServiceDid(t *testing.T) { //nolint:cyclop // one service, looked at in many ways
	t.Parallel()
	b := served(t, mixedLines...)
	report, _ := auditJSON(t, b, 0)
	sum := audit.Total(report.Partitions)
	if !report.Balanced || len(report.Partitions) != 2 || sum.In != 7 || sum.Scored != 3 || sum.Duplicate != 1 || sum.Dead != 3 || sum.Waiting != 0 {
		t.Errorf("%+v", report)
	}
	for _, l := range lagOf(t, b) {
		if l.Owner != "" || l.LagSeconds != 0 || l.Committed != l.End || l.Topic != "pulse.signals" {
			t.Errorf("lag without members: %+v", l)
		}
	}
	plain := runWith(t.Context(), nil, at(b), commands(), "audit")
	if plain.code != 0 || !strings.Contains(plain.stdout, "balanced\n") || !strings.Contains(plain.stdout, "NOT PROVABLE") || plain.stderr != "" {
		t.Errorf("%+v", plain)
	}
	one, _ := auditJSON(t, b, 0, "--partition", "1")
	if len(one.Partitions) != 1 || one.Partitions[0].Partition != 1 {
		t.Errorf("%+v", one)
	}
	none, _ := auditJSON(t, b, 0, "--since", "2100-01-01T00:00:00Z")
	if audit.Total(none.Partitions).In != 0 {
		t.Errorf("%+v", none)
	}
	// What was produced since then waits.
	if got := runWith(t.Context(), nil, at(b), commands(), "produce", file(t, "more.ndjson", mixedLines...)); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	more, _ := auditJSON(t, b, 0)
	behind := int64(0)
	for _, l := range lagOf(t, b) {
		behind += l.Lag
		if (l.Lag > 0) != (l.LagSeconds > 0) {
			t.Errorf("lag %+v", l)
		}
	}
	// The embedded broker tells no time: whoever reads the ages is told whose they are.
	table := runWith(t.Context(), nil, at(b), commands(), "lag")
	if table.code != 0 || strings.Count(table.stderr, "\n") != 1 || !strings.Contains(table.stderr, "this machine's clock") {
		t.Errorf("%+v, want a line about the clock", table)
	}
	if sum := audit.Total(more.Partitions); sum.Waiting != 7 || behind != 7 || sum.In != 7 {
		t.Errorf("waiting %d, lag %d", sum.Waiting, behind)
	}
}

// Damage that somebody does to the topics is found: what the service did not
// write, and an offset that moved on without an outcome.
func TestAudit_ReportsWhatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	b := served(t, mixedLines...)
	// Whatever partition they are in: the one that has results.
	records := read(t, b, "pulse.signals.scored", 3)
	partition := records[0].Partition
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxVersions(kversion.V3_7_0())) // commits name topics, not their IDs
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	stray := `{"id":"z","source":"s","input":{"topic":"pulse.signals","partition":` + string('0'+byte(partition)) + `,"offset":99}}`
	for _, r := range []*kgo.Record{
		{Topic: "pulse.signals.scored", Partition: partition, Value: records[0].Value}, // twice
		{Topic: "pulse.signals.scored", Partition: partition, Value: []byte(`{}`)},     // unreadable
		{Topic: "pulse.signals.scored", Partition: partition, Value: []byte(stray)},    // ahead of the input: counted by nobody
		{Topic: "pulse.signals", Partition: partition, Key: []byte("n"), Value: []byte(`{"id":"lost","name":"n","value":1}`)},
	} {
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	commitEnd(t, b, client, partition)
	report, got := auditJSON(t, b, 1)
	sum := audit.Total(report.Partitions)
	if report.Balanced || report.Verdict != audit.Unbalanced || sum.Lost != 1 || sum.Twice != 1 || sum.Unreadable != 1 || sum.Disagree != 1 {
		t.Errorf("%+v", report)
	}
	if !strings.Contains(got.stderr, "do not balance") {
		t.Errorf("stderr %s", got.stderr)
	}
	clean(t, got.stderr)
	plain := runWith(t.Context(), nil, at(b), commands(), "audit", "--list", "1")
	if plain.code != 1 || !strings.Contains(plain.stdout, "findings more") || !strings.Contains(plain.stdout, "\nunbalanced\n") {
		t.Errorf("%+v", plain)
	}
}

// commitEnd moves the group to the end of a partition, as an operator does who
// wants to be past a record.
func commitEnd(t *testing.T, b *devbroker.Broker, client *kgo.Client, partition int32) {
	t.Helper()
	commitOffset(t, client, partition, b.EndOffsets("pulse.signals")[partition])
}

func TestAuditAndLag_WrongUse(t *testing.T) {
	t.Parallel()
	b := startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: 2})
	made := runWith(t.Context(), nil, at(b), commands(), "topics", "create")
	if made.code != 0 {
		t.Fatalf("%+v", made)
	}
	for _, c := range []struct {
		environ []string
		args    []string
		code    int
		says    string
	}{
		{nil, []string{"lag"}, 2, "PULSE_BROKERS"},
		{nil, []string{"audit"}, 2, "PULSE_BROKERS"},
		{at(b), []string{"lag", "x"}, 2, "x"},
		{at(b), []string{"audit", "--since", "yesterday"}, 2, "yesterday"},
		{at(b), []string{"audit", "--list", "-1"}, 2, "-1"},
		{at(b), []string{"audit", "--partition", "9"}, 1, "partition 9 does not exist"},
		{at(b), []string{"audit"}, 1, "group pulse-scorer has committed nothing"},
		{at(b), []string{"lag"}, 1, "group pulse-scorer does not exist"},
		{at(b, "PULSE_TOPIC_INPUT=nowhere"), []string{"lag"}, 1, "topic nowhere does not exist"},
		{at(b, "PULSE_TOPIC_OUTPUT=nowhere"), []string{"audit"}, 1, "topic nowhere does not exist"},
		{[]string{"PULSE_BROKERS=127.0.0.1:1"}, []string{"lag"}, 1, "127.0.0.1:1"},
	} {
		got := runWith(t.Context(), nil, c.environ, commands(), c.args...)
		if got.code != c.code || !strings.Contains(got.stderr, c.says) || got.stdout != "" {
			t.Errorf("%v: %+v, want exit %d and %q", c.args, got, c.code, c.says)
		}
		clean(t, got.stderr)
	}
}

//go:build integration

package integration_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/app"
)

// groupsTool is Kafka's own kafka-consumer-groups, kept running.
type groupsTool struct {
	in    io.Writer
	out   *bufio.Reader
	group string
	at    string
}

func (l *lab) startGroupsTool(ctx context.Context, t *testing.T) *groupsTool {
	t.Helper()
	jars, err := exec.CommandContext(ctx, filepath.Join("kafka", "jars.sh"), "--tools").Output()
	if err != nil {
		t.Fatalf("jars of Kafka's tools: %v", err)
	}
	// A source file as it is (JEP 330).
	java := exec.CommandContext(ctx, "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", strings.TrimSpace(string(jars))+"/*",
		filepath.Join("kafka", "Groups.java"))
	in, inErr := java.StdinPipe()
	out, outErr := java.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatalf("pipes: %v %v", inErr, outErr)
	}
	if err := java.Start(); err != nil {
		t.Fatalf("kafka-consumer-groups, which lag is compared with, needs a JDK on the PATH: %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = java.Wait()
	})
	return &groupsTool{in: in, out: bufio.NewReader(out), group: l.group, at: l.brokers[0]}
}

// lag is what the tool says of the input's partitions.
func (g *groupsTool) lag(t *testing.T, topic string) map[int32]toolRow {
	t.Helper()
	if _, err := io.WriteString(g.in, "--bootstrap-server "+g.at+" --describe --group "+g.group+"\n"); err != nil {
		t.Fatalf("ask kafka-consumer-groups: %v", err)
	}
	rows := make(map[int32]toolRow)
	var answer strings.Builder
	for {
		line, err := g.out.ReadString('\n')
		if err != nil {
			t.Fatalf("kafka-consumer-groups: %v after %q", err, answer.String())
		}
		if strings.TrimSpace(line) == "end of answer" {
			break
		}
		answer.WriteString(line)
		columns := strings.Fields(line) // group, topic, partition, current, end, lag, consumer, host, client
		if len(columns) < 6 || columns[0] != g.group || columns[1] != topic {
			continue
		}
		var numbers [4]int64
		for i := range numbers {
			if numbers[i], err = strconv.ParseInt(columns[2+i], 10, 64); err != nil {
				t.Fatalf("kafka-consumer-groups: %q: %v", line, err)
			}
		}
		rows[int32(numbers[0])] = toolRow{committed: numbers[1], end: numbers[2], lag: numbers[3]}
	}
	if len(rows) == 0 {
		t.Fatalf("kafka-consumer-groups has no rows of %s: %s", topic, answer.String())
	}
	return rows
}

// position is where a partition and its group are at a moment.
type position struct {
	at             time.Time
	end, committed []int64
}

func (l *lab) position(ctx context.Context, t *testing.T) position {
	t.Helper()
	// Offsets before ends: none is behind.
	committed := l.committed(ctx, t)
	p := position{at: time.Now()}
	for n := range int32(l.partitions) {
		p.committed = append(p.committed, committed[n].offset)
		p.end = append(p.end, l.end(ctx, t, l.topics.Input, n))
	}
	return p
}

// moved is what was appended to a partition and committed of it between two positions.
func (p position) moved(since position, partition int) int64 {
	return p.end[partition] - since.end[partition] + p.committed[partition] - since.committed[partition]
}

// lagMetric is pulse_consumer_lag_records of each partition; ok is false when one has
// no series.
func (s *service) lagMetric(t *testing.T, partitions int) (lag []int64, ok bool) {
	t.Helper()
	families, err := s.Registry().Gather()
	if err != nil {
		t.Fatalf("metrics: %v", err)
	}
	lag = make([]int64, partitions)
	series := 0
	for _, f := range families {
		if f.GetName() != "pulse_consumer_lag_records" {
			continue
		}
		for _, m := range f.GetMetric() {
			p, err := strconv.Atoi(m.GetLabel()[0].GetValue()) // partition, topic
			if err != nil || p >= partitions {
				t.Fatalf("a series of lag has labels %v", m.GetLabel())
			}
			lag[p] = int64(m.GetGauge().GetValue())
			series++
		}
	}
	return lag, series == partitions
}

// lagCommand is what the lag command says of the input.
func (l *lab) lagCommand(ctx context.Context, t *testing.T) []int64 {
	t.Helper()
	code, stdout, stderr := l.command(ctx, t, "lag", "--json")
	var rows []app.PartitionLag
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 {
		t.Fatalf("lag: exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	lag := make([]int64, l.partitions)
	for _, row := range rows {
		if row.Tier == 0 {
			lag[row.Partition] = row.Lag
		}
	}
	return lag
}

const (
	// known is how long what the metric shows may be known: a second for ends that are
	// asked for, a long poll and a tick; and what a busy machine adds.
	known = 2 * time.Second
	// telling is at how many moments under load at least the lag must be larger than what
	// moves meanwhile. Then only a metric that follows it agrees; one that says 0 does not.
	telling = 3

	// The load under which they are compared: about as many records a second as an enricher
	// allows that takes few calls at a time, on top of a backlog of fifteen seconds.
	lagCalls      = 4
	lagCallTakes  = 4 * time.Millisecond
	lagBacklog    = 15_000
	lagRoundPause = 100 * time.Millisecond // between rounds of steadyRound
)

// lagMoments compares three opinions at a time: the metric, the lag command, and Kafka's
// own tool.
type lagMoments struct {
	*lab

	service *service
	tool    *groupsTool
	before  []position // all that were taken
	count   int
	telling int   // moments at which the lag was larger than what moved
	most    int64 // difference seen
}

// begin takes the first position, and waits until the metric cannot be older than it.
func (m *lagMoments) begin(ctx context.Context, t *testing.T) {
	t.Helper()
	m.before = append(m.before, m.position(ctx, t))
	awaitThat(ctx, t, func() string {
		if time.Since(m.before[0].at) <= known {
			return "the first position is too young"
		}
		return ""
	})
}

// since is the latest position that the metric cannot be older than.
func (m *lagMoments) since(t *testing.T, now time.Time) position {
	t.Helper()
	for _, p := range slices.Backward(m.before) {
		if now.Sub(p.at) > known {
			return p
		}
	}
	t.Fatal("no position is old enough to compare the metric with")
	return position{}
}

// compare is one moment under load: no opinion differs from the tool's by more than
// what moved between the two.
func (m *lagMoments) compare(ctx context.Context, t *testing.T) {
	t.Helper()
	m.count++
	start := m.position(ctx, t)
	m.before = append(m.before, start)
	metric, all := m.service.lagMetric(t, m.partitions)
	old := m.since(t, time.Now())
	command := m.lagCommand(ctx, t)
	tool := m.tool.lag(t, m.topics.Input)
	end := m.position(ctx, t)
	if !all {
		t.Fatalf("moment %d: partitions without a series of lag", m.count)
	}
	tells := true
	for p := range m.partitions {
		tools := tool[int32(p)].lag
		tells = tells && tools > end.moved(old, p)
		m.most = max(m.most, distance(metric[p], tools), distance(command[p], tools))
		if d, most := distance(metric[p], tools), end.moved(old, p); d > most {
			t.Errorf("moment %d, partition %d: the metric says %d, Kafka's tool %d; only %d was appended and committed between", m.count, p, metric[p], tools, most)
		}
		if d, most := distance(command[p], tools), end.moved(start, p); d > most {
			t.Errorf("moment %d, partition %d: lag says %d, Kafka's tool %d; only %d was appended and committed between", m.count, p, command[p], tools, most)
		}
	}
	if tells {
		m.telling++
	}
}

// exact is one moment when nothing moves: all say the same, the metric as soon as it
// knows of what came last. It returns the sum over all partitions.
func (m *lagMoments) exact(ctx context.Context, t *testing.T, serving bool) (sum int64) {
	t.Helper()
	m.count++
	tool, command := m.tool.lag(t, m.topics.Input), m.lagCommand(ctx, t)
	for p := range m.partitions {
		sum += tool[int32(p)].lag
		if tool[int32(p)].lag != command[p] {
			t.Errorf("moment %d, partition %d: lag says %d, Kafka's tool %d", m.count, p, command[p], tool[int32(p)].lag)
		}
	}
	if !serving {
		return sum
	}
	awaitThat(ctx, t, func() string {
		metric, all := m.service.lagMetric(t, m.partitions)
		for p := range m.partitions {
			if !all || metric[p] != tool[int32(p)].lag {
				return "the metric says " + strconv.FormatInt(metric[p], 10) + ", Kafka's tool " + strconv.FormatInt(tool[int32(p)].lag, 10)
			}
		}
		return ""
	})
	return sum
}

// expectSum is exact, and the sum is known.
func (m *lagMoments) expectSum(ctx context.Context, t *testing.T, serving bool, want int64) {
	t.Helper()
	if got := m.exact(ctx, t, serving); got != want {
		t.Errorf("moment %d: lag is %d in all, want %d", m.count, got, want)
	}
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// At twenty moments - idle, under load, held by an enricher that is down, and with the
// service stopped - lag is what Kafka's own tool says.
func TestLag_AgreesWithKafkasOwnTool(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("lag"), 3)
	enricher := startStub(t, lagCallTakes)
	m := &lagMoments{lab: l, tool: l.startGroupsTool(ctx, t)}
	m.service = l.startService(ctx, t, enricher.env("lag"), "PULSE_ENRICHER_CONCURRENCY="+strconv.Itoa(lagCalls))
	sent := 0
	send := func(n int) {
		l.produceFresh(ctx, t, sent, n)
		sent += n
	}
	send(l.partitions) // a transaction's marker ends each partition of the results, none the input's
	m.service.awaitValue(ctx, t, float64(sent), "pulse_records_total", "scored")
	for range 3 {
		m.expectSum(ctx, t, true, 0)
	}
	send(lagBacklog)
	load := l.startSteady(ctx, lagRoundPause)
	m.begin(ctx, t)
	for range 8 {
		m.compare(ctx, t)
	}
	if err := load.stop(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	if m.telling < telling {
		t.Errorf("the lag was larger than what moved at %d moments under load, want %d", m.telling, telling)
	}
	l.awaitEnd(ctx, t)
	m.expectSum(ctx, t, true, 0)

	enricher.down.Store(true)
	const each = 300
	send(each)
	awaitThat(ctx, t, func() string {
		if m.service.value(t, "pulse_breaker_open") != 1 {
			return "the enricher is not known to be down"
		}
		return ""
	})
	held := m.settled(ctx, t)
	for round := range int64(4) {
		m.expectSum(ctx, t, true, held+round*each)
		send(each)
	}
	m.service.stop(t)
	for round := range int64(4) {
		m.expectSum(ctx, t, false, held+(4+round)*each)
		send(each)
	}
	if m.count != 20 {
		t.Errorf("%d moments, want 20", m.count)
	}
	t.Logf("%d moments over %d records: the largest difference is %d, where that much moved; at %d under load the lag was larger than that",
		m.count, sent+load.produced(), m.most, m.telling)
}

// settled is the lag when the group moves no more: what failed before the enricher was
// known to be down is in a retry tier, and all else waits.
func (m *lagMoments) settled(ctx context.Context, t *testing.T) (lag int64) {
	t.Helper()
	before := position{}
	awaitThat(ctx, t, func() string {
		now := m.position(ctx, t)
		moves := before.at.IsZero() || !slices.Equal(now.committed, before.committed) || m.service.value(t, "pulse_breaker_open") != 1
		if moves {
			before = now
			return "the group still moves"
		}
		// A transaction may be on its way, or its markers.
		if now.at.Sub(before.at) < time.Second {
			return "the group has only just come to rest"
		}
		before = now
		return ""
	})
	for p := range m.partitions {
		lag += before.end[p] - before.committed[p]
	}
	if lag == 0 {
		t.Fatal("nothing waits although the enricher is down")
	}
	return lag
}

// An operator's machine whose clock is an hour wrong shows the same ages as any other: they
// are by the brokers' clock, which is this machine's here.
func TestLag_CommandIsByTheBrokersClock(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("clock"), 1)
	const age = 20 * time.Second
	sent := time.Now().Add(-age)
	record := l.signal(0)
	record.Timestamp = sent
	if err := l.client.ProduceSync(ctx, record).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	l.commit(ctx, t, 0, 0)
	for _, wrong := range []time.Duration{0, time.Hour, -time.Hour} {
		code, stdout, stderr := l.commandWith(ctx, t, func() time.Time { return time.Now().Add(wrong) }, "lag", "--json")
		var lags []app.PartitionLag
		if err := json.Unmarshal([]byte(stdout), &lags); err != nil || code != 0 || len(lags) != 1 || stderr != "" {
			t.Fatalf("clock wrong by %v: exit %d, %v\n%s%s", wrong, code, err, stdout, stderr)
		}
		got, most := lags[0].LagSeconds, time.Since(sent)+time.Second
		if got < age.Seconds()-1 || got > most.Seconds() {
			t.Errorf("clock wrong by %v: a record sent %v ago is %v s old", wrong, most, got)
		}
	}
}

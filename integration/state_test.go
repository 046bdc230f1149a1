//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/state"
)

// stateRecords is how much goes through before the restart. make bench-state wants
// 10,000,000; the suite only wants to see that it works.
var stateRecords = flag.Int("state-records", 50_000, "how many records TestState_IsRestoredAfterManyRecords sends through before it restarts the service")

// A task remembers a tenth of the records, and one series for each thousand.
const (
	recordsPerID     = 10
	recordsPerSeries = 1000
	// stateAgain are sent once more after the restart, stateOther with other content.
	stateAgain, stateOther = 1000, 10
)

// One partition remembers all there is: many records go through, the service is
// restarted, and what it knew before it knows again. How long the restore took
// and how large the state is are logged, not judged: they are the machine's.
func TestState_IsRestoredAfterManyRecords(t *testing.T) { //nolint:paralleltest // measures how long a restore takes
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	lab := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("state"), 1)
	maxIDs := *stateRecords / recordsPerID
	lab.env = []string{"PULSE_DEDUPE_MAX_IDS=" + strconv.Itoa(maxIDs)}
	program := buildWorker(ctx, t)

	first := lab.startWorker(t, program, "first")
	began := time.Now()
	lab.sendSignals(ctx, t, 0, *stateRecords, "")
	lab.awaitOffset(ctx, t, int64(*stateRecords))
	t.Logf("%d records in %v, process %s", *stateRecords, time.Since(began).Round(time.Millisecond), memoryOf(first))
	first.drain(ctx, t)

	second := lab.startWorker(t, program, "second")
	lab.sendSignals(ctx, t, *stateRecords-stateAgain, stateAgain, "")
	lab.sendSignals(ctx, t, *stateRecords-stateOther, stateOther, "5")
	lab.awaitOffset(ctx, t, int64(*stateRecords+stateAgain+stateOther))
	took, records := second.restoreSaid(t)
	size, end := lab.logSize(ctx, t, lab.topics.State), lab.end(ctx, t, lab.topics.State, 0)
	t.Logf("restored in %v from %d records; state topic %.1f MB on disk, next offset %d; %d IDs at most, %d series; process %s",
		took.Round(time.Microsecond), records, float64(size)/1e6, end, maxIDs, stateSeries(), memoryOf(second))
	second.drain(ctx, t)

	want := uint64(stateAgain)
	got := lab.ledger(ctx, t)
	if got.Scored != uint64(*stateRecords) || got.Duplicate != want || len(got.Dead) != 1 || got.Dead[0] != (state.ClassCount{Class: pulse.IDConflict, Count: stateOther}) {
		t.Errorf("the task's ledger is %+v, want %d scored, %d duplicates and %d conflicts", got, *stateRecords, want, stateOther)
	}
}

func stateSeries() int { return max(1, *stateRecords/recordsPerSeries) }

// sendSignals sends n signals to partition 0, IDs counted from first. more is a
// further digit of their values.
func (l *lab) sendSignals(ctx context.Context, t *testing.T, first, n int, more string) {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		t.Fatalf("make a producer: %v", err)
	}
	defer producer.Close()
	failed := make(chan error, 1)
	for i := first; i < first+n; i++ {
		name := "series-" + strconv.Itoa(i%stateSeries())
		record := &kgo.Record{Topic: l.topics.Input, Key: []byte(name), Value: fmt.Appendf(nil,
			`{"id":"id-%08d","name":"%s","value":%d.25%s,"source":"bench","timestamp":"2026-01-01T00:00:00Z"}`, i, name, i%1000, more)}
		producer.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatalf("produce: %v", err)
	}
	select {
	case err := <-failed:
		t.Fatalf("produce: %v", err)
	default:
	}
}

// awaitOffset waits until the group has committed offset want of partition 0, or
// one behind it: an idle task moves past markers.
func (l *lab) awaitOffset(ctx context.Context, t *testing.T, want int64) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		got := l.committed(ctx, t)[0].offset
		if got >= want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the group has committed %d of %d records", got, want)
		}
	}
}

// restoreSaid is what a worker's log says of its restore.
func (w *worker) restoreSaid(t *testing.T) (took time.Duration, records int) {
	t.Helper()
	for _, line := range w.tail() {
		var said struct {
			Msg     string        `json:"msg"`
			Took    time.Duration `json:"took"`
			Records int           `json:"records"`
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "state restored" {
			return said.Took, said.Records
		}
	}
	t.Fatalf("worker %s does not say that it has restored its state", w.name)
	return 0, 0
}

// memoryOf is what the system says of a process's memory, where it does.
func memoryOf(w *worker) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return "of unknown size"
	}
	var parts []string
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			parts = append(parts, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(parts, ", ")
}

// logSize is how many bytes the brokers hold of a topic.
func (l *lab) logSize(ctx context.Context, t *testing.T, topic string) (size int64) {
	t.Helper()
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Topics = append(req.Topics, kmsg.DescribeLogDirsRequestTopic{Topic: topic, Partitions: []int32{0}})
	for _, shard := range l.client.RequestSharded(ctx, req) {
		res, ok := shard.Resp.(*kmsg.DescribeLogDirsResponse)
		if !ok || shard.Err != nil {
			t.Fatalf("describe the log of %s: %v", topic, shard.Err)
		}
		for _, dir := range res.Dirs {
			for _, found := range dir.Topics {
				for _, p := range found.Partitions {
					size += p.Size
				}
			}
		}
	}
	return size
}

// ledger is what the task's state says of its input.
func (l *lab) ledger(ctx context.Context, t *testing.T) (last state.Ledger) {
	t.Helper()
	l.each(ctx, t, l.topics.State, func(r *kgo.Record) {
		got, ok, err := state.DecodeLedger(r.Key, r.Value)
		if err != nil {
			t.Fatalf("ledger record: %v", err)
		}
		if ok {
			last = got
		}
	})
	return last
}

//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/verify"
)

var sameRecords = flag.Int("same", 20_000, "how many records TestSame_… score twice")

const (
	samePartitions = 4
	sameRounds     = 10
)

// varied is the n-th record of the input: raw signals and forecasts of some series
// and sources, irregular in time, repeated, in conflict, from the future, and bad
// ones among them.
func (l *lab) varied(n int) *kgo.Record {
	partition, at := n%l.partitions, n/l.partitions
	id, series := at, at%17
	if at%11 == 10 {
		id = at - 5 // what came five before, once more
		series = id % 17
	}
	name := fmt.Sprintf("series-%d-%d", partition, series)
	stamp := 1700000000 + id*60 + id*id%41
	value := float64(id*id%1009)/8 + float64(series)
	if id%501 == 500 {
		value *= 1e6
	}
	record := &kgo.Record{Topic: l.topics.Input, Partition: int32(partition), Key: []byte(name)}
	switch {
	case at%97 == 50:
		record.Value = fmt.Appendf(nil, `{"id":"bad-%d","name":%q,"value":null,"source":"s%d"}`, at, name, series%3)
	case at%211 == 40:
		record.Value = fmt.Appendf(nil, `{"id":"f-%d","name":%q,"value":1,"source":"s0","timestamp":4000000000}`, at, name)
	case series%4 == 3:
		record.Value = fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%v,"source":"s%d","timestamp":%d,"overlays":{"hope":0.%d,"rage":0.%d},"trace_id":"t%d",`+
			`"fragility":0.%d,"forecast":{"symbolic_change":{"hope":0.%d},"start_capital":{"spy":1000},"end_capital":{"spy":%d}}}`,
			id, name, value, series%3, stamp, id%9, id%7, id%50, id%8, id%6, 900+id%300)
	default:
		record.Value = fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%v,"source":"s%d","timestamp":%d}`, id, name, value, series%3, stamp)
	}
	return record
}

func (l *lab) produceVaried(ctx context.Context, t *testing.T, from, n int) {
	t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = l.varied(from + i)
	}
	if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

// sameInput is another group on a lab's input, with topics of its own for the rest.
func (l *lab) sameInput(ctx context.Context, t *testing.T) *lab {
	t.Helper()
	other := newLab(ctx, t, l.brokers, l.group+"-again", l.partitions)
	other.topics.Input = l.topics.Input
	return other
}

// scores are the results as they must be the same again, by input record, with how
// many have a model's prediction.
func (l *lab) scores(ctx context.Context, t *testing.T) (scores map[coordinates]string, predicted int) {
	t.Helper()
	scores = make(map[coordinates]string)
	l.each(ctx, t, l.topics.Results, func(r *kgo.Record) {
		var result map[string]json.RawMessage
		var input struct {
			Partition int32
			Offset    int64
		}
		if err := json.Unmarshal(r.Value, &result); err != nil || json.Unmarshal(result["input"], &input) != nil {
			t.Fatalf("result %s: %v", r.Value, err)
		}
		if _, ok := result["model"]; ok {
			predicted++
		}
		for _, left := range []string{"input", "attempts", "external"} {
			delete(result, left)
		}
		text, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		at := coordinates{partition: input.Partition, offset: input.Offset}
		if _, twice := scores[at]; twice {
			t.Errorf("two results for %+v", at)
		}
		scores[at] = string(text)
	})
	return scores, predicted
}

// disturbed scores rounds of input while workers are killed, drained and joined by
// others; it returns when all of it is committed.
func (l *lab) disturbed(ctx context.Context, t *testing.T, program string, perRound int) {
	t.Helper()
	first, second := l.startWorker(t, program, "first"), (*worker)(nil)
	var third *worker
	for round := range sameRounds {
		l.produceVaried(ctx, t, round*perRound, perRound)
		switch round {
		case 1:
			second = l.startWorker(t, program, "second")
			second.awaitGained(ctx, t)
		case 3:
			first.kill(t)
			third = l.startWorker(t, program, "third")
		case 5:
			l.awaitEnd(ctx, t)
			second.drain(ctx, t)
		case 7:
			l.awaitEnd(ctx, t)
			third.drain(ctx, t) // all from the changelog
			l.startWorker(t, program, "fourth")
		}
	}
	l.awaitEnd(ctx, t)
}

// The same records give the same results, whatever happened to the workers: one run
// is left alone, in another workers are killed and drained, join and restore. Then
// verify finds the results of the second again from its input.
func TestSame_RecordsGiveTheSameScores(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	program := buildWorker(ctx, t)
	busy := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("same"), samePartitions)
	alone := busy.sameInput(ctx, t)
	for _, l := range []*lab{busy, alone} {
		l.env = append(l.env, "PULSE_PROFILE=v2", "PULSE_DEDUPE_MAX_IDS=1000000")
	}
	quiet := alone.startWorker(t, program, "alone")
	busy.disturbed(ctx, t, program, *sameRecords/sameRounds)
	alone.awaitEnd(ctx, t)
	quiet.drain(ctx, t)

	want, predicted := alone.scores(ctx, t)
	got, _ := busy.scores(ctx, t)
	if len(got) != len(want) || len(want) < *sameRecords*8/10 || predicted < *sameRecords/10 {
		t.Fatalf("%d results, %d of the run that was left alone, %d with a prediction", len(got), len(want), predicted)
	}
	different := 0
	for at, text := range want {
		if got[at] != text {
			if different++; different <= 3 {
				t.Errorf("%+v:\n%s\nleft alone:\n%s", at, got[at], text)
			}
		}
	}
	t.Logf("%d of %d results are the same, %d with a prediction", len(want)-different, len(want), predicted)
	for _, l := range []*lab{busy, alone} {
		l.expectVerified(ctx, t, uint64(len(want)))
	}
	alone.expectFalsifiedFound(ctx, t)
}

// expectVerified runs verify, which must find nothing else.
func (l *lab) expectVerified(ctx context.Context, t *testing.T, results uint64) {
	t.Helper()
	code, stdout, stderr := l.command(ctx, t, "verify", "--json")
	var report verify.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 {
		t.Fatalf("verify: exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if sum := verify.Total(report.Partitions); sum.Compared != results || sum.Different != 0 {
		t.Errorf("verify: %+v, want %d compared", sum, results)
	}
}

// expectFalsifiedFound copies the results to another topic, with one score of one of
// them changed, which verify must find.
func (l *lab) expectFalsifiedFound(ctx context.Context, t *testing.T) {
	t.Helper()
	other := *l
	other.topics.Results += ".falsified"
	if err := other.createTopics(ctx); err != nil {
		t.Fatalf("create topics: %v", err)
	}
	const falsified = 1000 // of partition 1
	var copies []*kgo.Record
	n := 0
	l.each(ctx, t, l.topics.Results, func(r *kgo.Record) {
		value := r.Value
		if r.Partition == 1 {
			if n++; n == falsified {
				value = bytes.Replace(value, []byte(`"sti":0.`), []byte(`"sti":0.1`), 1)
			}
		}
		copies = append(copies, &kgo.Record{Topic: other.topics.Results, Partition: r.Partition, Key: r.Key, Value: value})
	})
	if err := l.client.ProduceSync(ctx, copies...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	code, stdout, stderr := other.command(ctx, t, "verify", "--json")
	var report verify.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 1 {
		t.Fatalf("verify: exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	found := report.Partitions[1].Findings
	if sum := verify.Total(report.Partitions); sum.Different != 1 || len(found) != 1 || found[0].Differences[0].Field != "sti" || found[0].Offset != falsified-1 {
		t.Errorf("verify: %+v, found %+v", sum, found)
	}
}

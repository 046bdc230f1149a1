package simtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/scoring"
)

// judge holds what a read_committed reader sees against the input: first against
// what was known of each record when it was made, then against a plain run of
// the record path over the input, byte for byte.
func (w *world) judge() {
	results, letters, state := w.read(resultTopic), w.read(letterTopic), w.read(stateTopic)
	if got, want := fmt.Sprint(w.committed()), fmt.Sprint(w.ends(inputTopic)); got != want {
		w.failf("committed offsets are %s at the end, want %s", got, want)
	}
	for p := range int32(w.plan.Partitions) {
		inputs := w.source.partitions[p]
		c := w.count(p, inputs, results[p], letters[p])
		plain := w.plainRun(inputs)
		w.compare(fmt.Sprintf("results of partition %d", p), results[p], plain.results)
		w.compare(fmt.Sprintf("dead letters of partition %d", p), letters[p], plain.letters)
		w.judgeState(p, state[p], plain, c)
	}
}

// counts of a partition.
type counts struct{ in, scored, duplicate, dead uint64 }

// count accounts for every input: scored once, a duplicate, or dead.
func (w *world) count(p int32, inputs []*input, results, letters []*kgo.Record) counts {
	scored, ids := w.scored(p, results)
	dead := w.dead(p, inputs, letters)
	c := counts{in: uint64(len(inputs))}
	for i, in := range inputs {
		offset := int64(i)
		if in.record.Offset != offset {
			w.failf("input %d of partition %d lies at offset %d: the simulation's own order is wrong", i, p, in.record.Offset)
		}
		want := [2]int{1, 0}
		switch {
		case in.again:
			want = [2]int{0, 0}
			c.duplicate++
		case in.class != "":
			want = [2]int{0, 1}
			c.dead++
		default:
			c.scored++
			if ids[in.id] != 1 {
				w.failf("signal %s has %d results in partition %d, want 1", in.id, ids[in.id], p)
			}
		}
		if got := [2]int{scored[offset], dead[offset]}; got != want {
			w.failf("input %d-%d has %d results and %d dead letters, want %d and %d", p, offset, got[0], got[1], want[0], want[1])
		}
	}
	return c
}

// scored counts results by input offset and by signal, and sees to their order.
func (w *world) scored(p int32, results []*kgo.Record) (byOffset map[int64]int, byID map[string]int) {
	byOffset, byID = make(map[int64]int), make(map[string]int)
	last := int64(-1)
	for _, r := range results {
		var result struct {
			ID    string `json:"id"`
			Input struct {
				Partition int32 `json:"partition"`
				Offset    int64 `json:"offset"`
			} `json:"input"`
		}
		if err := json.Unmarshal(r.Value, &result); err != nil {
			w.failf("result %d-%d: %v", p, r.Offset, err)
			continue
		}
		if result.Input.Partition != p || result.Input.Offset <= last {
			w.failf("result of input %d-%d lies in partition %d behind that of offset %d", result.Input.Partition, result.Input.Offset, p, last)
		}
		last = result.Input.Offset
		byOffset[result.Input.Offset]++
		byID[result.ID]++
	}
	return byOffset, byID
}

// dead counts dead letters by input offset and compares their bytes.
func (w *world) dead(p int32, inputs []*input, letters []*kgo.Record) map[int64]int {
	byOffset := make(map[int64]int)
	for _, r := range letters {
		offset, err := strconv.ParseInt(header(r, "__dlq.errors.offset"), 10, 64)
		if err != nil || offset < 0 || offset >= int64(len(inputs)) || header(r, "__dlq.errors.partition") != strconv.Itoa(int(p)) {
			w.failf("dead letter %d-%d comes from no input (offset %q)", p, r.Offset, header(r, "__dlq.errors.offset"))
			continue
		}
		byOffset[offset]++
		in := inputs[offset]
		if !same(r.Value, in.record.Value) || !same(r.Key, in.record.Key) {
			w.failf("dead letter of input %d-%d has other bytes: %q, want %q", p, offset, r.Value, in.record.Value)
		}
		if got := header(r, "pulse-error-class"); got != string(in.class) {
			w.failf("dead letter of input %d-%d has class %s, want %s", p, offset, got, in.class)
		}
	}
	return byOffset
}

// same tells null from empty.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// plain is what comes of the input without anything happening.
type plain struct {
	task             *pipeline.Task
	results, letters []string
}

// From implements pipeline.Sink.
func (*plain) From(int, int64) (refused pipeline.Destination, ok bool) { return 0, false }

// Append implements pipeline.Sink.
func (p *plain) Append(to pipeline.Destination, key, value []byte, headers []pipeline.Header) {
	var hs []kgo.RecordHeader
	for _, h := range headers {
		hs = append(hs, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	line := lineOf(key, value, hs)
	if to == pipeline.Results {
		p.results = append(p.results, line)
	} else {
		p.letters = append(p.letters, line)
	}
}

// lineOf is a record as it must be, whenever it was written.
func lineOf(key, value []byte, headers []kgo.RecordHeader) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%q %v %q %v", key, key == nil, value, value == nil)
	for _, h := range headers {
		if h.Key != "pulse-first-seen" { // the wall clock
			fmt.Fprintf(&b, " %s=%q", h.Key, h.Value)
		}
	}
	return b.String()
}

func (w *world) plainRun(inputs []*input) *plain {
	p := &plain{task: w.plainTask()}
	for _, in := range inputs {
		p.task.Process(recordOf(in.record), p)
	}
	return p
}

func (w *world) plainTask() *pipeline.Task {
	task, err := pipeline.New(pathSettings(), pipeline.Deps{Profile: scoring.V2(), Now: noTime})
	if err != nil {
		w.t.Fatalf("record path: %v", err)
	}
	return task
}

func recordOf(r *kgo.Record) *pipeline.Record {
	in := &pipeline.Record{
		Topic: inputTopic, Partition: r.Partition, Offset: r.Offset, TimestampMs: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value,
	}
	for _, h := range r.Headers {
		in.Headers = append(in.Headers, pipeline.Header{Key: h.Key, Value: h.Value})
	}
	return in
}

// compare finds the first record that differs.
func (w *world) compare(what string, got []*kgo.Record, want []string) {
	for i := range min(len(got), len(want)) {
		if line := lineOf(got[i].Key, got[i].Value, got[i].Headers); line != want[i] {
			w.failf("%s: number %d is\n%s\nwant\n%s", what, i, line, want[i])
			return
		}
	}
	if len(got) != len(want) {
		w.failf("%s: %d, want %d", what, len(got), len(want))
	}
}

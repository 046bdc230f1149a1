package brokertest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/pipeline"
)

// judgement says what must differ from a plain run over the input.
type judgement struct {
	// refused are input offsets whose result the broker would not take,
	// withheld those whose dead letter it would not take, or whose value was
	// too large to be held.
	refused, withheld map[int32][]int64
	// again are inputs that are processed once more after all others.
	again map[int32][]*kgo.Record
}

// wanted is what a plain run over the input gives.
type wanted struct {
	results, letters []string
	state            memory
}

// collector is the sink of a plain run.
type collector struct {
	out [pipeline.Destinations][]string
}

// From implements pipeline.Sink.
func (*collector) From(int, int64) (refused pipeline.Destination, ok bool) { return 0, false }

// Append implements pipeline.Sink.
func (c *collector) Append(to pipeline.Destination, key, value []byte, headers []pipeline.Header) {
	c.out[to] = append(c.out[to], line(key, value, len(headers)))
}

// line is a record as two lists of them are compared by.
func line(key, value []byte, headers int) string {
	const most = 300
	return fmt.Sprintf("%.40q(%d) %.*q(%d) %d", key, len(key), most, value, len(value), headers)
}

// run works through the input of one task as it should be.
func (b *bundle) run(id int32, j judgement) wanted {
	t := newTask(newRecorder(), id)
	var out collector
	for _, r := range slices.Concat(b.inputs[id], j.again[id]) {
		in := &pipeline.Record{Topic: r.Topic, Partition: id, Offset: r.Offset, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			in.Headers = append(in.Headers, pipeline.Header{Key: h.Key, Value: h.Value})
		}
		in.ResultRefused = slices.Contains(j.refused[id], r.Offset)
		if slices.Contains(j.withheld[id], r.Offset) {
			in.Withheld, in.Value = withheld(r.Value), nil
		}
		t.Process(in, &out)
	}
	return wanted{results: out.out[pipeline.Results], letters: out.out[pipeline.DeadLetters], state: t.open}
}

// judge waits until everything is committed and compares what a read_committed
// reader sees with a plain run: results, dead letters, and what the state
// topic holds.
func (b *bundle) judge(j judgement) {
	b.t.Helper()
	b.awaitCommitted()
	results, letters, state := b.read(b.topology.Results), b.read(b.topology.DeadLetters), b.read(b.topology.State)
	for id := range b.tasks {
		want := b.run(id, j)
		for _, wrong := range []string{
			differ(fmt.Sprintf("results of task %d", id), lines(results[id]), want.results),
			differ(fmt.Sprintf("dead letters of task %d", id), lines(letters[id]), want.letters),
			differState(fmt.Sprintf("state topic of task %d", id), replayed(b, state[id]), want.state),
		} {
			if wrong != "" {
				b.t.Error(wrong)
			}
		}
	}
}

// verify is judge where nothing is special.
func (b *bundle) verify() {
	b.t.Helper()
	b.judge(judgement{})
}

// verifyRestored waits until an engine has restored every task, and compares
// what with.
func (b *bundle) verifyRestored(w *worker, j judgement) {
	b.t.Helper()
	for id := range b.tasks {
		var got memory
		eventually(b.t, func() string {
			var ok bool
			if got, ok = w.recorder.lastRestored(id); !ok {
				return fmt.Sprintf("task %d is not restored", id)
			}
			return ""
		})
		if wrong := differState(fmt.Sprintf("restored state of task %d", id), got, b.run(id, j).state); wrong != "" {
			b.t.Error(wrong)
		}
	}
}

func differState(what string, got, want memory) string {
	if got.Count != want.Count || got.Chain != want.Chain || !maps.Equal(got.last, want.last) {
		return fmt.Sprintf("%s: %+v, want %+v", what, got, want)
	}
	return ""
}

func lines(records []*kgo.Record) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = line(r.Key, r.Value, len(r.Headers))
	}
	return list
}

// resetKey is the engine's record that says that all before it is void.
const resetKey = "\x00reset"

// replayed is the state that the records of a state partition give.
func replayed(b *bundle, records []*kgo.Record) memory {
	b.t.Helper()
	t := newTask(newRecorder(), 0)
	for _, r := range records {
		if string(r.Key) == resetKey {
			t = newTask(newRecorder(), 0)
		}
		if len(r.Key) > 0 && r.Key[0] == 0 {
			continue // the engine's own
		}
		if err := t.Restore(r.Key, r.Value); err != nil {
			b.t.Fatalf("state record at offset %d: %v", r.Offset, err)
		}
	}
	return t.open
}

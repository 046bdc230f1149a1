package simtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// noTime is a clock that nothing may depend on.
func noTime() time.Time { return time.Unix(0, 0) }

// judgeState restores a partition's state and compares it with that of a plain
// run: the ledger, and what comes of records that ask for everything remembered.
func (w *world) judgeState(p int32, records []*kgo.Record, want *plain, c counts) {
	restored := &plain{task: w.plainTask()}
	w.judgeOwners(p, records)
	for _, r := range records {
		if len(r.Key) > 0 && r.Key[0] == 0 {
			continue // the engine's own
		}
		if err := restored.task.Restore(r.Key, r.Value); err != nil {
			w.failf("state of partition %d at offset %d: %v", p, r.Offset, err)
			return
		}
	}
	if err := restored.task.Restored(); err != nil {
		w.failf("state of partition %d: %v", p, err)
		return
	}
	l := restored.task.Ledger()
	got := counts{in: l.In, scored: l.Scored, duplicate: l.Duplicate}
	for _, d := range l.Dead {
		got.dead += d.Count
	}
	if got != c {
		w.failf("ledger of partition %d says %+v, want %+v", p, got, c)
	}
	if sum := got.scored + got.duplicate + got.dead; sum != got.in {
		w.failf("ledger of partition %d does not balance: %d in, %d accounted for", p, got.in, sum)
	}
	w.probe(p, restored, want)
}

// judgeOwners follows the commits of a task through its owner records: every one
// that is visible went on from where the one before had left the input.
func (w *world) judgeOwners(p int32, records []*kgo.Record) {
	var last int64
	for _, r := range records {
		if len(r.Key) == 0 || r.Key[0] != 0 || r.Value == nil {
			continue
		}
		var owner struct {
			Owner string           `json:"owner"`
			Next  map[string]int64 `json:"next"`
		}
		if err := json.Unmarshal(r.Value, &owner); err != nil {
			w.failf("owner record %d-%d: %v", p, r.Offset, err)
			return
		}
		next, ok := owner.Next[inputTopic]
		if !ok {
			continue
		}
		if next < last {
			w.failf("owner record %d-%d of %s goes on at %d, the one before at %d", p, r.Offset, owner.Owner, next, last)
		}
		last = next
	}
}

// probe has both states work through every signal once more, and through a new
// one of each series: duplicates must be known, windows and memories the same.
func (w *world) probe(p int32, restored, want *plain) {
	restored.results, want.results, want.letters = nil, nil, nil
	inputs := w.source.partitions[p]
	names := make(map[string]bool)
	offset := int64(len(inputs))
	ask := func(r *kgo.Record) {
		copied := *r
		copied.Offset, copied.Timestamp = offset, noTime()
		offset++
		in := recordOf(&copied)
		restored.task.Process(in, restored)
		want.task.Process(in, want)
	}
	for _, in := range inputs {
		if in.class != "" {
			continue
		}
		ask(in.record)
		if name := string(in.record.Key); !names[name] {
			names[name] = true
			ask(&kgo.Record{Partition: p, Key: in.record.Key, Value: fmt.Appendf(nil, `{"id":"probe","name":%q,"value":7,"source":"sim"}`, name)})
			ask(&kgo.Record{Partition: p, Key: in.record.Key, Value: fmt.Appendf(nil,
				`{"id":"probe-%s","name":%q,"value":7,"source":"sim","forecast":{"start_state":{"overlays":{"hope":0.5}}}}`, name, name)})
		}
	}
	if !slices.Equal(restored.results, want.results) || !slices.Equal(restored.letters, want.letters) {
		w.failf("partition %d: the restored state answers otherwise than the input's: %d results and %d dead letters, want %d and %d",
			p, len(restored.results), len(restored.letters), len(want.results), len(want.letters))
	}
}

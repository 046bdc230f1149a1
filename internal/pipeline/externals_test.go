package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/retry"
)

// oracle is external enrichers as a test wants them.
type oracle struct {
	// answer decides about one inquiry; nil answers all.
	answer func(q *Inquiry)
	// asked are the IDs asked about, in order; batches, how many at a time.
	asked   []string
	batches []int
	ended   func()
}

var _ Externals = (*oracle)(nil)

// Ask implements Externals.
func (o *oracle) Ask(_ context.Context, batch []*Inquiry) {
	o.batches = append(o.batches, len(batch))
	for _, q := range batch {
		q.Err = nil
		o.asked = append(o.asked, q.Signal.ID)
		if o.answer != nil {
			o.answer(q)
		} else {
			answered(q)
		}
	}
	if o.ended != nil {
		o.ended()
	}
}

// answered adds an enricher's answer unless it is there.
func answered(q *Inquiry) {
	if len(q.Answers) == 0 {
		q.Answers = []pulse.External{{Enricher: "risk", Object: fmt.Appendf(nil, `{"of":%q}`, q.Signal.ID)}}
	}
}

func unavailable(q *Inquiry) {
	q.Err = &pulse.Bad{Class: pulse.EnricherUnavailable, Message: "risk: connection refused"}
}

// failing makes the first tries of these IDs fail, as often as they are named.
func failing(ids ...string) func(*Inquiry) {
	return func(q *Inquiry) {
		if i := slices.Index(ids, q.Signal.ID); i >= 0 {
			ids = slices.Delete(ids, i, i+1)
			unavailable(q)
			return
		}
		answered(q)
	}
}

func retrySettings() Settings {
	s := testSettings()
	s.Retry = retry.Settings{Delays: []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}, Jitter: 0.1}
	return s
}

func byKey() Settings {
	s := retrySettings()
	s.Retry.ByKey, s.Retry.MaxParked = true, 100
	return s
}

// asking is a task with external enrichers.
func asking(tb testing.TB, s Settings, o *oracle) *Task {
	tb.Helper()
	task, err := New(s, Deps{
		Profile: profileFor(&s), Metrics: NewMetrics(prometheus.NewRegistry()), HashKey: [16]byte{1, 2, 3}, Now: wall,
		Random: func() float64 { return 0.5 }, Externals: o,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return task
}

// take processes records and finishes them.
func take(tb testing.TB, task *Task, records ...*Record) (out pages) {
	tb.Helper()
	for _, in := range records {
		switch process(task, in, &out) {
		case Taken:
		case Full:
			finish(tb, task, &out)
		case HoldInput, HoldAll:
			tb.Fatalf("record %d was not taken", in.Offset)
		}
	}
	finish(tb, task, &out)
	return out
}

func finish(tb testing.TB, task *Task, out *pages) {
	tb.Helper()
	if a := task.Finish(tb.Context(), out); a != Taken {
		tb.Fatalf("Finish answered %v", a)
	}
}

// back is the record of a tier as it is read from there.
func back(w written, offset int64) *Record {
	return &Record{
		Tier: w.to.Tier(), Topic: fmt.Sprintf("pulse.signals.g.retry.%d", w.to.Tier()), Partition: 3, Offset: offset,
		TimestampMs: wallMs + offset, Key: w.key, Value: w.value, Headers: w.headers,
	}
}

// only is the one record written.
func only(tb testing.TB, out pages) written {
	tb.Helper()
	if len(out) != 1 {
		tb.Fatalf("%d records were written, want 1: %s", len(out), brief(out))
	}
	return out[0]
}

// brief says where what went: destination and ID.
func brief(out pages) string {
	var b strings.Builder
	for _, w := range out {
		_, id, _ := strings.Cut(string(w.value), `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		to := fmt.Sprintf("retry%d", w.to.Tier())
		if w.to.Tier() == 0 {
			to = []string{"scored", "dead", "state"}[w.to]
		}
		fmt.Fprintf(&b, "%s:%s ", to, id)
	}
	return strings.TrimSpace(b.String())
}

func named(offset int64, id, series string) *Record {
	return signalAt(offset, fmt.Sprintf(`{"id":%q,"name":%q,"value":%d,"source":"s"}`, id, series, offset))
}

// balanced checks the ledger's promise.
func balanced(tb testing.TB, task *Task) {
	tb.Helper()
	l := task.Ledger()
	sum := l.Scored + l.Duplicate + l.Pending
	for _, d := range l.Dead {
		sum += d.Count
	}
	if l.In != sum || l.Pending != uint64(task.state.Pending()) {
		tb.Errorf("the ledger does not balance: %+v, %d wait", l, task.state.Pending())
	}
}

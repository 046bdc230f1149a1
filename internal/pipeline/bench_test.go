package pipeline

import (
	"fmt"
	"testing"
)

// discard takes outputs as the engine does, without keeping them.
type discard struct{ bytes int }

// From implements Sink.
func (*discard) From(int, int64) (refused Destination, ok bool) { return 0, false }

// Append implements Sink.
func (d *discard) Append(_ Destination, key, value []byte, _ []Header) {
	d.bytes += len(key) + len(value)
}

// steady is a task that has seen its series, and raw signals for it.
func steady(tb testing.TB, s Settings, series, records int) (*Task, []*Record) {
	tb.Helper()
	s.State.DedupeMaxIDs = 1_000_000
	task := taskWith(tb, s, newTask(tb, wall).metrics, wall)
	list := make([]*Record, records)
	for i := range list {
		list[i] = signalAt(int64(i), fmt.Sprintf(`{"id":"id-%d","name":"series-%d","value":%d.5,"source":"load-%d","timestamp":%d}`, i, i%series, i%97, i%2, recordMs/1000))
	}
	var out discard
	for _, in := range list[:records/2] {
		task.Process(in, &out)
	}
	commit(task)
	return task, list[records/2:]
}

// A raw signal costs no garbage: what grows is the table of IDs and the undo
// logs, now and then.
func TestProcess_AllocatesNextToNothingForRawSignals(t *testing.T) {
	for _, s := range eachProfile() {
		allocatesNothing(t, s)
	}
}

func allocatesNothing(t *testing.T, s Settings) {
	t.Helper()
	task, records := steady(t, s, 100, 20_000)
	var out discard
	next := 0
	perRecord := testing.AllocsPerRun(len(records)-1, func() {
		task.Process(records[next], &out)
		if next++; next%500 == 0 {
			task.Seal(wallMs, &out)
			task.Commit()
		}
	})
	if perRecord > 0 {
		t.Errorf("profile %s: %v allocations a record, want 0", task.profile.Name, perRecord)
	}
}

func BenchmarkProcess_Raw(b *testing.B) {
	for _, s := range eachProfile() {
		b.Run(profileFor(&s).Name, func(b *testing.B) { processRaw(b, s) })
	}
}

func processRaw(b *testing.B, s Settings) {
	b.Helper()
	task, records := steady(b, s, 1000, 200_000)
	var out discard
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		if n%len(records) == 0 && n > 0 {
			b.StopTimer()
			task, records = steady(b, s, 1000, 200_000)
			b.StartTimer()
		}
		task.Process(records[n%len(records)], &out)
		if n%1000 == 999 {
			task.Seal(wallMs, &out)
			task.Commit()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

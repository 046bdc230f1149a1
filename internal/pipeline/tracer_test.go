package pipeline

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/scoring"
)

// watcher follows records of odd offsets and notes what it is told.
type watcher struct{ told []string }

var _ Tracer = (*watcher)(nil)

func (w *watcher) Follow(in *Record) Followed {
	if in.Offset%2 == 0 {
		return nil
	}
	return &watchedRecord{watcher: w, offset: in.Offset}
}

type watchedRecord struct {
	*watcher

	offset int64
	what   string
}

var _ Followed = (*watchedRecord)(nil)

func (*watchedRecord) Traceparent() string { return "00-trace" }

func (r *watchedRecord) Decided(o Outcome, class pulse.Class, id string, attempt int) {
	r.what = fmt.Sprintf("%d %v %s %q %d", r.offset, o.Kind, class, id, attempt)
}

func (r *watchedRecord) Committed() { r.told = append(r.told, r.what) }

// Who follows a record hears of its outcome when that is visible, and nothing of a batch
// that was taken back.
func TestTracer_HearsOfWhatHasCommitted(t *testing.T) {
	t.Parallel()
	w := &watcher{}
	task, err := New(testSettings(), Deps{
		Profile: scoring.Parity(), Metrics: NewMetrics(prometheus.NewRegistry()), HashKey: [16]byte{1}, Now: wall, Tracer: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	task.Open()
	batch := func() {
		for offset, value := range []string{`{"id":"0","name":"n","value":1}`, `{"id":"1","name":"n","value":1}`, `nonsense`, `nonsense`, `{"id":"0","name":"n","value":1}`, `{"id":"1","name":"n","value":1}`} {
			process(task, signalAt(int64(offset), value), new(pages))
		}
		task.Seal(wallMs, new(pages))
	}
	batch()
	task.Rollback()
	batch()
	if len(w.told) > 0 {
		t.Errorf("told of %q before anything has committed", w.told)
	}
	task.Commit()
	commit(task)
	want := []string{`1 scored  "1" 1`, `3 dead malformed_json "" 1`, `5 duplicate  "1" 1`}
	if !slices.Equal(w.told, want) {
		t.Errorf("told of %q, want %q", w.told, want)
	}
}

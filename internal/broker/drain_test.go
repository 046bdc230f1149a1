package broker

import (
	"log/slog"
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
)

// newIdleEngine is what a loop owns, without the goroutines around it.
func newIdleEngine(t *testing.T) *Engine {
	t.Helper()
	e := &Engine{
		deps: Deps{Now: time.Now}, log: slog.New(slog.DiscardHandler),
		health: newHealth(time.Now, time.Minute), tasks: make(map[int32]*task),
	}
	e.work, e.current = t.Context(), &generation{id: 1}
	return e
}

// A drain once dropped the chunk that a worker was in the middle of. Its results
// were in the batch that was committed next, its offset was not, and the next
// owner wrote them a second time.
func TestDrain_CommitsTheOffsetOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	e := newIdleEngine(t)
	w := e.newTask(3)
	w.phase = phaseRunning
	underWay := &chunk{next: 870, bytes: 10, buf: mem.buffer(10)}
	waiting := &chunk{next: 900, bytes: 10, buf: mem.buffer(10)}
	w.queue, w.queued = []*chunk{underWay, waiting}, 20
	w.open = openBatch{records: 290, next: offsets{870}}
	w.order(order{kind: orderProcess, chunk: underWay})
	e.tasks[3] = w

	e.startDrain()
	if e.drained() {
		t.Error("drained while a worker is at work")
	}
	e.onReply(reply{task: w, kind: orderProcess, chunk: underWay, finished: true, next: 875, records: 5})

	if w.open.next.at(0) != 875 || w.open.records != 295 {
		t.Errorf("the batch ends at %d with %d records, want 875 and 295: what is in it must be what it commits", w.open.next.at(0), w.open.records)
	}
	if len(w.queue) != 0 || w.queued != 0 {
		t.Errorf("%d chunks of %d bytes are left, want none", len(w.queue), w.queued)
	}
}

package broker

import (
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// idlePath is a record path that is only told what became of its batches.
type idlePath struct{ Task }

func (idlePath) Commit()                       {}
func (idlePath) Seal(_ int64, _ pipeline.Sink) {}

// A transaction whose outcome was looked up may have a request without answer:
// its connection still holds the batches, and would send whatever is written into
// them next. Their memory is used again only when every request was answered.
func TestWorker_UsesBatchesAgainOnlyWhenAllWasAnswered(t *testing.T) {
	t.Parallel()
	for _, answered := range []bool{true, false} {
		m, err := newMemory(batch.None)
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		m.sealed.New = func() any { made++; return new([]byte) }
		w := &worker{task: &task{}, path: idlePath{}, out: newOutput(m), now: time.Now}
		seal := order{kind: orderSeal, owner: ownerRecord{Owner: "g-1"}, next: offsets{1}}
		first, _ := w.execute(seal)
		w.execute(order{kind: orderCommit, answered: answered})
		if len(w.sent) != 0 {
			t.Errorf("answered %v: the worker keeps %d batches", answered, len(w.sent))
		}
		// A pool may forget what it was given, so it is tried until it has not.
		again := false
		for range 200 {
			second, _ := w.execute(seal)
			again = again || &second.batches[0].bytes[0] == &first.batches[0].bytes[0]
			if again || !answered && made > 50 {
				break
			}
			first = second
			w.execute(order{kind: orderCommit, answered: answered})
		}
		if again != answered {
			t.Errorf("every request answered: %v; the memory of a batch was used again: %v", answered, again)
		}
	}
}

package pipeline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// variety are records of all kinds that Prefetch, a decoder or the state tell apart.
func variety(r *rand.Rand, n int) (in []*Record) {
	for offset := range int64(n) {
		value := fmt.Sprintf(`{"id":"s-%d","name":"cpi %d","value":%d,"source":"bls"}`, r.IntN(n), r.IntN(9), r.IntN(3))
		rec := signalAt(offset, value)
		switch r.IntN(14) {
		case 0:
			rec.Value = []byte(`{"name":"cpi","value":"high","source":"bls"}`)
		case 1:
			rec.Value = []byte(`{`)
		case 2:
			rec.Value = nil
		case 3: // refused after it was decoded, by a place that only its decoder knows
			rec.Value = []byte(`{"specversion":"1.0","type":"t","id":"e","source":"s","time":"2999-01-01T00:00:00Z","data":{"name":"cpi","value":1}}`)
		case 4:
			rec.Value = []byte(`{"name":"cpi \u0041","value":1,"source":"x","symbolic_tag":"hope","forecast":{"a":[1]}}`)
		case 5:
			rec.Value = bytes.Repeat([]byte(" "), 5000)
		case 6:
			rec.ResultRefused = true
		case 7: // its time and with that its ID is not that of the record itself
			rec.Tier, rec.Value = 1, []byte(`{"name":"cpi","value":2,"source":"tier"}`)
			rec.Headers = []Header{
				{Key: headerTopic, Value: []byte("pulse.signals")},
				{Key: headerPartition, Value: []byte("3")},
				{Key: headerOffset, Value: fmt.Append(nil, offset)},
				{Key: headerRecordTime, Value: fmt.Append(nil, recordMs-offset)},
			}
		case 8:
			rec.Value, rec.Withheld = nil, &Withheld{Size: 7000}
		case 9:
			rec.Headers = []Header{
				{Key: "ce_specversion", Value: []byte("1.0")},
				{Key: "ce_type", Value: []byte("t")},
				{Key: "ce_source", Value: fmt.Appendf(nil, "sensor %d", offset%3)},
				{Key: "ce_id", Value: fmt.Append(nil, offset%20)},
			}
		}
		in = append(in, rec)
	}
	return in
}

// lender gives records as the engine does: in places that are used again, and with bytes
// that become others'.
type lender struct {
	places [Lookahead + 3]Record
	next   int
}

func (l *lender) lend(in *Record) *Record {
	place := &l.places[l.next%len(l.places)]
	l.next++
	overwrite(place.Value)
	for _, h := range place.Headers {
		overwrite(h.Value)
	}
	*place = *kept(in)
	return place
}

// Whatever was prefetched, in whatever order, or not, or never came, the outputs are the
// same ones, and so is the state.
func TestPrefetch_ChangesNothing(t *testing.T) {
	t.Parallel()
	for _, s := range eachProfile() {
		for seed := range uint64(20) {
			plain, prefetching := newTaskOf(t, s), newTaskOf(t, s)
			r := rand.New(rand.NewPCG(seed, 1))
			records := variety(r, 300)
			var l lender
			some := func(most int) {
				for range r.IntN(most + 1) {
					prefetching.Prefetch(l.lend(records[r.IntN(len(records))]))
				}
			}
			ready := 0
			for i, in := range records {
				var want, got pages
				plain.Process(kept(in), &want)
				some(2) // which do not come
				lent := l.lend(in)
				if r.IntN(4) > 0 {
					prefetching.Prefetch(lent)
				}
				some(Lookahead + 1)
				if prefetching.decodedAhead(lent) != nil {
					ready++
				}
				prefetching.Process(lent, &got)
				if r.IntN(4) == 0 { // once more, in the same place
					plain.Process(kept(in), &want)
					prefetching.Process(lent, &got)
				}
				if !slices.EqualFunc(got, want, equalWritten) {
					t.Fatalf("%s, seed %d, record %d: prefetched it is\n%+v\nelse\n%+v", profileFor(&s).Name, seed, i, got, want)
				}
				if i == 100 {
					plain.Rollback()
					prefetching.Rollback()
				}
			}
			if ready < 50 {
				t.Fatalf("%d records were decoded ahead, want many", ready)
			}
			var want, got pages
			plain.Seal(wallMs, &want)
			prefetching.Seal(wallMs, &got)
			if !slices.EqualFunc(got, want, equalWritten) {
				t.Fatalf("%s, seed %d: other changes of the state", profileFor(&s).Name, seed)
			}
		}
	}
}

func newTaskOf(tb testing.TB, s Settings) *Task {
	tb.Helper()
	return taskWith(tb, s, NewMetrics(prometheus.NewRegistry()), wall)
}

const anySignal = `{"id":"a","name":"cpi","value":1,"source":"bls"}`

func TestPrefetch_DecodesOnce(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	in := signalAt(7, anySignal)
	task.Prefetch(in)
	task.decoder = nil // it would panic, and be a dead letter
	if w := itself(t, task, in); w.to != Results {
		t.Errorf("it goes to %d: %s", w.to, w.value)
	}
}

// Where stages are timed, decoding is one of them.
func TestPrefetch_ATimedRecordIsDecodedInItsTurn(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	in := signalAt(sampleEvery, anySignal)
	task.Prefetch(in)
	task.decoder = nil
	if w := itself(t, task, in); w.to != DeadLetters {
		t.Errorf("it goes to %d: %s", w.to, w.value)
	}
}

// What panics while it is decoded ahead is decoded in its turn, and a panic then is told.
func TestPrefetch_APanicIsToldInItsTurn(t *testing.T) {
	t.Parallel()
	task := newTask(t, wall)
	for i := range task.lookahead.all {
		task.lookahead.all[i].decoder = nil
	}
	in := signalAt(7, anySignal)
	task.Prefetch(in)
	task.decoder = nil
	if w := itself(t, task, in); w.to != DeadLetters || headerOf(w, headerClass) != "stage_panic" {
		t.Errorf("it goes to %d, class %s", w.to, headerOf(w, headerClass))
	}
}

// A forecast takes many times the bytes of its record: nothing of it is left once it was
// processed, or taken back.
func TestPrefetch_KeepsNoForecast(t *testing.T) {
	t.Parallel()
	left := func(task *Task) (n int) {
		for i := range task.lookahead.all {
			if len(task.lookahead.all[i].signal.Record.Members) > 0 {
				n++
			}
		}
		return n
	}
	task := newTask(t, wall)
	forecast := signalAt(7, `{"name":"cpi","value":1,"source":"x","forecast":{"a":[1]}}`)
	task.Prefetch(forecast)
	if left(task) != 1 {
		t.Fatal("no forecast was decoded ahead")
	}
	itself(t, task, forecast)
	if left(task) != 0 {
		t.Error("it is still there after its turn")
	}
	task.Prefetch(signalAt(9, string(forecast.Value)))
	task.Rollback()
	if left(task) != 0 {
		t.Error("it is still there after a rollback")
	}
}

// itself processes the record that was prefetched, not a copy.
func itself(tb testing.TB, task *Task, in *Record) written {
	tb.Helper()
	var out pages
	task.Process(in, &out)
	if len(out) != 1 {
		tb.Fatalf("%d outputs, want 1", len(out))
	}
	return out[0]
}

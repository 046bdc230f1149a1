package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/schemas"
)

// stream makes random input: raw signals and forecasts of a few series, with
// repeated IDs, conflicts and bad records among them.
func stream(seed uint64, records int) []*Record {
	r := rand.New(rand.NewPCG(seed, 1))
	var values []string
	for i := range records {
		switch n := r.IntN(20); {
		case n == 0:
			values = append(values, []string{"", "[]", `{"name":""}`, `{"name":"n","value":1,"forecast":null}`, strings.Repeat(" ", 5000)}[r.IntN(5)])
		case n < 4 && i > 0:
			values = append(values, values[r.IntN(i)]) // the same again
		case n == 4 && i > 0:
			values = append(values, fmt.Sprintf(`{"id":"%d","name":"s0","value":-1,"source":"a"}`, r.IntN(i)))
		case n < 11:
			values = append(values, forecastOf(r, i))
		default:
			values = append(values, fmt.Sprintf(`{"id":"%d","name":"s%d","value":%v,"source":%q}`, i, r.IntN(3), r.NormFloat64(), []string{"a", "b"}[r.IntN(2)]))
		}
	}
	list := make([]*Record, len(values))
	for i, value := range values {
		list[i] = signalAt(int64(i), value)
	}
	return list
}

func forecastOf(r *rand.Rand, id int) string {
	return fmt.Sprintf(`{"id":"%d","name":"s%d","value":%v,"source":"a","timestamp":%d,"overlays":{"hope":%v,"rage":%v},"fragility":%v,"symbolic_change":%s,`+
		`"forecast":{"symbolic_change":{"hope":%v,"rage":%v},"start_capital":{"spy":1000},"end_capital":{"spy":%d}},"context":{"regret":[{"trace_id":"t%d"}]},"trace_id":"t%d"}`,
		id, r.IntN(2), r.Float64(), recordMs/1000-r.IntN(1e6), r.Float64(), r.Float64(), r.Float64(), []string{"{}", "3", `{"hope":"x"}`}[r.IntN(3)],
		r.Float64(), r.Float64(), 900+r.IntN(200), r.IntN(5), r.IntN(5))
}

// straight processes all records in one task, in one batch.
func straight(t *testing.T, s Settings, records []*Record) pages {
	t.Helper()
	task := taskWith(t, s, NewMetrics(prometheus.NewRegistry()), wall)
	var out pages
	for _, in := range records {
		process(task, in, &out)
	}
	return out
}

// history is a task with what it has committed, as the engine keeps it: the
// outputs, the changelog, and how many records they stand for.
type history struct {
	t        *testing.T
	r        *rand.Rand
	settings Settings
	task     *Task
	records  []*Record

	outputs, changelog pages
	committed          int // records

	sealed, open       pages // of the two outstanding batches
	state              pages
	sealedEnd, openEnd int
	hasSealed          bool

	rollbacks, restarts int
}

func (h *history) process() {
	for range h.r.IntN(20) {
		if h.openEnd < len(h.records) {
			process(h.task, h.records[h.openEnd], &h.open)
			h.openEnd++
		}
	}
}

func (h *history) seal() {
	if h.hasSealed {
		return
	}
	h.state = nil
	h.task.Seal(wallMs+int64(h.openEnd), &h.state)
	h.sealed, h.sealedEnd, h.open, h.hasSealed = h.open, h.openEnd, nil, true
}

func (h *history) commit() {
	if !h.hasSealed {
		return
	}
	h.task.Commit()
	h.outputs, h.changelog = append(h.outputs, h.sealed...), append(h.changelog, h.state...)
	h.committed, h.hasSealed = h.sealedEnd, false
}

func (h *history) rollback() {
	h.task.Rollback()
	h.open, h.openEnd, h.hasSealed = nil, h.committed, false
	h.rollbacks++
}

// restart restores what is committed into a new task, on another worker: with
// another hash key, from a changelog that may have been compacted.
func (h *history) restart() {
	h.t.Helper()
	task, err := New(h.settings, Deps{Profile: profileFor(&h.settings), Metrics: NewMetrics(prometheus.NewRegistry()), HashKey: [16]byte{byte(h.restarts)}, Now: wall})
	if err != nil {
		h.t.Fatal(err)
	}
	log := h.changelog
	if h.r.IntN(2) == 0 {
		log = compacted(log)
	}
	for _, w := range log {
		if err := task.Restore(w.key, w.value); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := task.Restored(); err != nil {
		h.t.Fatal(err)
	}
	h.task, h.open, h.openEnd, h.hasSealed = task, nil, h.committed, false
	h.restarts++
}

// compacted keeps the last record of each key, in its place.
func compacted(log pages) pages {
	last := make(map[string]int)
	for i, w := range log {
		last[string(w.key)] = i
	}
	var left pages
	for i, w := range log {
		if last[string(w.key)] == i {
			left = append(left, w)
		}
	}
	return left
}

// Whatever is taken back, done again or restored elsewhere, and wherever the
// batches end: what is committed are the same bytes that one task writes which
// never fails.
func TestBatch_NoScheduleChangesWhatIsWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		s := eachProfile()[seed%2]
		records := stream(seed, 400)
		task := taskWith(t, s, NewMetrics(prometheus.NewRegistry()), wall)
		h := &history{t: t, r: rand.New(rand.NewPCG(seed, 2)), settings: s, task: task, records: records}
		for h.committed < len(records) {
			switch n := h.r.IntN(20); {
			case n < 8:
				h.process()
			case n < 13:
				h.seal()
			case n < 18:
				h.commit()
			case n == 18:
				h.rollback()
			default:
				h.restart()
			}
		}
		want := straight(t, s, records)
		if h.rollbacks == 0 || h.restarts == 0 {
			t.Errorf("seed %d: %d rollbacks, %d restarts", seed, h.rollbacks, h.restarts)
		}
		if !slices.EqualFunc(h.outputs, want, equalWritten) {
			t.Errorf("seed %d: %d outputs differ from the %d of a run without faults%s", seed, len(h.outputs), len(want), firstDifference(h.outputs, want))
		}
		if l := h.task.Ledger(); l.In != uint64(len(records)) || l.Scored == 0 || l.Duplicate == 0 || len(l.Dead) < 4 {
			t.Errorf("seed %d: ledger %+v", seed, l)
		}
	}
}

func firstDifference(got, want pages) string {
	for i := range min(len(got), len(want)) {
		if !equalWritten(got[i], want[i]) {
			return fmt.Sprintf(":\n%s\nwant\n%s", got[i].value, want[i].value)
		}
	}
	return ""
}

// A batch that is done again after a rollback writes the same records, those
// of the state included.
func TestRollback_TheSameRecordsAgainGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, s := range eachProfile() {
		sameBytesAgain(t, s)
	}
}

func sameBytesAgain(t *testing.T, s Settings) {
	t.Helper()
	task := taskWith(t, s, NewMetrics(prometheus.NewRegistry()), wall)
	records := stream(7, 300)
	batch := func(from, to int) (out pages) {
		for _, in := range records[from:to] {
			process(task, in, &out)
		}
		task.Seal(wallMs+int64(to), &out)
		return out
	}
	batch(0, 100)
	task.Commit()
	first := batch(100, 200)
	process(task, records[200], new(pages))
	task.Rollback()
	if again := batch(100, 200); len(first) < 50 || !slices.EqualFunc(first, again, equalWritten) {
		t.Errorf("%d records, then %d others%s", len(first), len(again), firstDifference(again, first))
	}
}

func TestResults_MatchTheirSchema(t *testing.T) {
	t.Parallel()
	schema, letters := compile(t, schemas.Result()), compile(t, schemas.DeadLetterHeaders())
	kinds := map[string]int{}
	records := stream(3, 500)
	for _, w := range append(straight(t, testSettings(), records), straight(t, v2Settings(), records)...) {
		if w.to == DeadLetters {
			requireHeaders(t, letters, w)
			kinds["dead"]++
			continue
		}
		requireSchema(t, schema, w.value)
		for _, part := range []string{`"kind":"raw"`, `"kind":"forecast"`, `"enrichment_error"`, `"repeat_regret":true`, `"quality_score"`, `"model":{`} {
			if strings.Contains(string(w.value), part) {
				kinds[part]++
			}
		}
	}
	if len(kinds) < 6 {
		t.Errorf("the stream has too few kinds of results: %v", kinds)
	}
}

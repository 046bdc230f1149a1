package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/retry"
)

// stage is a world of one task with its input and tiers, as the engine and Kafka
// are to it: what is committed is there, in order and due at its time.
type stage struct {
	t        *testing.T
	r        *rand.Rand
	settings Settings
	oracle   *oracle
	task     *Task
	now      int64
	input    []*Record

	committed, open, sealed position
	hasSealed               bool
	out, log                pages // committed
	openOut, sealedOut      pages

	retried, parked, restarts, rollbacks, held int
}

// position is how far input and tiers have been read, and what the tiers hold.
type position struct {
	next  int
	tiers [MaxTiers + 1][]written
}

func (p position) clone() position {
	for i := range p.tiers {
		p.tiers[i] = slices.Clone(p.tiers[i])
	}
	return p
}

func newStage(t *testing.T, seed uint64, s Settings, records int) *stage {
	t.Helper()
	g := &stage{t: t, r: rand.New(rand.NewPCG(seed, 5)), settings: s, now: wallMs}
	for i := range records {
		in := named(int64(i), fmt.Sprint("id-", i), fmt.Sprint("series-", g.r.IntN(4)))
		if i > 0 && g.r.IntN(10) == 0 {
			again := *g.input[g.r.IntN(i)] // a duplicate
			again.Offset, again.TimestampMs = in.Offset, in.TimestampMs
			in = &again
		}
		g.input = append(g.input, in)
	}
	g.oracle = &oracle{answer: func(q *Inquiry) {
		switch n := g.r.IntN(60); {
		case n < 9:
			unavailable(q)
		case n == 9:
			q.Err = &pulse.Bad{Class: pulse.EnricherRejected}
		case n == 10:
			q.Err = &pulse.Bad{Class: pulse.EnricherDown}
		default:
			answered(q)
		}
	}}
	g.task = g.newTask()
	return g
}

func (g *stage) newTask() *Task {
	task := asking(g.t, g.settings, g.oracle)
	task.clock.now = func() time.Time { return time.UnixMilli(g.now) }
	task.random = g.r.Float64
	return task
}

// read hands over some input and what is due of the tiers.
func (g *stage) read() {
	hold := false
	for range g.r.IntN(30) {
		tier := g.r.IntN(len(g.settings.Retry.Delays) + 1)
		var in *Record
		if tier == 0 {
			if hold || g.open.next == len(g.input) {
				continue
			}
			in = g.input[g.open.next]
		} else if in = g.due(tier); in == nil {
			continue
		}
		answer := process(g.task, in, &g.openOut)
		if answer == HoldInput {
			hold = true
			g.held++
			continue
		}
		if tier == 0 {
			g.open.next++
		} else {
			g.open.tiers[tier] = g.open.tiers[tier][1:]
		}
		if answer == Full {
			break
		}
	}
	for g.task.Finish(g.t.Context(), &g.openOut) == HoldAll {
		if g.r.IntN(4) == 0 {
			g.rollback()
			return
		}
	}
	g.parked = max(g.parked, g.task.state.Parked())
}

// due is the head of a tier, whose time must have come for it and no other.
func (g *stage) due(tier int) *Record {
	if len(g.open.tiers[tier]) == 0 {
		return nil
	}
	w := g.open.tiers[tier][0]
	l, err := ReadLetter(w.headers)
	if err != nil {
		g.t.Fatal(err)
	}
	if l.NotBeforeMs > g.now {
		return nil
	}
	return back(w, int64(g.r.IntN(1000)))
}

func (g *stage) seal() {
	if g.hasSealed {
		return
	}
	state := pages{}
	g.task.Seal(g.now, &state)
	g.sealed, g.hasSealed = g.open.clone(), true
	g.sealedOut, g.openOut = slices.Concat(g.openOut, state), nil
	for _, w := range g.sealedOut {
		if n := w.to.Tier(); n > 0 {
			g.sealed.tiers[n] = append(g.sealed.tiers[n], w)
			g.retried++
		}
	}
}

func (g *stage) commit() {
	if !g.hasSealed {
		return
	}
	g.task.Commit()
	g.committed, g.hasSealed = g.sealed, false
	// What is read meanwhile was taken from the heads; what was written comes
	// behind.
	for n := range g.open.tiers {
		for _, w := range g.sealedOut {
			if w.to.Tier() == n && n > 0 {
				g.open.tiers[n] = append(g.open.tiers[n], w)
			}
		}
	}
	for _, w := range g.sealedOut {
		if w.to == State {
			g.log = append(g.log, w)
		} else {
			g.out = append(g.out, w)
		}
	}
}

func (g *stage) rollback() {
	g.task.Rollback()
	g.open, g.openOut, g.hasSealed = g.committed.clone(), nil, false
	g.rollbacks++
}

func (g *stage) restart() {
	g.task = g.newTask()
	log := g.log
	if g.r.IntN(2) == 0 {
		log = compacted(log)
	}
	restoreInto(g.t, g.task, log)
	g.open, g.openOut, g.hasSealed = g.committed.clone(), nil, false
	g.restarts++
}

func (g *stage) run() {
	for g.committed.next < len(g.input) || g.task.state.Pending() > 0 || g.hasSealed || len(g.openOut) > 0 {
		g.now += g.r.Int64N(4000)
		switch n := g.r.IntN(40); {
		case n < 18:
			g.read()
		case n < 27:
			g.seal()
		case n < 36:
			g.commit()
		case n < 39:
			g.rollback()
		default:
			g.restart()
		}
		balanced(g.t, g.task)
	}
	g.seal()
	g.commit()
}

// Whatever fails, is rolled back, restarted or held: each signal has one result or
// one dead letter, and is ingested once and in order. With key order, the
// outcomes of each series are in the order of its input.
func TestRetry_NoScheduleLosesDoublesOrReorders(t *testing.T) {
	t.Parallel()
	for _, key := range []bool{true, false} {
		total := stage{}
		for seed := range uint64(12) {
			s := retrySettings()
			s.State.DedupeMaxIDs = 1000
			if key {
				s = byKey()
			}
			if seed%2 == 1 {
				s.State.WindowSize = 0
			}
			if key {
				s.Retry.MaxParked = 15
			}
			g := newStage(t, seed, s, 300)
			g.run()
			g.judge(key)
			if s.State.WindowSize == 0 {
				g.judgeScores()
			}
			total.retried += g.retried
			total.parked += g.parked
			total.restarts += g.restarts
			total.rollbacks += g.rollbacks
			total.held += g.held
		}
		if total.retried < 200 || total.restarts < 10 || total.rollbacks < 50 || key && (total.parked < 50 || total.held < 10) {
			t.Errorf("key order %v: only %d retried, %d parked, %d restarts, %d rollbacks, %d holds: little was tested",
				key, total.retried, total.parked, total.restarts, total.rollbacks, total.held)
		}
	}
}

func (g *stage) judge(key bool) {
	g.t.Helper()
	// A duplicate of a dead signal is scored, or dies again.
	results, letters := map[string]int{}, map[string]int{}
	last := map[string]int64{}
	for _, w := range g.out {
		if w.to.Tier() > 0 {
			continue
		}
		if id := brief(pages{{value: w.value}}); w.to == Results {
			results[id]++
		} else {
			letters[id]++
		}
		name, offset := seriesOf(w), originOf(g.t, w)
		if key && offset < last[name] {
			g.t.Errorf("the outcome of offset %d of %s comes after that of %d", offset, name, last[name])
		}
		last[name] = offset
	}
	windows := map[string][]float64{}
	want := map[string]bool{}
	for _, in := range g.input {
		id := brief(pages{{value: in.Value}})
		if want[id] {
			continue
		}
		want[id] = true
		name := seriesOf(written{value: in.Value})
		windows[name] = append(windows[name], float64(in.Offset))
		if results[id] > 1 || results[id]+letters[id] == 0 {
			g.t.Errorf("%s has %d results and %d dead letters", id, results[id], letters[id])
		}
	}
	for name, values := range windows {
		if got := g.task.state.Window("s", name); g.settings.State.WindowSize > 0 && !slices.Equal(got, values[max(0, len(values)-len(got)):]) {
			g.t.Errorf("window of %s: %v, want the end of %v", name, got, values)
		}
	}
	if g.task.state.Parked() != 0 || len(results) < len(want)*2/3 {
		g.t.Errorf("%d parked, %d of %d signals have results", g.task.state.Parked(), len(results), len(want))
	}
}

// judgeScores: a result is the same, but for its tries and what enrichers said,
// whatever happened to its record and to others.
func (g *stage) judgeScores() {
	g.t.Helper()
	plain := g.settings
	plain.Retry = retry.Settings{}
	want := map[int64]map[string]any{}
	for _, w := range straight(g.t, plain, g.input) {
		want[originOf(g.t, w)] = scoresOf(g.t, w)
	}
	again := 0
	for _, w := range g.out {
		if w.to != Results {
			continue
		}
		got := scoresOf(g.t, w)
		wanted, ok := want[originOf(g.t, w)]
		if !ok {
			continue // of a signal that died at first and came again
		}
		if !bytes.Contains(w.value, []byte(`"attempts":1,`)) {
			again++
		}
		if !reflect.DeepEqual(got, wanted) {
			g.t.Errorf("result %v, want %v", got, wanted)
		}
	}
	if again < 5 {
		g.t.Errorf("only %d results of records that were tried again", again)
	}
}

func scoresOf(t *testing.T, w written) (result map[string]any) {
	t.Helper()
	if err := json.Unmarshal(w.value, &result); err != nil {
		t.Fatalf("%s: %v", w.value, err)
	}
	delete(result, "attempts")
	delete(result, "external")
	return result
}

func seriesOf(w written) string {
	_, name, _ := bytes.Cut(w.value, []byte(`"name":"`))
	name, _, _ = bytes.Cut(name, []byte(`"`))
	return string(name)
}

// originOf is the input offset of a result or dead letter.
func originOf(t *testing.T, w written) (offset int64) {
	t.Helper()
	if w.to == DeadLetters {
		l, err := ReadLetter(w.headers)
		if err != nil {
			t.Fatal(err)
		}
		return l.Offset
	}
	_, text, _ := bytes.Cut(w.value, []byte(`"offset":`))
	if _, err := fmt.Sscan(string(text[:bytes.IndexByte(text, ',')]), &offset); err != nil {
		t.Fatal(err)
	}
	return offset
}

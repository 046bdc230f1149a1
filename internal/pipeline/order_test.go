package pipeline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

// With key order, what comes after a waiting signal of its series is ingested at
// once and waits behind it, in order; other series go on. Duplicates and
// conflicts are still recognised.
func TestOrder_LaterSignalsOfTheSeriesWait(t *testing.T) {
	t.Parallel()
	task := asking(t, byKey(), &oracle{answer: failing("a1")})
	out := take(t, task, named(1, "a1", "a"), named(2, "a2", "a"), named(3, "b1", "b"), named(4, "a2", "a"))
	if brief(out) != "dead:a2 retry1:a1 scored:b1" {
		t.Fatalf("wrote %s", brief(out))
	}
	out = append(out[:0], out[1])
	if got := take(t, task, named(5, "a3", "a"), named(6, "b2", "b")); brief(got) != "scored:b2" {
		t.Errorf("wrote %s", brief(got))
	}
	duplicate := named(5, "a3", "a")
	duplicate.Offset = 7
	if got := take(t, task, duplicate); len(got) != 0 {
		t.Errorf("a duplicate of a parked signal: %s", brief(got))
	}
	if got := task.state.Window("s", "a"); !slices.Equal(got, []float64{1, 2, 5}) || task.state.Parked() != 2 {
		t.Errorf("window %v, %d parked", got, task.state.Parked())
	}
	balanced(t, task)
	got := take(t, task, back(out[0], 1), named(8, "a4", "a"))
	if brief(got) != "scored:a1 scored:a2 scored:a3 scored:a4" || task.state.Parked() != 0 || task.state.Pending() != 0 {
		t.Errorf("wrote %s; %d parked, %d wait", brief(got), task.state.Parked(), task.state.Pending())
	}
	if !strings.Contains(string(got[1].value), `"attempts":1,"input":{"topic":"pulse.signals","partition":3,"offset":2,`) || string(got[1].key) != "k" {
		t.Errorf("result of a parked signal: %s", got[1].value)
	}
	balanced(t, task)
}

// A parked signal that fails in its turn waits in a tier, and the rest behind it.
// One that dies lets the next ones go.
func TestOrder_AParkedSignalFailsInItsTurn(t *testing.T) {
	t.Parallel()
	o := &oracle{answer: func() func(*Inquiry) {
		transient := failing("1", "3", "3") // 3 is asked in the first batch already
		return func(q *Inquiry) {
			if q.Signal.ID == "2" {
				q.Err = &pulse.Bad{Class: pulse.EnricherRejected}
				return
			}
			transient(q)
		}
	}()}
	task := asking(t, byKey(), o)
	var records []*Record
	for i := 1; i <= 5; i++ {
		in := named(int64(i), fmt.Sprint(i), "n")
		in.Headers = []Header{{Key: "h", Value: []byte{byte(i)}}, {Key: "null"}}
		records = append(records, in)
	}
	out := take(t, task, records...)
	if brief(out) != "retry1:1" {
		t.Fatalf("wrote %s", brief(out))
	}
	out = take(t, task, back(out[0], 1))
	if brief(out) != "scored:1 dead:2 retry1:3" || task.state.Parked() != 2 {
		t.Fatalf("wrote %s, %d parked", brief(out), task.state.Parked())
	}
	want := written{to: Retry(1), key: records[2].Key, value: records[2].Value, headers: records[2].Headers}
	w := out[2]
	due := headerOf(w, headerOffset)
	if w.headers = w.headers[:2]; !equalWritten(w, want) || due != "3" {
		t.Errorf("the parked record became %+v, of offset %s", w, due)
	}
	if got := take(t, task, back(out[2], 2)); brief(got) != "scored:3 scored:4 scored:5" {
		t.Errorf("wrote %s", brief(got))
	}
	balanced(t, task)
}

// The bound on parked records holds the input before it is passed.
func TestOrder_HoldsTheInputAtTheBound(t *testing.T) {
	t.Parallel()
	s := byKey()
	s.Retry.MaxParked = 3
	task := asking(t, s, &oracle{answer: failing("0")})
	var out pages
	var answers []Answer
	for i := range 8 {
		a := process(task, named(int64(i), fmt.Sprint(i), "n"), &out)
		if answers = append(answers, a); a == Full {
			finish(t, task, &out)
		}
		if n := task.state.Parked(); n > 3 {
			t.Fatalf("%d are parked", n)
		}
	}
	if want := []Answer{Taken, Taken, Full, Taken, HoldInput, HoldInput, HoldInput, HoldInput}; !slices.Equal(answers, want) {
		t.Errorf("answers %v, want %v", answers, want)
	}
	var records []*Record
	for i := 4; i < 8; i++ {
		records = append(records, named(int64(i), fmt.Sprint(i), "n"))
	}
	got := take(t, task, back(out[0], 1))
	got = append(got, take(t, task, records[:2]...)...)
	if brief(got) != "scored:0 scored:1 scored:2 scored:3 scored:4 scored:5" {
		t.Errorf("wrote %s", brief(got))
	}
	balanced(t, task)
}

// While an enricher is down, parked signals whose turn has come are held like
// others, and stay parked if the batch is rolled back.
func TestOrder_ReleasedSignalsAreHeldToo(t *testing.T) {
	t.Parallel()
	o := &oracle{answer: failing("1")}
	task := asking(t, byKey(), o)
	w := only(t, take(t, task, named(1, "1", "n"), named(2, "2", "n")))
	commit(task)
	down := func(q *Inquiry) {
		if answered(q); q.Signal.ID == "2" && o.answer != nil {
			q.Answers, q.Err = nil, &pulse.Bad{Class: pulse.EnricherDown}
		}
	}
	for range 2 {
		o.answer = down
		var out pages
		process(task, back(w, 1), &out)
		if a := task.Finish(t.Context(), &out); a != HoldAll || brief(out) != "scored:1" {
			t.Fatalf("answered %v, wrote %s", a, brief(out))
		}
		task.Rollback()
	}
	if task.state.Parked() != 1 {
		t.Errorf("%d parked after the rollback", task.state.Parked())
	}
	o.answer = nil
	if got := take(t, task, back(w, 1)); brief(got) != "scored:1 scored:2" {
		t.Errorf("wrote %s", brief(got))
	}
}

// A release that a restart has interrupted, or a setting that was switched off:
// what nothing stands before is released by the next Finish.
func TestOrder_WhatWasParkedIsReleasedWithoutTheSetting(t *testing.T) {
	t.Parallel()
	task := asking(t, byKey(), &oracle{answer: failing("1")})
	w := only(t, take(t, task, named(1, "1", "n"), named(2, "2", "n")))
	var log pages
	task.Seal(wallMs, &log)
	task.Commit()
	other := asking(t, retrySettings(), &oracle{})
	other.externals = nil
	restoreInto(t, other, log)
	if got := take(t, other, named(3, "3", "n"), back(w, 1)); brief(got) != "scored:3 scored:1 scored:2" {
		t.Errorf("wrote %s", brief(got))
	}
	balanced(t, other)
}

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
				s.Retry.MaxParked = 15
			}
			g := newStage(t, seed, s, 300)
			g.run()
			g.judge(key)
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
		if got := g.task.state.Window("s", name); !slices.Equal(got, values[max(0, len(values)-len(got)):]) {
			g.t.Errorf("window of %s: %v, want the end of %v", name, got, values)
		}
	}
	if g.task.state.Parked() != 0 || len(results) < len(want)*2/3 {
		g.t.Errorf("%d parked, %d of %d signals have results", g.task.state.Parked(), len(results), len(want))
	}
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

// Parked records come back as they were, and what is none is refused.
func TestParked_ReadsBackWhatIsWritten(t *testing.T) {
	t.Parallel()
	task := asking(t, byKey(), &oracle{})
	p := new(passage)
	in := named(5, "a", "n")
	in.Headers = []Header{{Key: "", Value: []byte{}}, {Key: "null"}}
	for _, key := range [][]byte{nil, {}, []byte("k")} {
		in.Key = key
		p.begin(in)
		bytes := appendParked(nil, p, task.progress(p))
		got := new(passage)
		if err := readParked(bytes, got); err != nil {
			t.Fatal(err)
		}
		if !equalWritten(written{key: got.in.Key, value: got.in.Value, headers: got.in.Headers}, written{key: key, value: in.Value, headers: in.Headers}) || got.recordMs != in.TimestampMs {
			t.Errorf("got %+v, want %+v", got.in, in)
		}
		if l, err := ReadParked(bytes); err != nil || l != (Parked{in.Topic, in.Partition, in.Offset, in.TimestampMs}) {
			t.Errorf("beginning %+v, %v", l, err)
		}
		for n := range bytes {
			if err := readParked(bytes[:n], got); err == nil {
				t.Errorf("%d of %d bytes were taken for a whole", n, len(bytes))
			}
		}
	}
}

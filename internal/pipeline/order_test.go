package pipeline

import (
	"fmt"
	"log/slog"
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

// Each bound that holds the input is told with its variable, and nothing is while there is
// room.
func TestOrder_SaysWhichBoundHoldsTheInput(t *testing.T) {
	t.Parallel()
	many, ids := byKey(), retrySettings()
	many.Retry.MaxParked, ids.State.DedupeMaxIDs = 1, 1
	for variable, c := range map[string]struct {
		set    Settings
		parked int64
		bytes  int
	}{
		"PULSE_RETRY_MAX_PARKED": {many, 2, 0}, "PULSE_DEDUPE_MAX_IDS": {ids, 1, 0}, "PULSE_RETRY_ORDER": {byKey(), 2, maxParkedBytes},
	} {
		task := asking(t, c.set, &oracle{answer: failing("0")})
		var text strings.Builder
		task.log = slog.New(slog.NewTextHandler(&text, nil))
		for i := range c.parked {
			take(t, task, named(i, fmt.Sprint(i), "n"))
		}
		if text.Len() > 0 {
			t.Errorf("%s: said while there was room: %s", variable, &text)
		}
		task.waitingBytes = c.bytes
		if a := process(task, named(9, "9", "n"), new(pages)); a != HoldInput || !strings.Contains(text.String(), variable+": ") {
			t.Errorf("%s: answered %v and said %s", variable, a, &text)
		}
	}
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

// Many parked signals behind one another take their enrichers longer than a task may be
// busy. The engine hears of it meanwhile, as of any wait, and nothing is lost by it.
func TestOrder_ALongReleaseIsToldAsAHold(t *testing.T) {
	t.Parallel()
	const parked, latency, places = 2000, 100 * time.Millisecond, 16
	now := time.UnixMilli(wallMs)
	o := &oracle{answer: failing("0")}
	s := byKey()
	s.Retry.MaxParked = 2 * parked
	task := asking(t, s, o)
	task.clock.now = func() time.Time { return now }
	var records []*Record
	for i := range parked + 1 {
		records = append(records, named(int64(i), fmt.Sprint(i), "n"))
	}
	w := only(t, take(t, task, records...))
	o.ended = func() { now = now.Add(latency * time.Duration((o.batches[len(o.batches)-1]+places-1)/places)) }
	var out pages
	process(task, back(w, 1), &out)
	for holds := 0; ; holds++ {
		began := now
		a := task.Finish(t.Context(), &out)
		if took := now.Sub(began); took > longRelease+2*longBatch {
			t.Fatalf("one Finish took %v", took)
		}
		if a == Taken {
			if holds == 0 {
				t.Error("it was over at once: the test shows nothing")
			}
			break
		}
	}
	if len(out) != parked+1 || task.state.Parked() != 0 || !strings.Contains(string(out[parked].value), fmt.Sprintf(`"id":"%d"`, parked)) {
		t.Errorf("%d results, %d still parked, the last is %s", len(out), task.state.Parked(), out[len(out)-1].value)
	}
	balanced(t, task)
}

// refusing is a sink of a broker that has refused records as too large.
type refusing struct {
	pages

	refused map[int64]Destination
}

// From implements Sink.
func (r *refusing) From(_ int, offset int64) (refused Destination, ok bool) {
	refused, ok = r.refused[offset]
	return refused, ok
}

// What is parked is not read again: when the broker refuses what comes of it, the
// sink says so, and it is passed on in another form instead of being refused for
// ever.
func TestOrder_WhatComesOfAParkedSignalCanBeRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to   Destination
		fail func(*Inquiry)
		want string
	}{
		{Results, func(*Inquiry) {}, "too_large emit"},
		{DeadLetters, func(q *Inquiry) { q.Err = &pulse.Bad{Class: pulse.EnricherRejected} }, "enricher_rejected enrich withheld"},
		{DeadLetters, unavailable, "retries_exhausted enrich withheld"},
		{Retry(1), unavailable, "retries_exhausted enrich"},
	} {
		to := c.to
		o := &oracle{answer: failing("1")}
		task := asking(t, byKey(), o)
		w := only(t, take(t, task, named(1, "1", "n"), named(2, "2", "n"), named(3, "3", "n")))
		o.answer = func(q *Inquiry) {
			if answered(q); q.Signal.ID == "2" {
				c.fail(q)
			}
		}
		out := &refusing{refused: map[int64]Destination{2: to}}
		process(task, back(w, 1), out)
		if a := task.Finish(t.Context(), out); a != Taken || len(out.pages) != 3 || out.pages[1].to != DeadLetters {
			t.Fatalf("refused in %d: %v, %s", to, a, brief(out.pages))
		}
		letter := out.pages[1]
		got := headerOf(letter, headerClass) + " " + headerOf(letter, headerStage)
		if letter.value == nil && headerOf(letter, headerValueSize) != "" {
			got += " withheld"
		}
		if got != c.want {
			t.Errorf("refused in %d: %s, want %s", to, got, c.want)
		}
		balanced(t, task)
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

package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/schemas"
)

// A signal that an enricher has no answer for goes to the first tier, as it came,
// with what it needs to go on; from there it is scored as it would have been.
func TestRetry_GoesOnAtTheFailedStage(t *testing.T) {
	t.Parallel()
	undisturbed := take(t, asking(t, retrySettings(), &oracle{}), named(1, "a", "n"), named(2, "b", "n"))
	o := &oracle{answer: failing("a", "a")}
	task := asking(t, retrySettings(), o)
	in := named(1, "a", "n")
	in.Headers = []Header{{Key: "traceparent", Value: []byte("00-1")}, {Key: headerOffset, Value: []byte("77")}}
	out := take(t, task, in, named(2, "b", "n"))
	if brief(out) != "retry1:a scored:b" {
		t.Fatalf("wrote %s", brief(out))
	}
	w := out[0]
	if !bytes.Equal(w.key, in.Key) || !bytes.Equal(w.value, in.Value) || w.headers[0].Key != "traceparent" {
		t.Errorf("the record was touched: %+v", w)
	}
	requireRetry(t, w, map[string]string{headerDeliveryCount: "1", headerNotBefore: strconv.Itoa(wallMs + 5000)})
	w = only(t, take(t, task, back(w, 500)))
	if w.to != Retry(2) {
		t.Fatalf("the second failure went to %d", w.to)
	}
	requireRetry(t, w, map[string]string{headerDeliveryCount: "2", headerNotBefore: strconv.Itoa(wallMs + 30_000)})
	w = only(t, take(t, task, back(w, 900)))
	want := strings.Replace(string(undisturbed[0].value), `"attempts":1`, `"attempts":3`, 1)
	if string(w.value) != want || string(w.key) != "k" || w.headers != nil {
		t.Errorf("result %s, want %s", w.value, want)
	}
	if got := task.state.Window("s", "n"); !slices.Equal(got, []float64{1, 2}) {
		t.Errorf("window %v: ingested twice?", got)
	}
	balanced(t, task)
}

// What ingest found counts, not what it would find later: a value that stood out
// when it came has become usual until its turn comes again. First seen stays the
// time of the first failure.
func TestRetry_KeepsWhatIngestHasFound(t *testing.T) {
	t.Parallel()
	series := func(from, n int, value float64) (list []*Record) {
		for i := range n {
			list = append(list, signalAt(int64(from+i), fmt.Sprintf(`{"id":"%d","name":"n","value":%v,"source":"s"}`, from+i, value+float64(i%3))))
		}
		return list
	}
	now := time.UnixMilli(wallMs)
	task := asking(t, retrySettings(), &oracle{answer: failing("100", "100")})
	task.clock.now = func() time.Time { return now }
	take(t, task, series(0, 40, 1)...)
	w := only(t, take(t, task, series(100, 1, 1000)...))
	take(t, task, series(200, 40, 1000)...)
	now = now.Add(time.Minute)
	w = only(t, take(t, task, back(w, 1)))
	if seen := headerOf(w, headerFirstSeen); seen != strconv.Itoa(wallMs) {
		t.Errorf("first seen at %s, want %d", seen, int64(wallMs))
	}
	w = only(t, take(t, task, back(w, 2)))
	if !strings.Contains(string(w.value), `"anomaly_flag":true`) {
		t.Errorf("result %s", w.value)
	}
}

// A signal that waited while the profile was exchanged is judged as the new one
// judges: what the old one has found has no parts of a quality, and no score would
// be a score of 0.
func TestRetry_WhatAnotherProfileHasFoundIsFoundAgain(t *testing.T) {
	t.Parallel()
	v2 := retrySettings()
	v2.State.WindowSize = 0
	for name, s := range map[string]struct{ from, to Settings }{"parity": {retrySettings(), v2}, "v2": {v2, retrySettings()}} {
		waits := only(t, take(t, asking(t, s.from, &oracle{answer: failing("a")}), named(1, "a", "n")))
		want := only(t, take(t, asking(t, s.to, &oracle{}), named(1, "a", "n")))
		got := only(t, take(t, asking(t, s.to, &oracle{}), back(waits, 1)))
		if a, b := strings.Replace(string(got.value), `"attempts":2`, `"attempts":1`, 1), string(want.value); a != b {
			t.Errorf("found by %s:\n%s\nwant\n%s", name, a, b)
		}
	}
}

func requireRetry(t *testing.T, w written, want map[string]string) {
	t.Helper()
	maps.Copy(want, map[string]string{
		headerTopic: "pulse.signals", headerPartition: "3", headerOffset: "1", headerGroup: "pulse-scorer",
		headerClass: "enricher_unavailable", headerStage: "enrich", headerRecordTime: strconv.Itoa(recordMs + 1),
		headerFirstSeen: strconv.Itoa(wallMs), headerMessage: "enricher_unavailable: risk: connection refused",
	})
	for key, value := range want {
		if got := headerOf(w, key); got != value {
			t.Errorf("header %s = %q, want %q", key, got, value)
		}
	}
}

// With the tiers used up the signal is a dead letter that says what the last try
// failed with. Sent back to a tier it goes on where it failed; scored, it is a
// duplicate whenever it is sent back again.
func TestRetry_EndsWhenTheTiersAreUsedUp(t *testing.T) {
	t.Parallel()
	o := &oracle{answer: unavailable}
	task := asking(t, retrySettings(), o)
	w := only(t, take(t, task, named(1, "a", "n")))
	for tier := 1; w.to != DeadLetters; tier++ {
		if w.to != Retry(tier) {
			t.Fatalf("went to %d, want tier %d", w.to, tier)
		}
		balanced(t, task)
		w = only(t, take(t, task, back(w, int64(tier))))
	}
	if class, last := headerOf(w, headerClass), headerOf(w, headerLastClass); class != "retries_exhausted" || last != "enricher_unavailable" || len(o.asked) != 4 {
		t.Errorf("class %s, last %s after %d tries", class, last, len(o.asked))
	}
	if headerOf(w, headerDeliveryCount) != "4" || task.state.Pending() != 0 {
		t.Errorf("delivered %s times, %d wait", headerOf(w, headerDeliveryCount), task.state.Pending())
	}
	balanced(t, task)
	requireHeaders(t, compile(t, schemas.DeadLetterHeaders()), w)
	o.answer = nil
	w.to = Retry(1)
	if got := take(t, task, back(w, 50), named(2, "a2", "n"), back(w, 51)); brief(got) != "scored:a scored:a2" || !strings.Contains(string(got[0].value), `"attempts":5`) {
		t.Errorf("sent back twice: %s", brief(got))
	}
	if got := task.state.Window("s", "n"); !slices.Equal(got, []float64{1, 2}) {
		t.Errorf("window %v: ingested twice?", got)
	}
	if l := task.Ledger(); l.In != 4 || l.Scored != 2 || l.Duplicate != 1 {
		t.Errorf("ledger %+v", l)
	}
	balanced(t, task)
}

// While a signal waits, in the batch under way or in a tier, its ID is known: the
// same content is a duplicate, other content a conflict. Nothing evicts it.
func TestRetry_DuplicatesOfAWaitingSignalAreRecognised(t *testing.T) {
	t.Parallel()
	s := retrySettings()
	s.State.DedupeMaxIDs = 20
	task := asking(t, s, &oracle{answer: failing("a")})
	same, other := named(1, "a", "n"), signalAt(3, `{"id":"a","name":"n","value":-1,"source":"s"}`)
	same.Offset = 2
	out := take(t, task, named(1, "a", "n"), same, other) // in one batch
	if brief(out) != "dead:a retry1:a" || headerOf(out[0], headerClass) != "id_conflict" {
		t.Fatalf("wrote %s", brief(out))
	}
	commit(task)
	for i := range 100 { // far beyond what is remembered
		take(t, task, named(int64(100+i), fmt.Sprint("x", i), "m"))
		commit(task)
	}
	if e := task.state.Dedupe().Evictions.ByCount; e == 0 {
		t.Fatal("nothing was evicted")
	}
	out = append(out, take(t, task, same)...)
	out = append(out, take(t, task, other)...)
	if brief(out[2:]) != "dead:a" {
		t.Errorf("while it waits: %s", brief(out[2:]))
	}
	if got := take(t, task, back(out[1], 7), same); brief(got) != "scored:a" {
		t.Errorf("at last: %s", brief(got))
	}
	if l := task.Ledger(); l.Duplicate != 3 || l.Pending != 0 {
		t.Errorf("ledger %+v", l)
	}
	balanced(t, task)
}

// Two records of one waiting signal, the second put into a tier by a person: one
// result, whether they come in one batch or in two.
func TestRetry_AWaitingSignalIsScoredOnceHoweverOftenItComes(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		task := asking(t, retrySettings(), &oracle{answer: failing("a")})
		w := only(t, take(t, task, named(1, "a", "n")))
		var got pages
		if together {
			got = take(t, task, back(w, 1), back(w, 2))
		} else {
			got = append(take(t, task, back(w, 1)), take(t, task, back(w, 2))...)
		}
		if l := task.Ledger(); brief(got) != "scored:a" || l.Duplicate != 1 || l.In != 2 {
			t.Errorf("together %v: %s, ledger %+v", together, brief(got), l)
		}
		balanced(t, task)
	}
}

// The not-before times of a tier never go back, not after a rollback or a restart
// either, although clocks do.
func TestRetry_NotBeforeNeverGoesBack(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(wallMs)
	task := asking(t, retrySettings(), &oracle{answer: unavailable})
	task.clock.now = func() time.Time { return now }
	dueOf := func(w written) int64 {
		ms, err := strconv.ParseInt(headerOf(w, headerNotBefore), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return ms
	}
	first := dueOf(only(t, take(t, task, named(1, "a", "n"))))
	var log pages
	task.Seal(wallMs, &log)
	task.Commit()
	now = now.Add(time.Hour)
	if later := dueOf(only(t, take(t, task, named(2, "b", "n")))); later != first+time.Hour.Milliseconds() {
		t.Errorf("an hour later it is due at %d, before at %d", later, first)
	}
	task.Rollback()
	now = now.Add(-2 * time.Hour)
	if again := dueOf(only(t, take(t, task, named(2, "b", "n")))); again != first {
		t.Errorf("with the clock back it is due at %d, the one before it at %d", again, first)
	}
	other := asking(t, retrySettings(), &oracle{answer: unavailable})
	other.clock.now = func() time.Time { return now }
	restoreInto(t, other, log)
	if again := dueOf(only(t, take(t, other, named(2, "b", "n")))); again != first {
		t.Errorf("after a restart it is due at %d, the one before it at %d", again, first)
	}
}

func restoreInto(t *testing.T, task *Task, log pages) {
	t.Helper()
	for _, w := range log {
		if w.to != State {
			continue
		}
		if err := task.Restore(w.key, w.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := task.Restored(); err != nil {
		t.Fatal(err)
	}
}

// Answers travel with the record up to 2 KiB; beyond that they are asked for
// again. Ours have 4 KiB together without them.
func TestRetry_SmallAnswersTravelAndLargeOnesDoNot(t *testing.T) {
	t.Parallel()
	for size, travels := range map[int]bool{10: true, 3000: false} {
		o := &oracle{answer: func(q *Inquiry) {
			if len(q.Answers) == 0 {
				q.Answers = []pulse.External{{Enricher: "geo", Object: fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("<", size))}}
			}
			if q.Attempt == 1 {
				q.Err = &pulse.Bad{Class: pulse.EnricherUnavailable, Message: strings.Repeat("m", 9000)}
			}
		}}
		s := retrySettings()
		s.Group = strings.Repeat("g", maxGroupBytes)
		task := asking(t, s, o)
		in := named(1, "a", "n")
		in.Topic = strings.Repeat("t", 249)
		w := only(t, take(t, task, in))
		progress, err := codec.ReadProgress([]byte(headerOf(w, headerProgress)))
		if err != nil || (len(progress.External) == 1) != travels || len(headerOf(w, headerProgress)) > maxProgressBytes {
			t.Errorf("%d bytes: progress %s, %v", size, headerOf(w, headerProgress), err)
		}
		ours := 0
		for _, h := range w.headers {
			if h.Key != headerProgress {
				ours += len(h.Key) + len(h.Value)
			}
		}
		if ours > 4096 {
			t.Errorf("our headers have %d bytes", ours)
		}
		got := only(t, take(t, task, back(w, 5)))
		if !strings.Contains(string(got.value), fmt.Sprintf(`"external":{"geo":{"x":%q}}`, strings.Repeat("<", size))) {
			t.Errorf("result %.300s", got.value)
		}
	}
}

// What each failure of the enrichers does to a record.
func TestRetry_ByClassOfTheFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err         error
		want, class string
	}{
		"unavailable":  {&pulse.Bad{Class: pulse.EnricherUnavailable}, "retry1:a", "enricher_unavailable"},
		"Retry-After":  {&pulse.Bad{Class: pulse.EnricherUnavailable, RetryAfter: 31 * time.Second}, "retry3:a", "enricher_unavailable"},
		"rejected":     {&pulse.Bad{Class: pulse.EnricherRejected}, "dead:a", "enricher_rejected"},
		"of no class":  {errors.New("odd"), "retry1:a", "unknown"},
		"a new class":  {&pulse.Bad{Class: "new"}, "retry1:a", "new"},
		"wrapped, bad": {fmt.Errorf("risk: %w", &pulse.Bad{Class: pulse.EnricherRejected}), "dead:a", "enricher_rejected"},
	} {
		task := asking(t, retrySettings(), &oracle{answer: func(q *Inquiry) { q.Err = c.err }})
		out := take(t, task, named(1, "a", "n"))
		if brief(out) != c.want || headerOf(out[0], headerClass) != c.class {
			t.Errorf("%s: %s, class %s; want %s, %s", name, brief(out), headerOf(out[0], headerClass), c.want, c.class)
		}
		balanced(t, task)
	}
}

// A class that is bad by itself can be given tiers.
func TestRetry_OverridesGiveABadClassTiers(t *testing.T) {
	t.Parallel()
	s := retrySettings()
	s.Retry.Overrides = make(map[pulse.Class]int)
	s.Retry.Overrides[pulse.StagePanic] = 1
	task := asking(t, s, nil)
	task.externals = nil
	task.clock.now = panicsAt(5, "once")
	w := only(t, take(t, task, signalAt(64, `{"id":"a","name":"n","value":64,"source":"s"}`)))
	if w.to != Retry(1) || headerOf(w, headerClass) != "stage_panic" || headerOf(w, headerStage) != "score" {
		t.Fatalf("%s: %+v", brief(pages{w}), w.headers)
	}
	task.clock.now = panicsAt(4, "twice")
	w = only(t, take(t, task, back(w, 128)))
	if w.to != DeadLetters || headerOf(w, headerClass) != "retries_exhausted" || headerOf(w, headerLastClass) != "stage_panic" {
		t.Errorf("%s: class %s, last %s", brief(pages{w}), headerOf(w, headerClass), headerOf(w, headerLastClass))
	}
	if got := task.state.Window("s", "n"); len(got) != 1 {
		t.Errorf("window %v", got)
	}
	balanced(t, task)
}

// What cannot be read back any more ends the wait: the ID is known from what the
// record brought.
func TestRetry_AWaitEndsWithItsRecordWhateverIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Task, *Record){
		"too large now":     func(task *Task, _ *Record) { task.settings.MaxRecordBytes = 3 },
		"withheld":          func(_ *Task, in *Record) { in.Withheld, in.Value = &Withheld{Size: 50}, nil },
		"result refused":    func(_ *Task, in *Record) { in.ResultRefused = true },
		"panic when read":   func(task *Task, in *Record) { in.Offset = 64; task.clock.now = panicsAt(2, "x") },
		"no time of record": func(_ *Task, in *Record) { set(in, headerRecordTime, "-1") },
	} {
		task := asking(t, retrySettings(), &oracle{answer: failing("a")})
		in := back(only(t, take(t, task, named(1, "a", "n"))), 5)
		spoil(task, in)
		w := only(t, take(t, task, in))
		if w.to != DeadLetters || task.state.Pending() != 0 || headerOf(w, headerOffset) != "1" || headerOf(w, headerDeliveryCount) != "2" {
			t.Errorf("%s: %+v, %d wait", name, w.headers, task.state.Pending())
		}
		if l := task.Ledger(); l.In != 1 {
			t.Errorf("%s: ledger %+v", name, l)
		}
		balanced(t, task)
	}
}

func set(in *Record, key, value string) {
	in.Headers = slices.Clone(in.Headers)
	for i := range in.Headers {
		if in.Headers[i].Key == key {
			in.Headers[i].Value = []byte(value)
		}
	}
}

// Somebody else's record in a tier is a dead letter of that tier.
func TestRetry_ARecordThatIsNotOursIsADeadLetter(t *testing.T) {
	t.Parallel()
	task := asking(t, retrySettings(), &oracle{})
	in := named(7, "a", "n")
	in.Tier, in.Topic = 2, "pulse.signals.g.retry.2"
	w := only(t, take(t, task, in))
	if w.to != DeadLetters || headerOf(w, headerClass) != "invalid_field" || headerOf(w, headerTopic) != in.Topic {
		t.Errorf("%s: %+v", brief(pages{w}), w.headers)
	}
	balanced(t, task)
}

// A tier's topic that will not take the record makes a dead letter of it.
func TestRetry_ARecordThatATierRefusesIsADeadLetter(t *testing.T) {
	t.Parallel()
	task := asking(t, retrySettings(), &oracle{answer: unavailable})
	in := named(1, "a", "n")
	in.RetryRefused = true
	w := only(t, take(t, task, in))
	if w.to != DeadLetters || headerOf(w, headerClass) != "retries_exhausted" || task.state.Pending() != 0 {
		t.Errorf("%s, class %s, %d wait", brief(pages{w}), headerOf(w, headerClass), task.state.Pending())
	}
	balanced(t, task)
}

// Progress that cannot be read costs an answer, not the signal: it is ingested
// again against its series as it is, without being observed twice.
func TestRetry_GoesOnWithoutProgress(t *testing.T) {
	t.Parallel()
	for _, progress := range []string{"", "nonsense", `{"v":9}`, `{"v":1}`} {
		task := asking(t, retrySettings(), &oracle{answer: failing("a")})
		in := back(only(t, take(t, task, named(1, "a", "n"))), 5)
		set(in, headerProgress, progress)
		w := only(t, take(t, task, in))
		if got := task.state.Window("s", "n"); w.to != Results || len(got) != 1 || task.state.Pending() != 0 {
			t.Errorf("%q: %s, window %v", progress, brief(pages{w}), got)
		}
		balanced(t, task)
	}
}

func TestRetry_CountsWhatIsRetried(t *testing.T) {
	t.Parallel()
	task := asking(t, retrySettings(), &oracle{answer: failing("a")})
	w := only(t, take(t, task, named(1, "a", "n")))
	if n := task.open.outcomes[OutcomeRetried]; n != 1 || task.open.failures[failure{StageEnrich, pulse.EnricherUnavailable}] != 1 || task.open.sources["s"].n != 1 {
		t.Errorf("tally %+v", task.open)
	}
	commit(task)
	take(t, task, back(w, 1))
	if n := task.open.outcomes[OutcomeScored]; n != 1 || len(task.open.sources) != 0 {
		t.Errorf("tally %+v", task.open)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(headerOf(w, headerProgress)), &object); err != nil {
		t.Error(err)
	}
}

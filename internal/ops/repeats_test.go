package ops

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// said is the log without times.
func said(out *bytes.Buffer) []string {
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	out.Reset()
	if lines[0] == "" {
		return nil
	}
	return lines
}

func newRepeatsLog(out io.Writer, r *repeats) *slog.Logger {
	return slog.New(r.handler(slog.NewTextHandler(out, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	})))
}

// expectSaid compares what was logged since the last time. Lines that were held
// back are written under the lock.
func expectSaid(t *testing.T, when string, r *repeats, out *bytes.Buffer, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := said(out); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s the log has\n%q, want\n%q", when, got, want)
	}
}

// While a broker was away several warnings came four times a second each. None is
// lost without a trace: what was said last is said, with how many were left out.
func TestRepeats_SayTheFirstAndTheLastWithACount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRepeats(5 * time.Second)
		log := newRepeatsLog(&out, r)
		fail := func(n int) { log.Warn("heartbeat failed", slog.Any("err", errors.New("port "+strconv.Itoa(n)))) }
		fail(0)
		log.With(slog.Int("task", 7)).Warn("restore: trying again")
		expectSaid(t, "at once", r, &out, `msg="heartbeat failed" err="port 0"`, `msg="restore: trying again" task=7`)
		for n := range 20 { // to the end of the fifth second
			<-time.After(249 * time.Millisecond)
			fail(n + 1)
		}
		expectSaid(t, "within five seconds", r, &out)
		<-time.After(20 * time.Millisecond)
		expectSaid(t, "after five seconds", r, &out, `msg="heartbeat failed" err="port 20" suppressed=19`)
		fail(21)
		expectSaid(t, "just after", r, &out)
		<-time.After(5 * time.Second)
		expectSaid(t, "when it is over", r, &out, `msg="heartbeat failed" err="port 21"`)
		<-time.After(5 * time.Second)
		expectSaid(t, "later", r, &out)
		r.mu.Lock()
		remembered := len(r.lines)
		r.mu.Unlock()
		if remembered != 0 {
			t.Errorf("%d lines are remembered after they have ended, want none", remembered)
		}
		fail(22)
		expectSaid(t, "in the next outage", r, &out, `msg="heartbeat failed" err="port 22"`)
		r.flush()
	})
}

func TestRepeats_OfAnotherKindPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRepeats(5 * time.Second)
		log := newRepeatsLog(&out, r)
		for range 2 {
			log.Info("assigned")
			log.Error("passed over", slog.Int("partition", 1))
			<-time.After(time.Millisecond)
			log.Error("passed over", slog.Int("partition", 2))
		}
		expectSaid(t, "at once", r, &out, "msg=assigned", `msg="passed over" partition=1`, `msg="passed over" partition=2`, "msg=assigned")
		r.flush()
		expectSaid(t, "at the end", r, &out, `msg="passed over" partition=1`, `msg="passed over" partition=2`)
	})
}

// What is held back when the process ends is said, and nothing comes after it.
func TestRepeats_AreSaidAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRepeats(5 * time.Second)
		log := newRepeatsLog(&out, r).WithGroup("g")
		for n := range 4 {
			log.Warn("fetch failed", slog.Int("n", n))
		}
		r.flush()
		expectSaid(t, "at the end", r, &out, `msg="fetch failed" g.n=0`, `msg="fetch failed" g.n=3 g.suppressed=2`)
		log.Warn("fetch failed", slog.Int("n", 4))
		expectSaid(t, "after it", r, &out, `msg="fetch failed" g.n=4`)
		<-time.After(time.Minute)
		expectSaid(t, "a minute later", r, &out)
	})
}

// Memory is bounded, whatever the messages are.
func TestRepeats_RememberABoundedNumber(t *testing.T) {
	t.Parallel()
	r := newRepeats(time.Hour)
	for i := range 3 * maxRepeating {
		r.hold(slog.NewRecord(time.Time{}, slog.LevelWarn, strconv.Itoa(i), 0), func(slog.Record) {})
	}
	if len(r.lines) != maxRepeating {
		t.Errorf("%d lines are remembered, want at most %d", len(r.lines), maxRepeating)
	}
	r.flush()
}

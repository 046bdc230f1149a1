//go:build integration

package integration_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"pulse-scorer/integration/kafkatest"
)

// kills is how many workers the kill test kills. make chaos wants 20; five are
// enough to see a broken engine in every run of the suite.
var kills = flag.Int("kills", 5, "how many workers TestChaos kills")

// timed makes it a failure when something takes longer than promised. make chaos and
// make retries ask for it; in the suite a slow machine must not fail what is right.
var timed = flag.Bool("timed", false, "TestChaos, TestCluster_Chaos, TestEnrichers, TestRetries and TestHealth fail when something takes longer than promised")

const (
	sigcont         = syscall.SIGCONT
	chaosPartitions = 8
	recordsPerKill  = 10_000
	// killCycle is about what one kill takes: detection, restart, the next one's moment.
	killCycle = 9 * time.Second
	// longLoad is the least length of the load, unless a few kills are over before.
	longLoad = 60 * time.Second
	// takeoverLimit is the promise: detection, which is the session's, and a second. The median must keep it. A single
	// takeover may take up to slowLimit, because the machine may have been busy with something else just then; without
	// fencing each of them takes 8 s and more.
	takeoverLimit = sessionTimeout + time.Second
	slowLimit     = takeoverLimit + 3*time.Second
)

// Workers as a user runs them, against a broker with its default transaction
// time-outs, are killed, stopped and drained under load. The parts run one after
// the other, because they measure time.
func TestChaos(t *testing.T) { //nolint:paralleltest // measures how long a takeover takes
	brokers := kafkatest.Brokers(t)
	program := buildWorker(t.Context(), t)
	for _, part := range []struct { //nolint:paralleltest // one after the other
		name string
		run  func(context.Context, *testing.T, *lab, string)
	}{
		{"killed workers are replaced within the session and a second", killWorkers},
		{"a worker stopped beyond its session writes nothing", stopWorker},
		{"a worker leaves and comes back", leaveAndComeBack},
	} {
		t.Run(part.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*kills)*30*time.Second+3*time.Minute)
			defer cancel()
			part.run(ctx, t, newLab(ctx, t, brokers, kafkatest.Name("chaos"), chaosPartitions), program)
		})
	}
}

// kill is one row of the report.
type kill struct {
	worker, evidence string
	tasks            int
	first, all       time.Duration // from the kill to committed work on the victim's partitions
}

// killWorkers kills one of two workers again and again, three times inside an open
// transaction, then once while it restores what it was given. The other one takes
// over; then a new process takes the dead one's place.
func killWorkers(ctx context.Context, t *testing.T, lab *lab, program string) {
	t.Helper()
	var workers [2]*worker
	var names [2]string // transactional IDs
	start := func(i, run int) {
		workers[i] = lab.startWorker(t, program, fmt.Sprintf("%c%d", 'A'+i, run))
	}
	start(0, 0)
	names[0] = lab.awaitJoined(ctx, t, 1).txnID
	start(1, 0)
	names[1] = lab.awaitJoined(ctx, t, 2, names[0]).txnID
	load := lab.startLoad(ctx, *kills*recordsPerKill, time.Duration(*kills+1)*killCycle)

	var report []kill
	victim := 0
	for n := range *kills {
		inRestore := n%4 == 3
		if !inRestore {
			victim = n % 2
		}
		other := 1 - victim
		if workers[victim] == nil {
			start(victim, n)
		}
		var m member
		var evidence string
		if inRestore {
			m, evidence = lab.freezeInRestore(ctx, t, workers[victim], names[other])
		} else {
			for i := range workers {
				if workers[i] == nil {
					start(i, n)
				}
				if names[i] == "" {
					names[i] = lab.awaitJoined(ctx, t, 2, names[1-i]).txnID
				}
			}
			m, evidence = lab.freezeInTransaction(ctx, t, workers[victim], names[victim], written)
		}
		k := lab.killAndMeasure(ctx, t, workers[victim], m)
		k.evidence = evidence
		report = append(report, k)
		t.Logf("kill %d of %d: worker %s, %d tasks, %s; work went on after %v, on all of them after %v",
			n+1, *kills, k.worker, k.tasks, k.evidence, k.first.Round(time.Millisecond), k.all.Round(time.Millisecond))
		if *timed && k.all > slowLimit {
			t.Errorf("kill %d: committed work on all of the victim's partitions after %v, want at most %v", n+1, k.all, slowLimit)
		}
		workers[victim], names[victim] = nil, ""
		load.last(time.Duration(*kills-n) * killCycle)
	}
	load.finish(t, min(longLoad, time.Duration(*kills)*killCycle))
	lab.awaitEnd(ctx, t)
	drainAll(ctx, t, workers[:])
	book := lab.account(ctx, t)
	median, text := reportOf(report)
	t.Logf("kills:\n%s\nledger:\n%s", text, book)
	if *timed && median > takeoverLimit {
		t.Errorf("the median takeover took %v, want at most %v", median, takeoverLimit)
	}
	book.expectBalanced(t)
	lab.expectAudit(ctx, t)
	if want := load.total; book.total().in != want || book.total().duplicate == 0 {
		t.Errorf("%d records in, %d of them duplicates, want %d in and some duplicates", book.total().in, book.total().duplicate, want)
	}
}

// drainAll ends the workers that run.
func drainAll(ctx context.Context, t *testing.T, workers []*worker) {
	t.Helper()
	for _, w := range workers {
		if w != nil {
			w.drain(ctx, t)
		}
	}
}

// freezeInRestore stops a new worker after it was given tasks and before it has
// restored all of them.
func (l *lab) freezeInRestore(ctx context.Context, t *testing.T, w *worker, other string) (member, string) {
	t.Helper()
	w.awaitGained(ctx, t)
	w.freeze(ctx, t)
	gained, restored, _ := w.restoring()
	var m member
	for _, found := range l.members(ctx, t) {
		if found.txnID != other {
			m = found
		}
	}
	if restored < gained && len(m.tasks) > 0 {
		state, _, _ := l.transactionState(ctx, t, m.txnID)
		return m, fmt.Sprintf("restore: %d of %d tasks restored, transaction %q", restored, gained, state)
	}
	// Too late, or the group has gone on: kill it in a transaction instead.
	w.signal(t, sigcont)
	m = l.awaitJoined(ctx, t, 2, other)
	return l.freezeInTransaction(ctx, t, w, m.txnID, written)
}

// killAndMeasure kills a stopped worker and waits for committed work of somebody
// else on every partition that was its own.
func (l *lab) killAndMeasure(ctx context.Context, t *testing.T, w *worker, m member) kill {
	t.Helper()
	before := l.committed(ctx, t)
	at := time.Now()
	w.kill(t)
	k := kill{worker: w.name, tasks: len(m.tasks)}
	left := slices.Clone(m.tasks)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(left) > 0 {
		now := l.committed(ctx, t)
		took := time.Since(at)
		left = slices.DeleteFunc(left, func(task int32) bool {
			// Taking a task commits its unchanged offset; work moves it.
			return now[task].owner != m.txnID && now[task].offset > max(before[task].offset, 0)
		})
		if len(left) < k.tasks && k.first == 0 {
			k.first = took
		}
		k.all = took
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("nobody works on partitions %v of the killed worker %s: %v, before %v", left, w.name, now, before)
		}
	}
	return k
}

func reportOf(report []kill) (median time.Duration, text string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "kill\tworker\ttasks\tfirst work\tall at work\tkilled in")
	var times []time.Duration
	for i, k := range report {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%d\t%.2f s\t%.2f s\t%s\n", i+1, k.worker, k.tasks, k.first.Seconds(), k.all.Seconds(), k.evidence)
		times = append(times, k.all)
	}
	_ = w.Flush()
	slices.Sort(times)
	median = times[len(times)/2]
	_, _ = fmt.Fprintf(&b, "kill to work on all partitions: p50 %.2f s, max %.2f s, limit %.0f s\n",
		median.Seconds(), times[len(times)-1].Seconds(), takeoverLimit.Seconds())
	return median, b.String()
}

// stopWorker stops a worker until the group has expelled it and somebody else works
// on its tasks: once inside a transaction that it has written to, once in one that
// is only open, which holds nobody back. Continued, the worker must not bring that
// transaction to an end: nothing visible, no offset moved.
func stopWorker(ctx context.Context, t *testing.T, lab *lab, program string) {
	t.Helper()
	a := lab.startWorker(t, program, "A")
	nameA := lab.awaitJoined(ctx, t, 1).txnID
	b := lab.startWorker(t, program, "B")
	nameB := lab.awaitJoined(ctx, t, 2, nameA).txnID
	load := lab.startLoad(ctx, 40_000, time.Minute)
	for _, at := range []depth{written, opened} {
		nameA = lab.stopAndContinue(ctx, t, a, nameA, nameB, at)
	}
	load.finish(t, 0)
	lab.awaitEnd(ctx, t)
	a.drain(ctx, t)
	b.drain(ctx, t)
	book := lab.account(ctx, t)
	t.Logf("ledger:\n%s", book)
	book.expectBalanced(t)
	lab.expectAudit(ctx, t)
}

// stopAndContinue returns the transactional ID that the stopped worker came back
// with.
func (l *lab) stopAndContinue(ctx context.Context, t *testing.T, w *worker, name, other string, at depth) string {
	t.Helper()
	m, evidence := l.freezeInTransaction(ctx, t, w, name, at)
	stopped := time.Now()
	before := l.committed(ctx, t)
	l.awaitMembers(ctx, t, "without the stopped worker", func(ms []member) bool {
		return len(ms) == 1 && ms[0].txnID == other && len(ms[0].tasks) == l.partitions
	})
	l.awaitWork(ctx, t, m, before)
	took := time.Since(stopped)
	t.Logf("stopped with %s; the group is without the worker, the other one at work after %v", evidence, took.Round(time.Millisecond))
	if *timed && took > slowLimit {
		t.Errorf("the other worker was at work after %v, want at most %v", took, slowLimit)
	}
	last := l.committed(ctx, t)
	w.signal(t, sigcont)
	var again member
	l.awaitMembers(ctx, t, "of two again", func(ms []member) bool {
		last = l.expectForward(ctx, t, last, name)
		for _, one := range ms {
			if one.txnID != other {
				again = one
			}
		}
		return len(ms) == 2 && len(again.tasks) > 0
	})
	if again.txnID == name || again.id == m.id {
		t.Errorf("the worker came back as %+v, want a new member with a new transactional ID; it was %+v", again, m)
	}
	l.awaitWork(ctx, t, member{txnID: other, tasks: again.tasks}, last)
	if state, _, _ := l.transactionState(ctx, t, name); state == ongoing || state == "CompleteCommit" {
		t.Errorf("the old transaction is %s, want it aborted", state)
	}
	return again.txnID
}

// awaitWork waits for committed work of somebody else than m on its tasks.
func (l *lab) awaitWork(ctx context.Context, t *testing.T, m member, before map[int32]offset) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		now := l.committed(ctx, t)
		if !slices.ContainsFunc(m.tasks, func(task int32) bool {
			return now[task].owner == m.txnID || now[task].offset <= before[task].offset
		}) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("nobody else works on %v: %v", m.tasks, now)
		}
	}
}

// expectForward fails the test when an offset has gone back, or was committed by a
// worker that must not commit any more.
func (l *lab) expectForward(ctx context.Context, t *testing.T, last map[int32]offset, fenced string) map[int32]offset {
	t.Helper()
	now := l.committed(ctx, t)
	for _, task := range slices.Sorted(maps.Keys(now)) {
		if now[task].offset < last[task].offset || now[task].owner == fenced {
			t.Fatalf("task %d: offset %v after %v, and %s must not commit", task, now[task], last[task], fenced)
		}
	}
	return now
}

// leaveAndComeBack drains each of two workers in turn under load and starts it
// again.
func leaveAndComeBack(ctx context.Context, t *testing.T, lab *lab, program string) {
	t.Helper()
	const rounds = 4
	workers := []*worker{lab.startWorker(t, program, "A"), lab.startWorker(t, program, "B")}
	lab.awaitJoined(ctx, t, 2)
	load := lab.startLoad(ctx, 40_000, 20*time.Second)
	for n := range rounds {
		lab.awaitProgress(ctx, t)
		took := workers[n%2].drain(ctx, t)
		lab.awaitJoined(ctx, t, 1)
		lab.awaitProgress(ctx, t)
		workers[n%2] = lab.startWorker(t, program, fmt.Sprintf("%c%d", 'A'+n%2, n+1))
		lab.awaitJoined(ctx, t, 2)
		t.Logf("worker %c drained in %v, exit 0, and came back", 'A'+n%2, took.Round(time.Millisecond))
	}
	load.finish(t, 0)
	lab.awaitEnd(ctx, t)
	for _, w := range workers {
		w.drain(ctx, t)
	}
	book := lab.account(ctx, t)
	t.Logf("ledger:\n%s", book)
	book.expectBalanced(t)
	lab.expectAudit(ctx, t)
}

// awaitProgress waits until every partition's committed offset has moved.
func (l *lab) awaitProgress(ctx context.Context, t *testing.T) {
	t.Helper()
	var all member
	for p := range int32(l.partitions) {
		all.tasks = append(all.tasks, p)
	}
	l.awaitWork(ctx, t, all, l.committed(ctx, t))
}

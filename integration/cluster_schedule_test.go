//go:build integration

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// kind is what happens to the cluster or to a worker.
type kind string

const (
	killWorker kind = "worker killed"
	zombie     kind = "worker stopped beyond its session"
	cutLink    kind = "link cut"
	join       kind = "worker joins"
	leave      kind = "worker leaves"
	killBroker kind = "broker killed"
	moveLeader kind = "leaders moved"
)

// shares say how many of a hundred faults are of a kind.
var shares = []struct {
	kind  kind
	share int
}{{killWorker, 30}, {zombie, 15}, {killBroker, 20}, {cutLink, 14}, {moveLeader, 11}, {join, 5}, {leave, 5}}

// ofBrokers tells whether a fault belongs to the brokers' lane. The two lanes run
// side by side, so what happens to a worker also happens while a broker is away.
func (k kind) ofBrokers() bool { return k == killBroker || k == moveLeader }

// mishap is one fault of the schedule. draw decides about all that the kind leaves
// open: who, how, for how long.
type mishap struct {
	kind kind
	draw *rand.Rand
}

// schedule is what is going to happen, in two lanes.
type schedule struct{ workers, brokers []mishap }

// newSchedule draws up n faults, each kind by its share and at least once. The same
// seed gives the same schedule. When each thing happens still depends on how long
// the one before it took.
func newSchedule(seed uint64, n int) schedule {
	draw := rand.New(rand.NewPCG(seed, 0))
	var kinds []kind
	for _, s := range shares {
		kinds = append(kinds, slices.Repeat([]kind{s.kind}, max(1, n*s.share/100))...)
	}
	for len(kinds) < n {
		kinds = append(kinds, killWorker)
	}
	draw.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	var s schedule
	for _, k := range kinds {
		m := mishap{kind: k, draw: rand.New(rand.NewPCG(seed, draw.Uint64()))}
		if k.ofBrokers() {
			s.brokers = append(s.brokers, m)
		} else {
			s.workers = append(s.workers, m)
		}
	}
	return s
}

// span draws a length of time.
func (m mishap) span(least, most time.Duration) time.Duration {
	return least + time.Duration(m.draw.Int64N(int64(most-least)+1))
}

// one draws one of several.
func one[T any](m mishap, of []T) T { return of[m.draw.IntN(len(of))] }

// happened is one fault with its proof and what it cost.
type happened struct {
	kind kind
	// what was done to whom, and the proof that it was.
	at   time.Time
	what string
	// recovered is how long after the fault every partition had committed something
	// that came after the fault.
	recovered time.Duration
}

// verdictTable has a row for each kind of fault.
func verdictTable(all []happened) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "fault\tcount\trecovery p50\tmax")
	row := func(name string, times []time.Duration) {
		if len(times) == 0 {
			_, _ = fmt.Fprintf(w, "%s\t0\t\t\n", name)
			return
		}
		slices.Sort(times)
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.2f s\t%.2f s\n", name, len(times), times[len(times)/2].Seconds(), times[len(times)-1].Seconds())
	}
	var every []time.Duration
	for _, s := range shares {
		var times []time.Duration
		for _, h := range all {
			if h.kind == s.kind {
				times = append(times, h.recovered)
			}
		}
		every = append(every, times...)
		row(string(s.kind), times)
	}
	row("all", every)
	_ = w.Flush()
	return b.String()
}

// A seed is worth nothing unless it gives the same schedule again, and a schedule
// that leaves a kind out proves less than it says.
func TestSchedule_IsReplayedBySeedAndHasEveryKind(t *testing.T) {
	t.Parallel()
	spell := func(s schedule) string {
		var b strings.Builder
		for _, lane := range [][]mishap{s.workers, s.brokers} {
			for _, m := range lane {
				_, _ = fmt.Fprintf(&b, "%s %d;", m.kind, m.draw.Uint64())
			}
		}
		return b.String()
	}
	if a, b := spell(newSchedule(7, 100)), spell(newSchedule(7, 100)); a != b {
		t.Errorf("seed 7 gave two schedules:\n%s\n%s", a, b)
	}
	if spell(newSchedule(7, 100)) == spell(newSchedule(8, 100)) {
		t.Error("seeds 7 and 8 gave the same schedule")
	}
	for _, n := range []int{9, 100} {
		s := newSchedule(1, n)
		count := make(map[kind]int)
		for _, m := range slices.Concat(s.workers, s.brokers) {
			count[m.kind]++
		}
		for _, share := range shares {
			if want := max(1, n*share.share/100); count[share.kind] < want {
				t.Errorf("%d faults: %d of %q, want at least %d", n, count[share.kind], share.kind, want)
			}
		}
	}
}

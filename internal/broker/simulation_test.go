package broker_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulse-scorer/internal/broker/simtest"
)

var (
	simulationSeed    = flag.Uint64("seed", 0, "replay one seed of the simulation and print its schedule")
	simulationSeeds   = flag.Uint64("seeds", 50, "how many seeds to simulate")
	simulationFrom    = flag.Uint64("from", 1, "the first seed to simulate")
	simulationSignals = flag.Int("signals", 400, "how many signals each seed has")
)

// Every fault at every step of a worker's life, one at a time: nothing is lost,
// doubled or out of order, and what was to happen has happened.
func TestSimulation_StepFaultMatrix(t *testing.T) {
	t.Parallel()
	if *simulationSeed != 0 {
		t.Skip("one seed is replayed")
	}
	cells := simtest.Matrix()
	var sum tally
	sum.simulate(t, len(cells), func(i int) (string, simtest.Plan) {
		return cells[i].Events[0].String(), cells[i]
	})
	t.Logf("%d cells: %v", len(cells), &sum)
}

// Random schedules with several faults each, which overlap. -seed replays one.
func TestSimulation_Seeds(t *testing.T) {
	t.Parallel()
	if *simulationSeed != 0 {
		simulateOne(t, "", simtest.Draw(*simulationSeed, *simulationSignals))
		return
	}
	var sum tally
	sum.simulate(t, int(*simulationSeeds), func(i int) (string, simtest.Plan) {
		seed := *simulationFrom + uint64(i)
		return fmt.Sprintf("seed %d", seed), simtest.Draw(seed, *simulationSignals)
	})
	t.Logf("%d seeds: %v", *simulationSeeds, &sum)
}

// tally sums what many runs have shown.
type tally struct {
	mu   sync.Mutex // guards the rest
	done int
	all  simtest.Report
}

// progressEvery is how many runs lie between two lines of progress.
const progressEvery = 100

// simulate runs n plans, as many at once as there are processors and not more,
// until one is red.
func (s *tally) simulate(t *testing.T, n int, plan func(i int) (string, simtest.Plan)) {
	t.Helper()
	began := time.Now()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !t.Failed(); i = int(next.Add(1)) - 1 {
				name, p := plan(i)
				t.Run(name, func(t *testing.T) {
					r := simulateOne(t, name, p)
					s.add(t, r, n, began)
				})
			}
		})
	}
	workers.Wait()
}

func (s *tally) add(t *testing.T, r simtest.Report, of int, began time.Time) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	s.all.Add(r)
	if s.done%progressEvery == 0 {
		t.Logf("%d of %d in %v, %v", s.done, of, time.Since(began).Round(time.Second), &s.all)
	}
}

// String is the summary.
func (s *tally) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// simulateOne runs a plan and tells what was wrong.
func simulateOne(t *testing.T, name string, p simtest.Plan) simtest.Report {
	t.Helper()
	r := simtest.Run(t, p)
	for _, wrong := range r.Wrong {
		t.Error(wrong)
	}
	replaying := name == ""
	if t.Failed() || replaying {
		t.Logf("%s%s%v", r.Schedule, r.Proof, &r)
	}
	if t.Failed() {
		t.Logf("journal:\n%s", r.Journal)
		t.Logf("to replay: go test ./internal/broker -run Simulation_Seeds -seed %d -signals %d -v", p.Seed, p.Signals)
	}
	return r
}

// What the simulation has found, with its story. Each stays as it was found.
func TestSimulation_KeepsWhatItFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		plan simtest.Plan
	}{
		// The answer to an EndTxn was lost after the broker had committed. The
		// heartbeat that asks whether we are still a member was answered with
		// UNKNOWN_MEMBER_ID, the next ones were not. The committer took the
		// transaction for rolled back, because an expelled member's tasks are
		// restored by whoever has them next; but the member had not heard of it and
		// kept its tasks, computed the batch again, and it was committed twice.
		// Such tasks are taken anew now.
		{
			"EndTxn in doubt, and the committer alone hears that it is no member",
			simtest.Cell(simtest.Event{Step: simtest.SettleHeartbeat, Kind: simtest.Refuse, Code: unknownMember, Nth: 1, Round: 2}, 1),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			simulateOne(t, c.name, c.plan)
		})
	}
}

const unknownMember = 25

// The judge must see every kind of fault itself.
func TestSimulation_JudgeSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		harm simtest.Harm
		want string
	}{
		{"a result twice", simtest.DoubleResult, "has 2 results"},
		{"an input lost", simtest.LoseInput, "has 0 results and 0 dead letters, want 1 and 0"},
		{"a dead letter of other bytes", simtest.ChangeLetter, "has other bytes"},
		{"an offset that goes back", simtest.MoveOffsetBack, "the committed offset went back"},
		{"a state record too many", simtest.WriteState, "ledger of partition"},
		{"a fault that does not happen", simtest.NoFault, "the fault has not happened"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := simtest.Cell(simtest.Event{Step: simtest.EndTxn, Kind: simtest.LoseAnswer, Nth: 1, Round: 2}, 7)
			p.Harm = c.harm
			r := simtest.Run(t, p)
			if said := strings.Join(r.Wrong, "\n"); !strings.Contains(said, c.want) {
				t.Errorf("the judge does not say %q; it says:\n%s", c.want, said)
			}
		})
	}
}

// What is left to a real Kafka must be held there.
func TestSimulation_RealCellsHaveTheirTests(t *testing.T) {
	t.Parallel()
	tests := sourcesOf(t, "../../integration/*_test.go")
	cases := sourcesOf(t, "brokertest/suite.go")
	for _, c := range simtest.RealCells() {
		if !strings.Contains(tests, "func "+c.Test+"(") {
			t.Errorf("%s: there is no %s in integration", c.Cells, c.Test)
		}
		if c.Case != "" && !strings.Contains(cases, `"`+c.Case+`"`) {
			t.Errorf("%s: the suite has no case %s", c.Cells, c.Case)
		}
	}
}

func sourcesOf(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

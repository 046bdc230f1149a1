package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/series"
)

// tallied is a machine as large as a detector may be, and quick: its sum tells
// steps and their order.
type tallied struct {
	sum, steps uint64
	room       [4000]byte
}

func (m *tallied) add(step uint64) {
	m.sum = 31*m.sum + step
	m.steps++
	m.room[m.steps%4000] = byte(step)
}

func (m *tallied) CopyFrom(other *tallied) { *m = *other }
func (m *tallied) Size() int               { return int(unsafe.Sizeof(*m)) }

func (m *tallied) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint64(dst, m.sum)
	dst = binary.LittleEndian.AppendUint64(dst, m.steps)
	return append(dst, m.room[:]...), nil
}

func (m *tallied) UnmarshalBinary(b []byte) error {
	if len(b) != 16+len(m.room) {
		return errors.New("not its length")
	}
	m.sum, m.steps = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	copy(m.room[:], b[16:])
	return nil
}

type tallies = machines[tallied, uint64, *tallied]

func newTallies() *tallies {
	x := newMachines(stepping[*tallied, uint64]{
		whole: kindSeries, steps: kindSteps, apply: (*tallied).add,
		append: func(dst []byte, _, step *uint64) []byte { return binary.LittleEndian.AppendUint64(dst, *step) },
		read:   func(r *reader, _ *uint64) uint64 { return r.uint64() },
	})
	return &x
}

// writes is what a batch of machines writes.
func writes(x *tallies, w *writer) (changes []change) {
	w.emit = func(key, value []byte) { changes = append(changes, change{slices.Clone(key), slices.Clone(value)}) }
	x.write(w)
	return changes
}

func step(x *tallies, batch uint64, name string, step uint64) {
	x.take(batch, "s", name, step).add(step)
}

// restoreTallies reads a changelog.
func restoreTallies(t *testing.T, x *tallies, log []change) {
	t.Helper()
	all := make(restoredMachines[tallied, uint64])
	for _, c := range log {
		k, v := &reader{rest: c.key[2:]}, &reader{rest: c.value[1:]}
		restore := x.restoreWhole
		if c.key[0] == kindSteps {
			restore = x.restoreSteps
		}
		if err := restore(all, k, v, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.restored(all); err != nil {
		t.Fatal(err)
	}
}

// What batches cost in the changelog: a series that gets one step with each pays
// for a machine of 4 KB once in 32 batches; none ever pays more than for wholes;
// and whoever restores has few steps to take.
func TestSeal_WritesStepsInsteadOfMachines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perBatch int
		limit    float64 // bytes a step
	}{{1, 170}, {4, 50}, {16, 26}, {80, 21}, {256, 13}, {300, 14}, {2000, 3}} {
		x, w, log := newTallies(), &writer{}, []change(nil)
		last := map[string]change{}
		bytesWritten, behind, wholeBytes := 0, 0, 0
		const batches = 400
		for batch := range uint64(batches) {
			for i := range test.perBatch {
				step(x, batch, "n", uint64(i))
			}
			for _, c := range writes(x, w) {
				bytesWritten += recordOverhead + len(c.key) + len(c.value)
				log = append(log, c)
				last[string(c.key)] = c
				if c.key[0] == kindSeries {
					wholeBytes = recordOverhead + len(c.key) + len(c.value)
				}
			}
			x.forget(x.log.n, batch+1)
			x.committed()
			if batch%7 == 0 {
				again := newTallies()
				restoreTallies(t, again, log)
				r := again.find("s", "n")
				if r.behind != nil {
					behind = max(behind, len(*r.behind))
				}
				if got, want := *again.view("s", "n"), *x.view("s", "n"); got != want || r.total != want.steps {
					t.Fatalf("%d steps a batch, batch %d: restored %d steps of %d", test.perBatch, batch, r.total, want.steps)
				}
			}
		}
		got := float64(bytesWritten) / float64(batches*test.perBatch)
		t.Logf("%d steps a batch: %.0f bytes a step, as wholes %.0f", test.perBatch, got, float64(wholeBytes)/float64(test.perBatch))
		if got > test.limit {
			t.Errorf("%d steps a batch: %.1f bytes a step, want at most %.0f", test.perBatch, got, test.limit)
		}
		if behind > maxBehind || len(last) > 1+maxSlots {
			t.Errorf("%d steps a batch: %d steps left to take, %d records after compaction", test.perBatch, behind, len(last))
		}
	}
}

// Steps belong to the machine that was committed before them, not to one that was
// rolled back.
func TestRollback_TheNextStepsBelongToACommittedMachine(t *testing.T) {
	t.Parallel()
	x, w := newTallies(), &writer{}
	step(x, 1, "n", 1)
	log := writes(x, w)
	x.forget(x.log.n, 2)
	x.committed()
	for i := range uint64(maxBehind + 1) {
		step(x, 2, "n", i)
	}
	if lost := writes(x, w); len(lost) != 1 || lost[0].key[0] != kindSeries {
		t.Fatalf("the batch wrote %d records, not a machine", len(lost))
	}
	step(x, 3, "n", 5) // of the batch after it
	x.unwrite()
	x.undo(0, maxBehind+1, 3)
	step(x, 4, "n", 7)
	log = append(log, writes(x, w)...)
	if log[len(log)-1].key[0] != kindSteps {
		t.Fatal("the next batch wrote a machine")
	}
	again := newTallies()
	restoreTallies(t, again, log)
	if got, want := again.view("s", "n"), x.view("s", "n"); *got != *want || got.steps != 2 {
		t.Errorf("restored %d steps, %d are there", got.steps, want.steps)
	}
}

// Whatever is taken back, when and how far: the machine is what its steps make of
// it.
func TestMachines_UndoIsExact(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 9))
		x := newTallies()
		var steps [5][]uint64 // by series, as of now
		start, batch := 0, uint64(1)
		var startSteps [5][]uint64
		check := func(what string) {
			t.Helper()
			for i, list := range steps {
				m := x.view("s", fmt.Sprint(i))
				if (m == nil) != (len(list) == 0) {
					t.Fatalf("seed %d, %s: series %d is there: %v", seed, what, i, m != nil)
				}
				var want tallied
				for _, s := range list {
					want.add(s)
				}
				if m != nil && *m != want {
					t.Fatalf("seed %d, %s: series %d is not what its %d steps make", seed, what, i, len(list))
				}
			}
		}
		for range 200 {
			mark, before := x.log.n, steps
			for range r.IntN(6) {
				i, s := r.IntN(5), r.Uint64()
				step(x, batch, fmt.Sprint(i), s)
				steps[i] = append(slices.Clip(steps[i]), s)
			}
			switch r.IntN(6) {
			case 0, 1:
				x.undo(mark, start, batch)
				steps = before
				check("undo")
			case 2: // all of the open batch
				x.undo(start, start, batch)
				steps = startSteps
				check("undo of the batch")
			case 3:
				x.forget(start, batch) // commit
				start = x.log.n        // and seal
				startSteps = steps
				batch++
			}
		}
		x.undo(0, start, batch)
		if x.copies.n > 0 {
			t.Fatalf("seed %d: copies are left", seed)
		}
	}
}

// A batch in the steady state takes its copies from those that batches before it
// gave back.
func TestMachines_TheSteadyStateAllocatesNothing(t *testing.T) {
	x, w := newTallies(), &writer{emit: nothing}
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	batch, sealed := uint64(1), 0
	work := func() { // two batches are outstanding, always
		for _, name := range names {
			step(x, batch, name, 1)
		}
		x.forget(sealed, batch)
		x.committed()
		x.write(w)
		sealed = x.log.n
		batch++
	}
	for range 100 {
		work()
	}
	if n := testing.AllocsPerRun(100, work); n > 0 {
		t.Errorf("%v allocations a batch, want 0", n)
	}
	if len(x.spares) > 2*len(names) {
		t.Errorf("%d spares for %d machines", len(x.spares), len(names))
	}
	names = names[:1]
	for range 100 {
		work()
	}
	if len(x.spares) > 20 {
		t.Errorf("%d spares are kept where one is needed", len(x.spares))
	}
}

// What the package says of the memory of a task: 5 KB a series at most, 4 KB of
// them the detector's.
func TestStats_BytesOfASeries(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.WindowSize = 0
	task := newTask(t, s)
	const n = 500
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 400 * n {
		name := fmt.Sprintf("series-%03d", i%n)
		task.Advance("source", name, r.NormFloat64(), int64(i/n)*60e6)
		if i%1000 == 999 {
			task.Seal(int64(i), nothing)
			task.Commit()
		}
	}
	task.Seal(1e6, nothing)
	task.Commit()
	for range 200 { // spares go
		task.Advance("source", "series-000", 1, 1)
		task.Seal(1e6, nothing)
		task.Commit()
	}
	before := newTask(t, s).Stats().Bytes
	if got := (task.Stats().Bytes - before) / n; got > 5<<10 {
		t.Errorf("%d bytes a series, want at most 5 KB", got)
	} else {
		t.Logf("%d bytes a series", got)
	}
}

// An exchange of the profile reads what it can use, leaves the rest where it is,
// and costs nothing when it is taken back.
func TestRestore_ProfilesOfTheOtherKindRest(t *testing.T) {
	t.Parallel()
	windows, machines := testSettings(), testSettings()
	machines.WindowSize = 0
	task := newTask(t, windows)
	for i := range 60 {
		task.Observe("s", "n", float64(i))
		task.Observe("s", "m", float64(i))
	}
	log := sealed(task, 1)

	other := newTask(t, machines)
	if err := restoreAll(other, log...); err != nil {
		t.Fatal(err)
	}
	if s := other.Stats(); s.Resting != 2 || s.Series != 0 || other.Series("s", "n") != nil {
		t.Errorf("the other profile begins with %+v", s)
	}
	var f series.Features
	for i := range 40 {
		s, _ := other.Advance("s", "n", float64(i), int64(i))
		s.Features(&series.Source{}, &f)
		other.Scored("s", "n", 0.5, 0.4)
		if err := other.Teach(&f, learn.Prediction{}, 0.5); err != nil {
			t.Fatal(err)
		}
		other.SetSource("s", series.Source{})
		log = append(log, sealed(other, int64(i))...)
	}

	back := newTask(t, windows)
	if err := restoreAll(back, log...); err != nil {
		t.Fatal(err)
	}
	if s := back.Stats(); s.Resting != 1 || s.Series != 2 || !slices.Equal(back.Window("s", "n"), task.Window("s", "n")) {
		t.Errorf("the first profile goes on with %+v, window %v", s, back.Window("s", "n"))
	}
	back.Observe("s", "n", 61)
	log = append(log, sealed(back, 100)...)

	again := newTask(t, machines)
	if err := restoreAll(again, log...); err != nil {
		t.Fatal(err)
	}
	if !sameSeries(t, again.Series("s", "n"), other.Series("s", "n")) || !slices.Equal(bytesOf(t, again.Model()), bytesOf(t, other.Model())) {
		t.Error("the second profile does not go on where it was")
	}
}

// A changelog that lacks a part of a series is refused, with what it lacks.
func TestRestore_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.WindowSize = 0
	task := newTask(t, s)
	var young, grown, old []change
	last := map[string]change{} // as a compacted topic has it
	for i := range maxSlots + 4 {
		task.Advance("s", "n", float64(i), int64(i))
		for _, c := range sealed(task, int64(i)) {
			last[string(c.key)] = c
		}
		switch i {
		case 3:
			young = slices.Collect(maps.Values(last))
		case maxSlots: // with the first whole, and nothing after it
			grown = slices.Collect(maps.Values(last))
		}
	}
	old = slices.Collect(maps.Values(last))
	whole := func(c change) bool { return c.key[0] == kindSeries }
	steps := func(slot byte) func(change) bool {
		return func(c change) bool { return c.key[0] == kindSteps && c.key[len(c.key)-1] == slot }
	}
	if slices.ContainsFunc(young, whole) {
		t.Fatal("a series of four steps was written whole")
	}
	for _, test := range []struct {
		log  []change
		lost func(change) bool
		says string
	}{
		{young, steps(0), "steps of a machine that is missing"},
		{young, steps(1), "steps 1 to 1 are missing"},
		{grown, whole, "steps of a machine that is missing"},
		{old, whole, "steps of a machine that is missing"},
		{old, steps(0), "steps 33 to 33 are missing"},
	} {
		if !slices.ContainsFunc(test.log, test.lost) {
			t.Fatalf("there is nothing to lose for %q", test.says)
		}
		err := restoreAll(newTask(t, s), slices.DeleteFunc(slices.Clone(test.log), test.lost)...)
		if err == nil || !contains(err.Error(), test.says, "source \"s\"", "name \"n\"") {
			t.Errorf("%v, want it to say %q", err, test.says)
		}
	}
	bad := slices.Clone(old)
	at := slices.IndexFunc(bad, whole)
	bad[at].value = append(slices.Clone(bad[at].value), 1)
	if err := restoreAll(newTask(t, s), bad...); err == nil {
		t.Error("a series with a byte too many was taken")
	}
}

// A series that was seen a few times is in the changelog as what it has seen; who
// restores it goes on with it, and who has the other profile knows that there is one.
func TestSeal_ANewSeriesIsItsSteps(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.WindowSize = 0
	task := newTask(t, s)
	var log []change
	for i := range 10 {
		task.Advance("s", "n", float64(i), int64(i))
		log = append(log, sealed(task, int64(i))...)
		again := newTask(t, s)
		if err := restoreAll(again, log...); err != nil {
			t.Fatal(err)
		}
		if !sameSeries(t, again.Series("s", "n"), task.Series("s", "n")) {
			t.Fatalf("after %d steps the restored series is another one", i+1)
		}
		task = again // what the changelog has of it is restored, too
	}
	if slices.ContainsFunc(log, func(c change) bool { return c.key[0] == kindSeries }) {
		t.Error("the series was written whole")
	}
	windows := newTask(t, testSettings())
	if err := restoreAll(windows, log...); err != nil || windows.Resting() != 1 {
		t.Errorf("%d series rest (%v), want 1", windows.Resting(), err)
	}
}

func contains(s string, all ...string) bool {
	for _, part := range all {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

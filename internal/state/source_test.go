package state

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pulse-scorer/internal/series"
)

// naiveSources are the sources of a task as a list, the one used last at its end.
type naiveSources struct {
	order []string
	of    map[string]series.Source
}

func (n *naiveSources) clone() naiveSources {
	return naiveSources{slices.Clone(n.order), maps.Clone(n.of)}
}

func (n *naiveSources) set(name string, s series.Source, most int) {
	n.order = append(slices.DeleteFunc(n.order, func(other string) bool { return other == name }), name)
	n.of[name] = s
	for len(n.order) > most {
		delete(n.of, n.order[0])
		n.order = n.order[1:]
	}
}

func requireSources(t *testing.T, when string, task *Task, want *naiveSources) {
	t.Helper()
	x := &task.sources
	var order, back []string
	for r := x.oldest; r != nil; r = r.newer {
		order = append(order, r.name)
	}
	for r := x.newest; r != nil; r = r.older {
		back = append(back, r.name)
	}
	slices.Reverse(back)
	if !slices.Equal(order, want.order) || !slices.Equal(back, want.order) || len(x.byName) != len(want.order) {
		t.Fatalf("%s: %v, backwards %v, %d in all; want %v", when, order, back, len(x.byName), want.order)
	}
	for name, s := range want.of {
		if got, known := task.Source(name); !known || got != s {
			t.Fatalf("%s: source %s is %+v, %v; want %+v", when, name, got, known, s)
		}
	}
}

// Whatever is undone, rolled back and restored, warm or from the compacted or the
// whole changelog: a task knows the sources used last, and forgets the next ones in
// the same order.
func TestSources_BehaveLikeANaiveList(t *testing.T) {
	t.Parallel()
	const most = 5
	s := testSettings()
	s.WindowSize = 0
	fresh := func() *Task {
		task := newTask(t, s)
		task.sources.most = most
		return task
	}
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 8))
		task, standby := fresh(), fresh()
		open := naiveSources{of: map[string]series.Source{}}
		sealedAs, committed := open.clone(), open.clone()
		var log, batch []change
		late, outstanding := 0, false
		use := func() {
			name := strconv.Itoa(rng.IntN(9))
			value, _ := task.Source(name)
			value.Count(rng.IntN(2) == 0)
			task.SetSource(name, value)
			open.set(name, value, most)
		}
		for range 400 {
			when := fmt.Sprintf("seed %d", seed)
			switch rng.IntN(12) {
			case 0:
				mark, before := task.Mark(), open.clone()
				for range 1 + rng.IntN(8) {
					use()
				}
				task.Undo(mark)
				open = before
				requireSources(t, when+" undone", task, &open)
			case 1:
				if !outstanding {
					batch = nil
					task.Seal(1, func(key, value []byte) { batch = append(batch, change{slices.Clone(key), slices.Clone(value)}) })
					sealedAs, outstanding = open.clone(), true
				}
			case 2:
				if outstanding {
					task.Commit()
					committed, outstanding = sealedAs.clone(), false
					log = append(log, batch...)
				}
			case 3:
				if rng.IntN(3) == 0 {
					task.Rollback()
					open, outstanding = committed.clone(), false
					requireSources(t, when+" rolled back", task, &open)
				}
			case 4:
				again := fresh()
				requireRestored(t, when+" warm", standby, log[late:], &committed)
				requireRestored(t, when+" restored", again, compactedAt(log, rng), &committed)
				if late = len(log); rng.IntN(2) == 0 { // it goes on with the one that was restored
					task, open, outstanding = again, committed.clone(), false
				}
			default:
				use()
			}
		}
	}
}

func requireRestored(t *testing.T, when string, task *Task, log []change, want *naiveSources) {
	t.Helper()
	if err := restoreAll(task, log...); err != nil {
		t.Fatal(err)
	}
	requireSources(t, when, task, want)
}

// compactedAt is a changelog of which the first part is compacted.
func compactedAt(log []change, rng *rand.Rand) []change {
	n := rng.IntN(len(log) + 1)
	last := map[string]int{}
	for i, c := range log[:n] {
		last[string(c.key)] = i
	}
	var left []change
	for i, c := range log[:n] {
		if last[string(c.key)] == i {
			left = append(left, c)
		}
	}
	return append(left, log[n:]...)
}

// What format 1 wrote of sources is read, in any order: which of them was used last
// is not known then.
func TestRestore_SourcesOfFormatOne(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.WindowSize = 0
	task := newTask(t, s)
	names := []string{"c", "a", "b"}
	for _, name := range names {
		task.SetSource(name, series.Source{})
	}
	log := sealed(task, 1)
	for i, c := range log {
		if c.key[0] == kindSource {
			log[i].value = append([]byte{1}, c.value[2:]...) // without the use, which is one byte
		}
	}
	again := newTask(t, s)
	again.sources.most = 3
	if err := restoreAll(again, log...); err != nil {
		t.Fatal(err)
	}
	again.SetSource("d", series.Source{})
	requireSources(t, "of format 1", again, &naiveSources{[]string{"b", "c", "d"}, map[string]series.Source{"b": {}, "c": {}, "d": {}}})
}

// Numbers that a task cannot come to mean something else in the log.
func TestSources_RefuseANumberOfUsesThatCannotBe(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.WindowSize = 0
	for used, ok := range map[uint64]bool{1: true, maxNumber - 1: true, maxNumber: false, forgotten: false, neverUsed: false} {
		value := binary.AppendUvarint([]byte{2}, used)
		value, err := new(series.Source).AppendBinary(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := newTask(t, s).Restore([]byte("u/a"), value); (err == nil) != ok {
			t.Errorf("a source used %d times: %v", used, err)
		}
	}
}

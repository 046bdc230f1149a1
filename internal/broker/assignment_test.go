package broker

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestAssignTasks_Properties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		tasks := int32(rng.IntN(20))
		members := randomCandidates(rng, tasks)
		got := assignTasks(members, tasks)
		owners := map[int32]string{}
		for id, ts := range got {
			if !slices.IsSorted(ts) {
				t.Fatalf("seed %d: %s has unsorted tasks %v", seed, id, ts)
			}
			for _, task := range ts {
				if other, twice := owners[task]; twice {
					t.Fatalf("seed %d: task %d is given to %s and %s", seed, task, other, id)
				}
				owners[task] = id
			}
			low := int(tasks) / len(members)
			if len(ts) < low || len(ts) > low+1 {
				t.Fatalf("seed %d: %s has %d of %d tasks among %d members", seed, id, len(ts), tasks, len(members))
			}
		}
		if len(owners) != int(tasks) {
			t.Fatalf("seed %d: %d of %d tasks are assigned", seed, len(owners), tasks)
		}
		rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		if again := assignTasks(members, tasks); !reflect.DeepEqual(got, again) {
			t.Fatalf("seed %d: the order of members changes the assignment:\n%v\n%v", seed, got, again)
		}
	}
}

// Whoever refuses a task has it only when everybody does; nobody has more than that
// costs.
func TestAssignTasks_RefusedTasksGoToOthers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		tasks := int32(rng.IntN(20))
		members := randomCandidates(rng, tasks)
		for i := range members {
			for task := range tasks {
				if rng.IntN(5) == 0 {
					members[i].refused = append(members[i].refused, task)
				}
			}
		}
		got, assigned := assignTasks(members, tasks), 0
		for _, m := range members {
			assigned += len(got[m.id])
			for _, task := range got[m.id] {
				wanted := slices.ContainsFunc(members, func(o candidate) bool { return !slices.Contains(o.refused, task) })
				if slices.Contains(m.refused, task) && wanted {
					t.Fatalf("seed %d: %s has task %d, which it refuses and another one does not: %v", seed, m.id, task, got)
				}
			}
		}
		if assigned != int(tasks) {
			t.Fatalf("seed %d: %d of %d tasks are assigned", seed, assigned, tasks)
		}
	}
}

func randomCandidates(rng *rand.Rand, tasks int32) []candidate {
	members := make([]candidate, 1+rng.IntN(6))
	for i := range members {
		members[i] = candidate{id: fmt.Sprintf("m%d", i), generation: int32(rng.IntN(3))}
		for task := range tasks + 2 {
			if rng.IntN(3) == 0 {
				members[i].owned = append(members[i].owned, task)
			}
		}
	}
	return members
}

func TestAssignTasks_MovesOnlyWhatBalanceDemands(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		members []candidate
		want    map[string][]int32
	}{
		"nothing moves when balanced": {
			[]candidate{{"a", []int32{0, 3, 5}, 4, nil}, {"b", []int32{1, 2, 4}, 4, nil}},
			map[string][]int32{"a": {0, 3, 5}, "b": {1, 2, 4}},
		},
		"a joining member gets its share only": {
			[]candidate{{"a", []int32{0, 1, 2}, 4, nil}, {"b", []int32{3, 4, 5}, 4, nil}, {"c", nil, 0, nil}},
			map[string][]int32{"a": {0, 1}, "b": {3, 4}, "c": {2, 5}},
		},
		"a leaving member's tasks are divided, the rest stay": {
			[]candidate{{"a", []int32{0, 1}, 4, nil}, {"b", []int32{3, 4}, 4, nil}},
			map[string][]int32{"a": {0, 1, 2}, "b": {3, 4, 5}},
		},
		"the newer claim wins": {
			[]candidate{{"a", []int32{0, 1, 2}, 3, nil}, {"b", []int32{2, 3, 4}, 4, nil}},
			map[string][]int32{"a": {0, 1, 5}, "b": {2, 3, 4}},
		},
		"a stalled task is exchanged": {
			[]candidate{{"a", []int32{0, 2}, 4, []int32{1}}, {"b", []int32{3, 4, 5}, 4, nil}},
			map[string][]int32{"a": {0, 2, 5}, "b": {1, 3, 4}},
		},
		"a stalled task that nobody wants stays": {
			[]candidate{{"a", []int32{0, 2}, 4, []int32{1}}, {"b", []int32{3, 4, 5}, 4, []int32{1}}},
			map[string][]int32{"a": {0, 1, 2}, "b": {3, 4, 5}},
		},
		"who is alone keeps what has stalled": {
			[]candidate{{"a", []int32{1, 2, 3, 4, 5}, 4, []int32{0}}},
			map[string][]int32{"a": {0, 1, 2, 3, 4, 5}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := assignTasks(c.members, 6); !reflect.DeepEqual(got, c.want) {
				t.Errorf("assignTasks(%v) = %v, want %v", c.members, got, c.want)
			}
		})
	}
}

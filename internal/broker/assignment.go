package broker

import (
	"cmp"
	"slices"
)

// candidate is one member of the group as the leader sees it when it assigns.
type candidate struct {
	// id is the member ID.
	id string
	// owned are the tasks of the member's last assignment, and generation
	// the generation it had them in.
	owned      []int32
	generation int32
	// refused are tasks that have stalled at the member, sorted.
	refused []int32
}

// assignTasks divides tasks 0..tasks-1 among the members: every task goes to
// exactly one member, nobody has more than one task more than anybody else,
// and a task moves only when balance demands it. A task that two members claim
// goes to the claim of the higher generation (the other has not heard yet). A task
// that a member refuses goes to one that does not, if there is one, in exchange for
// another task where that is possible; else somebody has one more.
//
// The result depends on the arguments only, not on their order
// (TestAssignTasks_Properties).
func assignTasks(members []candidate, tasks int32) map[string][]int32 {
	out := make(map[string][]int32, len(members))
	if len(members) == 0 {
		return out
	}
	ordered := slices.Clone(members)
	slices.SortFunc(ordered, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
	kept, free := claims(ordered, tasks)
	// The extra tasks of an uneven division stay with those who have most.
	slices.SortStableFunc(ordered, func(a, b candidate) int {
		return cmp.Compare(len(kept[b.id]), len(kept[a.id]))
	})
	quota := make(map[string]int, len(ordered))
	for i, m := range ordered {
		quota[m.id] = int(tasks) / len(ordered)
		if i < int(tasks)%len(ordered) {
			quota[m.id]++
		}
		own := kept[m.id]
		if len(own) > quota[m.id] {
			free = append(free, own[quota[m.id]:]...)
			own = own[:quota[m.id]]
		}
		out[m.id] = own
	}
	slices.Sort(free)
	for _, m := range ordered {
		take := min(quota[m.id]-len(out[m.id]), len(free))
		out[m.id] = append(out[m.id], free[:take]...)
		free = free[take:]
		slices.Sort(out[m.id])
	}
	for _, m := range ordered {
		for _, t := range m.refused {
			passOn(ordered, out, m, t)
		}
	}
	return out
}

// passOn moves a task away from a member that refuses it.
func passOn(members []candidate, out map[string][]int32, from candidate, task int32) {
	at, held := slices.BinarySearch(out[from.id], task)
	if !held {
		return
	}
	var to *candidate
	for i := range members {
		m := &members[i]
		if !slices.Contains(m.refused, task) && (to == nil || len(out[m.id]) < len(out[to.id])) {
			to = m
		}
	}
	if to == nil {
		return // nobody else wants it
	}
	rest := slices.Delete(slices.Clone(out[from.id]), at, at+1)
	theirs := slices.Clone(out[to.id])
	if len(theirs) > len(rest) {
		for i, other := range slices.Backward(theirs) {
			if !slices.Contains(from.refused, other) {
				rest = append(rest, other)
				theirs = slices.Delete(theirs, i, i+1)
				break
			}
		}
	}
	theirs = append(theirs, task)
	slices.Sort(rest)
	slices.Sort(theirs)
	out[from.id], out[to.id] = rest, theirs
}

// claims resolves who keeps what: each member's valid tasks in order, and the
// tasks nobody claims. members are sorted by ID.
func claims(members []candidate, tasks int32) (kept map[string][]int32, free []int32) {
	owner := make([]int, tasks)
	for t := range owner {
		owner[t] = -1
	}
	for i, m := range members {
		for _, t := range m.owned {
			if t < 0 || t >= tasks {
				continue
			}
			if o := owner[t]; o < 0 || members[o].generation < m.generation {
				owner[t] = i
			}
		}
	}
	kept = make(map[string][]int32, len(members))
	for t, o := range owner {
		if o < 0 {
			free = append(free, int32(t))
			continue
		}
		kept[members[o].id] = append(kept[members[o].id], int32(t))
	}
	return kept, free
}

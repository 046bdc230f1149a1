package broker

import (
	"slices"
	"strings"
	"testing"
)

func TestGeneration_HoldsWhatWasNeverAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		before map[int32]int32
		in     int32 // the generation that before was in
		now    generation
		want   map[int32]int32
	}{
		{"first assignment", nil, -1, generation{id: 4, tasks: []int32{0, 1}}, map[int32]int32{0: 4, 1: 4}},
		{"kept and gained", map[int32]int32{0: 4}, 6, generation{id: 7, tasks: []int32{0, 1}}, map[int32]int32{0: 4, 1: 7}},
		{"lost", map[int32]int32{0: 4, 1: 4}, 6, generation{id: 7, tasks: []int32{1}}, map[int32]int32{1: 4}},
		// A static member that joins again takes no new generation.
		{"same generation again", map[int32]int32{0: 4}, 6, generation{id: 6, tasks: []int32{0}}, map[int32]int32{0: 4}},
		// Of generation 7 only the answer to JoinGroup came: who had the task?
		{"a generation was missed", map[int32]int32{0: 4}, 6, generation{id: 8, tasks: []int32{0}}, map[int32]int32{0: 8}},
		// A group that was made anew counts from the start.
		{"the group began anew", map[int32]int32{0: 4}, 6, generation{id: 1, tasks: []int32{0}}, map[int32]int32{0: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := c.now
			g.succeed(c.before, c.in)
			if len(g.since) != len(c.want) {
				t.Errorf("held since %v, want %v", g.since, c.want)
			}
			for task, since := range c.want {
				if !g.holds(task, since) || g.holds(task, since-1) {
					t.Errorf("task %d is held since %d, want %d", task, g.since[task], since)
				}
			}
			if g.holds(9, 0) {
				t.Error("holds a task that is not assigned")
			}
		})
	}
}

// A transaction waits for its turn while its task goes to somebody else and
// comes back. It was computed over a state that is no longer the newest: to
// commit it under the new generation, which the broker would allow, would double
// what the other one has committed.
func TestTransaction_IsVoidWhenItsTaskWasAway(t *testing.T) {
	t.Parallel()
	tx := &transaction{parts: []*part{{task: 0, since: 4}, {task: 1, since: 4}, {task: 2, since: 4}}}
	back := &generation{id: 7, tasks: []int32{0, 1}, since: map[int32]int32{0: 4, 1: 7}}
	if holdsAll(back, tx.parts[:2]) || !holdsAll(back, tx.parts[:1]) || holdsAll(nil, tx.parts[:1]) {
		t.Error("a task that was away counts as held, or one that was not does not")
	}
	tx.disown(back)
	for i, want := range []verdict{undecided, rolledBack, rolledBack} {
		if got := tx.parts[i].verdict; got != want {
			t.Errorf("task %d: %v, want %v", i, got, want)
		}
	}
	tx.disown(nil)
	if len(tx.undecided()) != 0 {
		t.Error("a member that was expelled still has transactions to commit")
	}
}

func TestMissing_IsWhoHasGone(t *testing.T) {
	t.Parallel()
	if got := missing([]string{"a", "b", "c"}, []string{"c", "d", "a"}); !slices.Equal(got, []string{"b"}) {
		t.Errorf("missing %v, want [b]", got)
	}
	if got := missing(nil, []string{"a"}); got != nil {
		t.Errorf("missing %v of nobody", got)
	}
}

// Other clients keep what they like in the metadata of a group's offsets.
func TestCommitters_AreOurTransactionalIDsOnly(t *testing.T) {
	t.Parallel()
	got := committers(map[int32]groupOffsets{0: {{5, ""}}, 1: {{6, "g-12ab"}}, 2: {{7, "AgAAAX=="}}, 3: {{8, "other-g-1"}}}, "g")
	if !slices.Equal(got, []string{"g-12ab"}) {
		t.Errorf("%v, want [g-12ab]", got)
	}
}

func TestMemberMetadata_RefusesStrangers(t *testing.T) {
	t.Parallel()
	want := memberMetadata{Version: metadataVersion, TxnID: "g-1", Generation: 3, Tasks: []int32{1, 2}}
	got, err := decodeMemberMetadata(encodeMetadata(want))
	if err != nil || got.TxnID != want.TxnID || got.Generation != want.Generation || !slices.Equal(got.Tasks, want.Tasks) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "{}", `{"v":1}`, `{"txn":"x"}`, "\x00\x01", `{"v":1,"txn":7}`} {
		if _, err := decodeMemberMetadata([]byte(bad)); err == nil || !strings.Contains(err.Error(), "member metadata") {
			t.Errorf("metadata %q: %v, want an error that names it", bad, err)
		}
	}
}

func TestOwnerRecord_RefusesOtherVersions(t *testing.T) {
	t.Parallel()
	want := ownerRecord{Owner: "g-1", Sequence: 7, Next: map[string]int64{"in": 9}}
	got, err := decodeOwner(want.encode())
	if err != nil || got.Owner != want.Owner || got.Sequence != want.Sequence || got.Next["in"] != 9 {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "{}", `{"v":2,"owner":"x"}`, "not JSON"} {
		if _, err := decodeOwner([]byte(bad)); err == nil {
			t.Errorf("owner record %q is accepted", bad)
		}
	}
}

package broker

import (
	"testing"
	"time"
)

// While the coordinator is away one transaction stays open for long, and every
// other task with results waits behind it. That once counted as their own stall:
// they were given up, and /livez failed for good.
func TestStall_WaitingBehindAnothersTransactionIsNone(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	e := &Engine{set: Settings{MaxInflightBytes: 8 << 20}, health: &health{lastAnswer: now}, txn: &transaction{}}
	waits := &task{phase: phaseRunning, open: openBatch{next: offsets{5}, records: 5}, movedAt: now}
	if e.couldGoOn(waits, now) {
		t.Error("a task whose results wait for another's transaction could go on")
	}
	e.txn = nil
	if !e.couldGoOn(waits, now) {
		t.Error("a task with results and no transaction before it cannot go on")
	}
}

// A worker hung in its record path while its batch before was with the committer.
// The task was given up and came back to the same member, which had never lost it
// and so would have let that batch commit, however late: even after the takeover
// had read the offset it goes on from. Nothing of a task that is given up may be on
// its way: its transaction ends first, and then its time runs.
func TestStall_ABatchOnItsWayEndsBeforeItsTaskIsGivenUp(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	e := &Engine{set: Settings{MaxInflightBytes: 8 << 20}, health: &health{lastAnswer: now}}
	hung := &task{id: 3, phase: phaseRunning, working: true, open: openBatch{next: offsets{9}, records: 4}, movedAt: now}
	p := &part{task: 3, worker: hung}
	sent := &transaction{parts: []*part{p}, sealing: map[int32]*part{}}
	sealing := &transaction{parts: []*part{p}, sealing: map[int32]*part{3: p}}
	for name, c := range map[string]struct {
		txn  *transaction
		want bool
	}{
		"its batch is with the committer":             {sent, false},
		"it hangs while its batch is closed":          {sealing, true},
		"another's transaction is with the committer": {&transaction{}, true},
		"no transaction is under way":                 {nil, true},
	} {
		e.txn = c.txn
		if got := e.couldGoOn(hung, now); got != c.want {
			t.Errorf("%s: its time runs: %v, want %v", name, got, c.want)
		}
	}
}

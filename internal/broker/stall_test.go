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
	waits := &task{phase: phaseRunning, open: openBatch{next: 5, records: 5}, movedAt: now}
	if e.couldGoOn(waits, now) {
		t.Error("a task whose results wait for another's transaction could go on")
	}
	e.txn = nil
	if !e.couldGoOn(waits, now) {
		t.Error("a task with results and no transaction before it cannot go on")
	}
}

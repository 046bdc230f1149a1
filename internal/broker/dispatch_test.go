package broker

import (
	"testing"
	"time"
)

// A worker with a single task and a long backlog once stopped making
// transactions: each time its worker had computed something it was given more
// before the loop looked whether a commit was due, and past the worker's limit
// each order took one record and inflated the fetched batch from its beginning.
func TestDispatch_ATaskWithEnoughComputedWaitsForItsCommit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	const interval, inflight = 100 * time.Millisecond, 8 << 20
	for _, c := range []struct {
		name    string
		open    openBatch
		txn     *transaction
		markers time.Time
		want    bool
	}{
		{"nothing computed", openBatch{}, nil, time.Time{}, false},
		{"a little, just now", openBatch{next: offsets{9}, records: 9, bytes: 99, since: now}, nil, time.Time{}, false},
		{"for the commit interval", openBatch{next: offsets{9}, records: 9, bytes: 99, since: now.Add(-interval)}, nil, time.Time{}, true},
		{"duplicates only, for the commit interval", openBatch{next: offsets{9}, records: 9, since: now.Add(-interval)}, nil, time.Time{}, true},
		{"for the commit interval, but a commit is under way", openBatch{next: offsets{9}, records: 9, since: now.Add(-interval)}, &transaction{}, time.Time{}, false},
		{
			"for the commit interval, but the last one's markers are being written",
			openBatch{next: offsets{9}, records: 9, bytes: 99, since: now.Add(-interval)},
			nil, now.Add(1), false,
		},
		{"markers only", openBatch{next: offsets{9}, since: now.Add(-interval)}, nil, time.Time{}, false},
		{"as much as a worker computes", openBatch{next: offsets{9}, records: 9, bytes: inflight / 8, since: now}, nil, time.Time{}, true},
		{"as much, but a commit is under way", openBatch{next: offsets{9}, records: 9, bytes: inflight / 8, since: now}, &transaction{}, time.Time{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := &Engine{set: Settings{CommitInterval: interval, MaxInflightBytes: inflight}, txn: c.txn, markers: markers{written: c.markers}}
			if got := e.mustSeal(&task{phase: phaseRunning, open: c.open}, now); got != c.want {
				t.Errorf("waits for its commit: %v, want %v", got, c.want)
			}
		})
	}
}

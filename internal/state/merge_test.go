package state

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Small batches would leave a segment each. What merging them costs is bounded:
// an ID is written when its segment is closed and by two merges, whatever the
// batches are like; besides, the newest segment is rewritten until it is
// closed.
func TestSeal_MergesWriteAnIDTwiceMoreAtMost(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 1_000_000
	for _, test := range []struct {
		name  string
		batch func(*rand.Rand) int
	}{
		{"one by one", func(*rand.Rand) int { return 1 }},
		{"tens", func(*rand.Rand) int { return 10 }},
		{"just closed", func(*rand.Rand) int { return production().closeAt }},
		{"hundreds", func(*rand.Rand) int { return 300 }},
		{"mixed", func(rng *rand.Rand) int { return 1 + rng.IntN(1<<rng.IntN(11)) }},
		{"now and then a large one", func(rng *rand.Rand) int {
			if rng.IntN(100) == 0 {
				return 20_000
			}
			return 20
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(5, 5))
			task := newTask(t, s)
			const total = 60_000
			closedBytes, largest, ids := 0, 0, 0
			keys := map[string]bool{}
			for ids < total {
				n := test.batch(rng)
				rememberMany(task, uint32(ids), uint32(ids+n))
				ids += n
				for _, c := range sealed(task, int64(1000+ids/100)) {
					switch {
					case c.key[0] != kindSegment:
					case c.value == nil:
						delete(keys, string(c.key))
					default:
						keys[string(c.key)] = true
						largest = max(largest, len(c.value))
						if binary.BigEndian.Uint64(c.key[2:]) < task.committed.segments.closedEnd {
							closedBytes += len(c.value)
						}
					}
				}
			}
			if perID := float64(closedBytes) / float64(ids); perID > 3*(entryBytes+1.3) {
				t.Errorf("%.1f bytes an ID in closed segments, want 3 times %d and a little", perID, entryBytes)
			}
			if largest > 300<<10 {
				t.Errorf("a value of %d bytes", largest)
			}
			// 4,096 or more in each but for the newest, and for small ones that a large one cut off.
			if limit := 2*(ids/4096) + 40; len(keys) > limit || len(keys) != len(task.ids.closed)+min(1, task.committed.segments.filled) {
				t.Errorf("%d segments (%d closed) for %d IDs, want at most %d", len(keys), len(task.ids.closed), ids, limit)
			}
		})
	}
}

// IDs that wait for a merge are held twice: no more of them than one segment
// takes.
func TestSeal_HoldsFewIDsForMerging(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 1_000_000
	task := newTask(t, s)
	for i := range uint32(5000) {
		rememberMany(task, 20*i, 20*i+20)
		sealed(task, int64(i)*1000)
		if got := len(task.ids.tail); got > task.segmentSize() {
			t.Fatalf("after %d IDs %d are held for merging", 20*i, got)
		}
	}
}

// The same ID with other content is a conflict as long as the ID is known:
// after its segment was merged, in a restored task, and not after its eviction.
func TestLook_TellsConflictsAfterMergeRestoreAndEviction(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 20_000
	task := newTask(t, s)
	last := map[string]change{}
	const total = 18_000
	for i := range uint32(total / 20) {
		rememberMany(task, 20*i, 20*i+20)
		for _, c := range sealed(task, int64(1000+i)) {
			last[string(c.key)] = c
		}
	}
	merged := 0
	for _, s := range task.ids.closed {
		if s.first < s.last {
			merged++
		}
	}
	if merged < 10 {
		t.Fatalf("%d merged segments: the test does not test them", merged)
	}
	again := newTask(t, s)
	if err := restoreAll(again, slices.Collect(maps.Values(last))...); err != nil {
		t.Fatal(err)
	}
	for name, task := range map[string]*Task{"before": task, "restored": again} {
		for i := range uint32(total) {
			identity := binary.BigEndian.AppendUint32(nil, i)
			if _, v := task.Look(identity, nil); v != Duplicate {
				t.Fatalf("%s: ID %d is %v, want a duplicate", name, i, v)
			}
			if _, v := task.Look(identity, []byte("other")); v != Conflict {
				t.Fatalf("%s: ID %d with other content is %v, want a conflict", name, i, v)
			}
		}
		rememberMany(task, total, total+20_000)
		sealed(task, 1_000_000)
		rememberMany(task, total+20_000, total+20_001)
		sealed(task, 1_000_001)
		if _, v := task.Look(binary.BigEndian.AppendUint32(nil, 0), []byte("other")); v != Unseen {
			t.Errorf("%s: evicted ID is %v, want unseen", name, v)
		}
	}
}

// Taking evicted IDs out of the table is spread over the commits: each pays
// for what it brought. Meanwhile they are unknown, and no more of them are
// still in the table than two evictions' worth.
func TestCommit_SpreadsRemovalOverBatches(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 32_000
	task := newTask(t, s)
	const batch = 100
	partly := 0
	for i := range uint32(2000) {
		rememberMany(task, batch*i, batch*i+batch)
		task.Seal(int64(i), nothing)
		if i%7 == 3 {
			task.Rollback()
			rememberMany(task, batch*i, batch*i+batch)
			task.Seal(int64(i), nothing)
		}
		before := task.ids.sweepLeft
		floor := task.committed.segments.floor
		task.Commit()
		if task.committed.segments.floor != floor {
			before = shards
		}
		if did := before - task.ids.sweepLeft; did > minSweep+batch*shards*bulk*sweepRounds/s.DedupeMaxIDs {
			t.Fatalf("a commit of %d IDs swept %d shards", batch, did)
		}
		if task.ids.sweepLeft > 0 {
			partly++
		}
		known := task.Stats().IDs
		if stale := task.ids.table.n - known; stale < 0 || stale > 2*s.DedupeMaxIDs/bulk+batch {
			t.Fatalf("%d IDs in the table, %d known", task.ids.table.n, known)
		}
	}
	if partly < 100 {
		t.Errorf("only %d commits left shards for later", partly)
	}
	got := task.Stats()
	if got.IDs+int(got.Evictions.ByCount) != 200_000 {
		t.Errorf("%d IDs known and %d evicted, want 200,000 together", got.IDs, got.Evictions.ByCount)
	}
}

// A dead letter that comes again moves its ID to a later segment; the earlier
// entry is not an ID any more, in no count.
func TestStats_CountsAnIDOnceWhereverItMoves(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.DedupeMaxIDs = 3200
	task := newTask(t, s)
	var log []change
	remember := func(i uint32, st Status) {
		id, _ := task.Look(binary.BigEndian.AppendUint32(nil, i), nil)
		task.Remember(id, st)
	}
	for i := range uint32(300) {
		for k := range uint32(10) {
			remember(10*i+k, Dead)
			remember(10*(i/2)+k, Scored)
		}
		log = append(log, sealed(task, int64(1000+i))...)
	}
	if got := task.Stats(); got.IDs != 3000 || got.Evictions.ByCount != 0 {
		t.Errorf("%+v, want 3000 IDs", got)
	}
	again := newTask(t, s)
	if err := restoreAll(again, log...); err != nil {
		t.Fatal(err)
	}
	for name, task := range map[string]*Task{"before": task, "restored": again} {
		for i := range uint32(100) {
			rememberMany(task, 3000+10*i, 3010+10*i)
			sealed(task, int64(2000+i))
		}
		got := task.Stats()
		if got.IDs+int(got.Evictions.ByCount) != 4000 || got.Evictions.ByCount == 0 || got.IDs > s.DedupeMaxIDs {
			t.Errorf("%s: %+v, want 4000 IDs known or evicted", name, got)
		}
	}
}

// Tombstones of what was merged only save room: a merged segment says which
// numbers it covers.
func TestRestore_NeedsNoSegmentThatAMergedOneCovers(t *testing.T) {
	t.Parallel()
	task := newTask(t, Settings{DedupeWindow: time.Hour, DedupeMaxIDs: 100_000, WindowSize: 1, MemorySize: 1})
	var log []change
	for i := range uint32(40) {
		rememberMany(task, 20*i, 20*i+20)
		log = append(log, sealed(task, int64(1000+i))...)
	}
	// Without any tombstone, as if the merged segments were still to be cleaned.
	log = slices.DeleteFunc(log, func(c change) bool { return c.value == nil })
	again := newTask(t, task.settings)
	if err := restoreAll(again, log...); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Stats().IDs, 800; got != want || len(again.ids.closed) != len(task.ids.closed) {
		t.Errorf("%d IDs in %d segments, want %d in %d", got, len(again.ids.closed), want, len(task.ids.closed))
	}
}

package broker

import (
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
)

// A poll was under way when a transaction failed and its task went back to what
// is committed. Its answer begins behind the records that are to be computed
// again: to take it would skip them, and commit offsets past them.
func TestFetch_AnswersFromBeforeARewindAreVoid(t *testing.T) {
	t.Parallel()
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	var b batch.Builder
	b.Append(0, nil, []byte("record"), nil)
	set := b.Seal(nil)
	for _, rewound := range []bool{false, true} {
		e := newIdleEngine(t)
		e.fetchers = map[int32]*fetcher{1: {leader: 1, busy: true}}
		w := e.newTask(3)
		w.phase, w.fetching = phaseRunning, true
		e.tasks[3] = w
		w.rewind()
		plan := fetchPlan{leader: 1, partitions: []plannedPartition{{task: w, source: &w.source, epoch: w.epoch, offset: 0}}}
		if rewound {
			w.rewind()
		}
		answer := fetchedPartition{partition: 3, end: 1, stable: 1, set: set}
		if err := e.onFetched(fetchResult{plan: plan, parts: []fetchedPartition{answer}, buf: mem.buffer(1)}); err != nil {
			t.Fatal(err)
		}
		if taken := len(w.queue) > 0; taken == rewound {
			t.Errorf("rewound since the poll began: %v; its answer was taken: %v", rewound, taken)
		}
		if w.fetching {
			t.Errorf("rewound %v: the task is not fetched any more", rewound)
		}
	}
}

func TestPollWait_IsShortWhileAPartitionHasEnough(t *testing.T) {
	t.Parallel()
	e, busy := sourcesLab(t, 1)
	other := e.newTask(4)
	other.phase = phaseRunning
	e.tasks[4] = other
	e.cluster = &cluster{leaders: map[topicPartition]int32{{e.set.Topics.Input, 3}: 1, {e.set.Topics.Input, 4}: 2}}
	for _, c := range []struct {
		name     string
		queued   int
		fetching bool
		leader   int32
		want     time.Duration
	}{
		{"nothing is left to do", 0, true, 1, fetchWait},
		{"it is in the poll with what it still has", 9, true, 1, fetchWait},
		{"it has enough, and is not in the poll", partitionBytes, false, 1, busyWait},
		{"the same, of another leader", partitionBytes, false, 2, fetchWait},
	} {
		busy.queued, busy.fetching = c.queued, c.fetching
		if got := e.pollWait(c.leader); got != c.want {
			t.Errorf("%s: waits %v, want %v", c.name, got, c.want)
		}
	}
}

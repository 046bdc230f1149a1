package state

import (
	"maps"
	"slices"
)

// await does to both what the record path does with a signal that fails and is
// tried again later, or that is parked behind another.
func (w *world) await(id ID, identity, content string) {
	w.observe()
	series := seriesKey{}
	switch k := w.key(); {
	case w.task.Behind(k.source, k.name):
		record := identity + string(make([]byte, w.rng.IntN(40)))
		if w.rng.IntN(20) == 0 {
			record += string(make([]byte, maxPart*w.rng.IntN(3)))
		}
		w.task.Park(k.source, k.name, []byte(record))
		w.open.parked[k] = append(slices.Clone(w.open.parked[k]), record)
		w.task.Await(id)
	case w.rng.IntN(2) == 0:
		series = k
		w.task.AwaitInFront(id, k.source, k.name)
	default:
		w.task.Await(id)
	}
	w.open.waiting[identity] = naiveWait{content, series}
	w.open.ledger["pending"]++
	tier := w.rng.IntN(len(w.open.notBefore))
	w.open.notBefore[tier] += w.rng.Int64N(2)
	w.task.SetNotBefore(tier+1, w.open.notBefore[tier])
}

// tryAgain ends a wait, and takes what was parked behind it out of its queue.
func (w *world) tryAgain(id ID, identity string) {
	before := w.open.waiting[identity]
	w.open.ledger["in"]-- // it was counted when it came first
	w.task.cur.ledger.In--
	if w.rng.IntN(3) == 0 {
		w.task.await(id, before.series) // once more
		return
	}
	status := []Status{Scored, Dead}[w.rng.IntN(2)]
	w.task.Remember(id, status)
	delete(w.open.waiting, identity)
	w.open.ids[identity] = naiveID{content: before.content, status: status, bornMs: -1}
	w.open.ledger["pending"]--
	w.task.CountScored()
	w.open.ledger["scored"]++
	for k := range w.open.parked {
		w.unpark(k)
	}
}

func (w *world) unpark(k seriesKey) {
	for range w.rng.IntN(3) {
		record, ok := w.task.NextParked(k.source, k.name, 0)
		list := w.open.parked[k]
		if want := len(list) > 0 && w.open.waits(k) == 0; ok != want || ok && string(record) != list[0] {
			w.t.Fatalf("NextParked(%v) = %d bytes, %v; want %v", k, len(record), ok, want)
		}
		if !ok {
			return
		}
		w.task.Unpark(k.source, k.name)
		if w.open.parked[k] = list[1:]; len(list) == 1 {
			delete(w.open.parked, k)
		}
	}
}

func (n naive) waits(k seriesKey) (in int) {
	for _, v := range n.waiting {
		if v.series == k {
			in++
		}
	}
	return in
}

func (w *world) compareQueues(when string, task *Task, want naive) {
	w.t.Helper()
	if task.Pending() != len(want.waiting) || task.Crowded() != (len(want.waiting) >= task.settings.DedupeMaxIDs) {
		w.t.Fatalf("%s: %d wait (crowded: %v), want %d", when, task.Pending(), task.Crowded(), len(want.waiting))
	}
	count, bytes := 0, 0
	for i := range w.series {
		k := worldSeries(i)
		waits, list := want.waits(k), want.parked[k]
		if task.Behind(k.source, k.name) != (waits+len(list) > 0) {
			w.t.Fatalf("%s: Behind(%v) = %v with %d waiting, %d parked", when, k, waits+len(list) == 0, waits, len(list))
		}
		for i, record := range list {
			if got, ok := task.NextParked(k.source, k.name, i); ok != (waits == 0) || ok && string(got) != record {
				w.t.Fatalf("%s: parked record %d of %v: %v", when, i, k, ok)
			}
			bytes += len(record)
		}
		count += len(list)
	}
	if task.Parked() != count || task.ParkedBytes() != bytes {
		w.t.Fatalf("%s: %d parked of %d bytes, want %d of %d", when, task.Parked(), task.ParkedBytes(), count, bytes)
	}
	if n := task.Ledger().Parked; n != uint64(count) {
		w.t.Fatalf("%s: the ledger has %d parked, want %d", when, n, count)
	}
	w.compareTimes(when, task, want)
}

func (w *world) compareTimes(when string, task *Task, want naive) {
	w.t.Helper()
	for i, ms := range want.notBefore {
		var got int64
		if list := task.NotBefore(); i < len(list) {
			got = list[i]
		}
		if got != ms {
			w.t.Fatalf("%s: tier %d was given %d last, want %d", when, i+1, got, ms)
		}
	}
	released := make(map[seriesKey]bool)
	task.Released(func(source, name string) { released[seriesKey{source, name}] = true })
	wantReleased := make(map[seriesKey]bool)
	for k := range want.parked {
		if want.waits(k) == 0 {
			wantReleased[k] = true
		}
	}
	if !maps.Equal(released, wantReleased) {
		w.t.Fatalf("%s: released %v, want %v", when, released, wantReleased)
	}
}

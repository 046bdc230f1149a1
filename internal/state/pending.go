package state

import (
	"encoding/binary"
	"slices"
	"strings"
)

// pending is what is known of an ID whose signal waits to be tried again. It is
// kept apart from the segments: it is never evicted, and few wait.
type pending struct {
	content uint32
	// series is empty when nobody has to wait behind it.
	series seriesKey
}

// queue is a series that others wait behind: how many of its signals wait in
// tiers, and the numbers of its parked records, from head up to tail.
type queue struct {
	waiting    int
	head, tail uint64
}

// Token names an ID outside of the state, for Waits.
func (id ID) Token() []byte {
	return binary.LittleEndian.AppendUint32(appendHash(nil, &id.hash), id.content)
}

// Waits finds the ID that a token names among those that wait.
func (t *Task) Waits(token []byte) (id ID, ok bool) {
	r := reader{rest: token}
	id = ID{hash: r.hash(), content: r.uint32()}
	if r.done() != nil {
		return ID{}, false
	}
	p, waits := t.pending.held[id.hash]
	return id, waits && p.content == id.content
}

// awaited is the verdict about an ID that waits.
func (t *Task) awaited(id ID) (v Verdict, waits bool) {
	if len(t.pending.held) == 0 {
		return Unseen, false
	}
	p, waits := t.pending.held[id.hash]
	if waits && p.content != id.content {
		return Conflict, true
	}
	return Waiting, waits
}

// Await says that an ID's signal was ingested and waits. It stays until Remember,
// whatever the dedupe window is.
func (t *Task) Await(id ID) { t.await(id, seriesKey{}) }

// AwaitInFront is Await for a signal that later ones of its series wait behind.
func (t *Task) AwaitInFront(id ID, source, name string) {
	t.await(id, t.keptKey(source, name))
}

func (t *Task) await(id ID, series seriesKey) {
	p := pending{content: id.content, series: series}
	if before, waits := t.pending.held[id.hash]; waits && before == p {
		return
	}
	t.endWait(id)
	t.pending.set(id.hash, p)
	t.wait(series, 1)
	t.cur.ledger.Pending++
}

// endWait takes an ID out of those that wait, if it is one.
func (t *Task) endWait(id ID) {
	if len(t.pending.held) == 0 {
		return
	}
	if p, waits := t.pending.held[id.hash]; waits {
		t.pending.remove(id.hash)
		t.wait(p.series, -1)
		t.cur.ledger.Pending--
	}
}

func (t *Task) wait(series seriesKey, by int) {
	if series == (seriesKey{}) {
		return
	}
	q := t.queues.held[series]
	q.waiting += by
	t.setQueue(series, q)
}

func (t *Task) setQueue(series seriesKey, q queue) {
	if q.waiting == 0 && q.head == q.tail {
		t.queues.remove(series)
		return
	}
	t.queues.set(series, q)
}

// keptKey is a key that shares no memory with the arguments.
func (t *Task) keptKey(source, name string) seriesKey {
	if w, ok := t.windows.byKey[seriesKey{source, name}]; ok {
		return w.key
	}
	return seriesKey{strings.Clone(source), strings.Clone(name)}
}

// Pending is how many IDs wait.
func (t *Task) Pending() int { return len(t.pending.held) }

// Crowded tells whether as many IDs wait as are remembered at most.
func (t *Task) Crowded() bool { return len(t.pending.held) >= t.settings.DedupeMaxIDs }

// Behind tells whether a signal of the series would have to wait behind one that
// waits in a tier or is parked.
func (t *Task) Behind(source, name string) bool {
	if len(t.queues.held) == 0 {
		return false
	}
	_, ok := t.queues.held[seriesKey{source, name}]
	return ok
}

// NotBefore are the times given last, by tier from 1. The slice must not be
// changed.
func (t *Task) NotBefore() []int64 { return t.cur.notBefore }

// SetNotBefore notes the time given last in a tier, from 1.
func (t *Task) SetNotBefore(tier int, ms int64) {
	list := slices.Clone(t.cur.notBefore)
	for len(list) < tier {
		list = append(list, 0)
	}
	list[tier-1] = ms
	t.cur.notBefore = list
}

// pending writes what is known of a waiting ID:
//
//	key:   "p/", 13 bytes hash
//	value: version, 4 bytes content, source and name of the series, both empty
//	       when nobody waits behind it
func (w *writer) pending(h hash, _, now pending, _, has bool) {
	w.begin(kindPending)
	w.key = appendHash(w.key, &h)
	if !has {
		w.emit(w.key, nil)
		return
	}
	w.value = binary.LittleEndian.AppendUint32(w.value, now.content)
	w.value = appendString(appendString(w.value, now.series.source), now.series.name)
	w.end()
}

// notBefore writes the times that are not what they were, each under "n/" and the
// tier.
func (w *writer) notBefore(before, now []int64) {
	for i, ms := range now {
		if i < len(before) && before[i] == ms {
			continue
		}
		w.begin(kindDue)
		w.key = append(w.key, byte(i+1))
		w.value = binary.AppendVarint(w.value, ms)
		w.end()
	}
}

func (t *Task) restorePending(k, v *reader, tombstone bool) error {
	h := k.hash()
	if err := k.done(); err != nil {
		return err
	}
	if tombstone {
		delete(t.pending.held, h)
		return nil
	}
	p := pending{content: v.uint32(), series: seriesKey{v.string(), v.string()}}
	if err := v.done(); err != nil {
		return err
	}
	t.pending.held[h] = p
	return nil
}

func (r *restoration) restoreDue(k, v *reader, tombstone bool) error {
	tier := int(k.byte())
	if k.err == nil && tier == 0 {
		k.fail("no tier has number 0")
	}
	if err := k.done(); err != nil {
		return err
	}
	for len(r.notBefore) < tier {
		r.notBefore = append(r.notBefore, 0)
	}
	r.notBefore[tier-1] = 0
	if tombstone {
		return nil
	}
	r.notBefore[tier-1] = v.varint()
	return v.done()
}

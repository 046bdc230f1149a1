package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// maxPart is how much of a parked record goes into one changelog record: those
// together can be larger than what a topic takes.
const maxPart = 256 << 10

// parkKey numbers the parked records of a series.
type parkKey struct {
	series seriesKey
	number uint64
}

// parkPart is a part of one, counted from 0.
type parkPart struct {
	parkKey

	part uint64
}

type parkedRecord struct{ bytes []byte }

// Park adds a record to the end of its series' queue. It keeps a copy.
func (t *Task) Park(source, name string, record []byte) {
	series := t.keptKey(source, name)
	q := t.queues.held[series]
	t.parked.set(parkKey{series, q.tail}, &parkedRecord{slices.Clone(record)})
	q.tail++
	t.setQueue(series, q)
	t.cur.parkedBytes += len(record)
	t.cur.ledger.Parked++
}

// NextParked is the i-th record of a series' queue, from 0, that nothing stands
// before: none while one of the series waits in a tier. It must not be changed,
// and stays valid after Unpark.
func (t *Task) NextParked(source, name string, i int) (record []byte, ok bool) {
	if len(t.queues.held) == 0 {
		return nil, false
	}
	series := seriesKey{source, name}
	q := t.queues.held[series]
	if q.waiting > 0 || q.head+uint64(i) >= q.tail {
		return nil, false
	}
	return t.parked.held[parkKey{series, q.head + uint64(i)}].bytes, true
}

// Unpark takes the first record out of a series' queue. Without one it panics.
func (t *Task) Unpark(source, name string) {
	series := t.keptKey(source, name)
	q := t.queues.held[series]
	key := parkKey{series, q.head}
	record, ok := t.parked.held[key]
	if !ok {
		panic("state: unpark from an empty queue")
	}
	t.parked.remove(key)
	t.cur.parkedBytes -= len(record.bytes)
	t.cur.ledger.Parked--
	q.head++
	t.setQueue(series, q)
}

// Parked is how many records are parked, ParkedBytes how large they are together.
func (t *Task) Parked() int { return len(t.parked.held) }

// ParkedBytes is the size of all parked records.
func (t *Task) ParkedBytes() int { return t.cur.parkedBytes }

// Released calls do for each series with parked records that nothing stands
// before, in no order: after a restart with a release not finished, or when a
// setting has changed meanwhile.
func (t *Task) Released(do func(source, name string)) {
	for k, q := range t.queues.held {
		if q.waiting == 0 {
			do(k.source, k.name)
		}
	}
}

// parked writes a parked record, in parts:
//
//	key:   "q/", source, name, number and part, 8 bytes big-endian each
//	value: version, number of parts, bytes
func (w *writer) parked(k parkKey, before, now *parkedRecord, had, has bool) {
	old, parts := 0, 0
	if had {
		old = partsOf(before.bytes)
	}
	if has {
		parts = partsOf(now.bytes)
	}
	for i := range max(old, parts) {
		w.seriesKey(kindParked, k.series)
		w.key = binary.BigEndian.AppendUint64(w.key, k.number)
		w.key = binary.BigEndian.AppendUint64(w.key, uint64(i))
		if i >= parts {
			w.emit(w.key, nil)
			continue
		}
		w.value = binary.AppendUvarint(w.value, uint64(parts))
		w.value = append(w.value, now.bytes[i*maxPart:min((i+1)*maxPart, len(now.bytes))]...)
		w.end()
	}
}

func partsOf(record []byte) int { return max(1, (len(record)+maxPart-1)/maxPart) }

// DecodeParked reads the beginning of a parked record out of a changelog record,
// for who looks at a task from outside. ok is false for records of other kinds
// and for later parts. A tombstone has no beginning. name is the same for what
// belongs to one place in one queue; of several with it the last one counts.
func DecodeParked(key, value []byte) (name string, begin []byte, ok bool, err error) {
	if len(key) < 2 || key[0] != kindParked || key[1] != '/' {
		return "", nil, false, nil
	}
	k, v := &reader{rest: key[2:]}, &reader{rest: value}
	place, err := k.parkPart()
	if err != nil || place.part > 0 {
		return "", nil, false, err
	}
	if value == nil {
		return string(key), nil, true, nil
	}
	kind, _ := kinds(kindParked)
	v.version(kind)
	v.uvarint()
	if v.err != nil {
		return "", nil, true, fmt.Errorf("parked record: %w", v.err)
	}
	return string(key), v.rest, true, nil
}

func (r *reader) parkPart() (p parkPart, err error) {
	p.series = seriesKey{r.string(), r.string()}
	p.number, p.part = r.bigEndianUint64(), r.bigEndianUint64()
	return p, r.done()
}

// partsOfParked is what the changelog has of the parked records.
func (t *Task) partsOfParked() map[parkPart][]byte {
	all := make(map[parkPart][]byte)
	w := &writer{}
	for k, record := range t.parked.held {
		w.emit = func(key, value []byte) {
			part, _ := (&reader{rest: key[2:]}).parkPart() // we have just written it
			all[part] = slices.Clone(value[1:])
		}
		w.parked(k, nil, record, false, true)
	}
	return all
}

func (r *restoration) restoreParked(k, v *reader, tombstone bool) error {
	part, err := k.parkPart()
	if err != nil {
		return err
	}
	if tombstone {
		delete(r.parked, part)
		return nil
	}
	r.parked[part] = slices.Clone(v.rest)
	return nil
}

// restoredQueues puts parked records together and counts what waits. Each queue
// must be without a gap, and as many IDs wait as the ledger says.
func (t *Task) restoredQueues() error {
	clear(t.parked.held)
	clear(t.queues.held)
	t.cur.parkedBytes = 0
	if err := t.joinParts(); err != nil {
		return err
	}
	for k := range t.parked.held {
		q, ok := t.queues.held[k.series]
		if !ok {
			q.head, q.tail = k.number, k.number+1
		}
		q.head, q.tail = min(q.head, k.number), max(q.tail, k.number+1)
		t.queues.held[k.series] = q
	}
	inQueues := uint64(0)
	for _, q := range t.queues.held {
		inQueues += q.tail - q.head
	}
	if inQueues != uint64(len(t.parked.held)) {
		return errors.New("parked records are missing")
	}
	for _, p := range t.pending.held {
		if p.series != (seriesKey{}) {
			q := t.queues.held[p.series]
			q.waiting++
			t.queues.held[p.series] = q
		}
	}
	if n, parked := uint64(len(t.pending.held)), uint64(len(t.parked.held)); n != t.cur.ledger.Pending || parked != t.cur.ledger.Parked {
		return fmt.Errorf("%d IDs wait and %d records are parked, and the ledger has counted %d and %d",
			n, parked, t.cur.ledger.Pending, t.cur.ledger.Parked)
	}
	return nil
}

// joinParts makes records of the parts.
func (t *Task) joinParts() error {
	found := make(map[parkKey]uint64)
	for part := range t.restoring.parked {
		found[part.parkKey]++
	}
	for k, n := range found {
		var whole []byte
		for i := range n {
			body, ok := t.restoring.parked[parkPart{k, i}]
			v := &reader{rest: body}
			if parts := v.uvarint(); !ok || v.err != nil || parts != n {
				return fmt.Errorf("parked record %d of source %.64q, name %.64q is not whole", k.number, k.series.source, k.series.name)
			}
			whole = append(whole, v.rest...)
		}
		t.parked.held[k] = &parkedRecord{whole}
		t.cur.parkedBytes += len(whole)
	}
	return nil
}

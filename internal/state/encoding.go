package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The kinds of keys. The byte after them is always '/'.
const (
	kindEngine   = 0
	kindHashKey  = 'k'
	kindBounds   = 'm'
	kindSegment  = 's'
	kindWindow   = 'w'
	kindDelta    = 'd'
	kindForecast = 'f'
	kindLedger   = 'l'
	kindPending  = 'p'
	kindParked   = 'q'
	kindDue      = 'n'
	kindSeries   = 'v'
	kindSteps    = 'o'
	kindSource   = 'u'
	kindModel    = 'y'
	kindLessons  = 'z'
)

// kinds says of each kind its name, the format version that this build writes
// and the oldest that it reads. The version starts every value. What an older
// release wrote is read as long as it is there (TestRestore_ReadsFormatOne) and
// goes as it is rewritten or expires.
//
// Segments of version 1 hold 128 bits of a hash and a status for each ID;
// windows of version 1 do not say how many values there were before. Ledgers of
// version 1 are of tasks where nothing waited, sources of version 1 of tasks that
// forgot none. Steps of version 1 follow a series that was written
// (TestRestore_ReadsStepsOfFormatOne).
func kinds(kind byte) (k kindFormat, ok bool) { //nolint:cyclop // a table
	switch kind {
	case kindHashKey:
		k = kindFormat{"hash key", 1, 1}
	case kindBounds:
		k = kindFormat{"bounds", 1, 1}
	case kindSegment:
		k = kindFormat{"segment", 2, 1}
	case kindWindow:
		k = kindFormat{"window", 2, 1}
	case kindDelta:
		k = kindFormat{"window delta", 1, 1}
	case kindForecast:
		k = kindFormat{"forecast", 1, 1}
	case kindLedger:
		k = kindFormat{"ledger", 2, 1}
	case kindPending:
		k = kindFormat{"pending ID", 1, 1}
	case kindParked:
		k = kindFormat{"parked", 1, 1}
	case kindDue:
		k = kindFormat{"not-before time", 1, 1}
	case kindSeries:
		k = kindFormat{"series", 1, 1}
	case kindSteps:
		k = kindFormat{"steps of a series", 2, 1}
	case kindSource:
		k = kindFormat{"source", 2, 1}
	case kindModel:
		k = kindFormat{"model", 1, 1}
	case kindLessons:
		k = kindFormat{"lessons of the model", 1, 1}
	}
	return k, k.name != ""
}

type kindFormat struct {
	name           string
	writes, oldest byte
}

// writer turns state into changelog records. Its buffers are used again for
// each record.
type writer struct {
	key, value []byte
	emit       func(key, value []byte)
}

func (w *writer) begin(kind byte) {
	w.key = append(w.key[:0], kind, '/')
	k, _ := kinds(kind)
	w.value = append(w.value[:0], k.writes)
}

func (w *writer) end() { w.emit(w.key, w.value) }

func (w *writer) hashKey(key [16]byte) {
	w.begin(kindHashKey)
	w.value = append(w.value, key[:]...)
	w.end()
}

// bounds writes which segments there are: a restored changelog must have them
// all.
func (w *writer) bounds(c *segmentCursor) {
	w.begin(kindBounds)
	w.value = binary.AppendVarint(w.value, c.clockMs)
	w.value = binary.AppendUvarint(w.value, c.floor)
	w.value = binary.AppendUvarint(w.value, c.closedEnd)
	w.value = binary.AppendVarint(w.value, c.forgottenMs)
	w.end()
}

func (w *writer) segmentKey(number uint64) {
	w.begin(kindSegment)
	w.key = binary.BigEndian.AppendUint64(w.key, number)
}

func (w *writer) noSegment(number uint64) {
	w.segmentKey(number)
	w.emit(w.key, nil)
}

func (w *writer) seriesKey(kind byte, k seriesKey) {
	w.begin(kind)
	w.key = appendString(appendString(w.key, k.source), k.name)
}

func (w *writer) rowKey(kind byte, k *rowKey) {
	w.begin(kind)
	w.key = k.append(w.key)
}

// forecasts writes the last added entries of a stream, as far as they are
// still there, each under the key of its slot.
func (w *writer) forecasts(r *row[forecast], added int) {
	view := r.tape.view()
	for i := max(0, len(view)-added); i < len(view); i++ {
		number := r.total - uint64(len(view)-i)
		w.seriesKey(kindForecast, r.key)
		w.key = append(w.key, byte(number%memorySlots))
		w.value = binary.AppendUvarint(w.value, number)
		w.value = appendValue(w.value, view[i])
		w.end()
	}
}

func (w *writer) ledger(l *Ledger) {
	w.begin(kindLedger)
	for _, n := range []uint64{l.In, l.Scored, l.Duplicate, l.Pending, l.Parked, uint64(len(l.Dead))} {
		w.value = binary.AppendUvarint(w.value, n)
	}
	for _, d := range l.Dead {
		w.value = binary.AppendUvarint(appendString(w.value, string(d.Class)), d.Count)
	}
	w.end()
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// reader takes a key or value apart. After the first fault it returns zeros
// and keeps the fault in err.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = errors.New(what)
	}
	r.rest = nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail("too short")
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) hash() (h hash) {
	h.a, h.b, h.mid, h.top = r.uint32(), r.uint32(), r.uint32(), r.byte()
	return h
}

func (r *reader) bigEndianUint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) float64() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads a number of things of at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.fail("too short")
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte { return r.take(r.count(1)) }

func (r *reader) string() string { return string(r.bytes()) }

// version reads the format version of a value of kind k.
func (r *reader) version(k kindFormat) byte {
	v := r.byte()
	if r.err == nil && (v < k.oldest || v > k.writes) {
		r.fail(fmt.Sprintf("unknown format version %d, this build reads versions %d to %d: it was written by another release, run that one or a newer one",
			v, k.oldest, k.writes))
	}
	return v
}

// done returns the first fault; bytes left over are one.
func (r *reader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("too long")
	}
	return r.err
}

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
	kindForecast = 'f'
	kindLedger   = 'l'
)

// formatVersion starts every value.
const formatVersion = 1

const (
	hashBytes  = 16
	entryBytes = hashBytes + 4 + 1
)

var kindNames = map[byte]string{
	kindHashKey: "hash key", kindBounds: "bounds", kindSegment: "segment",
	kindWindow: "window", kindForecast: "forecast", kindLedger: "ledger",
}

// writer turns state into changelog records. Its buffers are used again for
// each record.
type writer struct {
	key, value []byte
	emit       func(key, value []byte)
}

func (w *writer) begin(kind byte) {
	w.key = append(w.key[:0], kind, '/')
	w.value = append(w.value[:0], formatVersion)
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

func (w *writer) segment(number uint64, c *segmentCursor, entries []slot) {
	w.segmentKey(number)
	w.value = binary.AppendVarint(w.value, c.openSinceMs)
	w.value = binary.AppendVarint(w.value, c.openLastMs)
	for _, s := range entries {
		w.value = binary.LittleEndian.AppendUint64(w.value, s.lo)
		w.value = binary.LittleEndian.AppendUint64(w.value, s.hi)
		w.value = binary.LittleEndian.AppendUint32(w.value, s.content)
		w.value = append(w.value, byte(s.status()))
	}
	w.end()
}

func (w *writer) noSegment(number uint64) {
	w.segmentKey(number)
	w.emit(w.key, nil)
}

func (w *writer) seriesKey(kind byte, k seriesKey) {
	w.begin(kind)
	w.key = appendString(appendString(w.key, k.source), k.name)
}

func (w *writer) window(r *row[float64]) {
	w.seriesKey(kindWindow, r.key)
	for _, v := range r.tape.view() {
		w.value = binary.LittleEndian.AppendUint64(w.value, math.Float64bits(v))
	}
	w.end()
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
	for _, n := range []uint64{l.In, l.Scored, l.Duplicate, uint64(len(l.Dead))} {
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

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
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

func (r *reader) string() string { return string(r.take(r.count(1))) }

func (r *reader) version() {
	if v := r.byte(); r.err == nil && v != formatVersion {
		r.fail(fmt.Sprintf("unknown format version %d, written by another release: run one that knows it", v))
	}
}

// done returns the first fault; bytes left over are one.
func (r *reader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("too long")
	}
	return r.err
}

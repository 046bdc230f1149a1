package state

import (
	"encoding/binary"
	"fmt"
)

const (
	hashBytes = 13
	// entryBytes is what an ID takes in a segment's value.
	entryBytes = hashBytes + 4
	// oldEntryBytes is the same in format version 1.
	oldEntryBytes = 16 + 4 + 1
)

// segment writes a segment, or the whole of merged ones:
//
//	key:   "s/", number of the last, 8 bytes big-endian
//	value: version, first commit, last commit, how many were merged less one,
//	       how many entries are of the dead, which ones (each as distance from
//	       the one before), then each entry: 13 bytes hash, 4 bytes content
func (w *writer) segment(s *extent, entries []entry) {
	w.segmentKey(s.last)
	w.value = binary.AppendVarint(w.value, s.sinceMs)
	w.value = binary.AppendVarint(w.value, s.lastMs)
	w.value = binary.AppendUvarint(w.value, s.last-s.first)
	dead := 0
	for i := range entries {
		if statusOf(entries[i].meta) == Dead {
			dead++
		}
	}
	w.value = binary.AppendUvarint(w.value, uint64(dead))
	previous := 0
	for i := range entries {
		if dead > 0 && statusOf(entries[i].meta) == Dead {
			w.value = binary.AppendUvarint(w.value, uint64(i-previous))
			previous = i
		}
	}
	for i := range entries {
		w.value = appendEntry(w.value, &entries[i])
	}
	w.end()
}

func appendEntry(dst []byte, e *entry) []byte {
	return binary.LittleEndian.AppendUint32(appendHash(dst, &e.hash), e.content)
}

func appendHash(dst []byte, h *hash) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, h.a)
	dst = binary.LittleEndian.AppendUint32(dst, h.b)
	dst = binary.LittleEndian.AppendUint32(dst, h.mid)
	return append(dst, h.top)
}

// segmentValue is a segment's value taken apart, but for its entries.
type segmentValue struct {
	extent

	old     bool
	dead    []byte // varints
	entries []byte
}

// segmentValue reads a value and checks all of it.
func (r *reader) segmentValue(number uint64, version byte) (v segmentValue) {
	v.old = version == 1
	v.first, v.last = number, number
	v.sinceMs, v.lastMs = r.varint(), r.varint()
	size := oldEntryBytes
	var dead []uint64
	if !v.old {
		size = entryBytes
		merged := r.uvarint()
		if merged > number {
			r.fail("more segments than there are numbers")
			return v
		}
		v.first -= merged
		n := r.count(1)
		v.dead = r.rest
		for ; n > 0 && r.err == nil; n-- {
			dead = append(dead, r.uvarint())
		}
		v.dead = v.dead[:len(v.dead)-len(r.rest)]
	}
	if r.err == nil && (len(r.rest) == 0 || len(r.rest)%size != 0) {
		r.fail("not a whole number of IDs")
	}
	v.entries, r.rest = r.rest, nil
	v.extent.entries = len(v.entries) / size
	r.checkDead(dead, v.extent.entries)
	for i := oldEntryBytes - 1; v.old && r.err == nil && i < len(v.entries); i += oldEntryBytes {
		if st := Status(v.entries[i]); st != Scored && st != Dead {
			r.fail(fmt.Sprintf("unknown status %d of an ID", st))
		}
	}
	return v
}

func (r *reader) checkDead(distances []uint64, entries int) {
	at := uint64(0)
	for i, d := range distances {
		if at += d; d >= uint64(entries) || at >= uint64(entries) || i > 0 && d == 0 {
			r.fail("dead IDs that are not there")
			return
		}
	}
}

// each calls do for every entry, in order.
func (v *segmentValue) each(do func(e *entry) error) error {
	var e entry
	if v.old {
		for b := v.entries; len(b) > 0; b = b[oldEntryBytes:] {
			e.hash = hashOf(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
			e.content = binary.LittleEndian.Uint32(b[16:])
			e.meta = metaOf(Status(b[20]), v.last)
			if err := do(&e); err != nil {
				return err
			}
		}
		return nil
	}
	dead, nextDead := v.dead, -1
	if len(dead) > 0 {
		distance, n := binary.Uvarint(dead)
		dead, nextDead = dead[n:], int(distance)
	}
	for i, b := 0, v.entries; len(b) > 0; i, b = i+1, b[entryBytes:] {
		e.a, e.b = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		e.mid, e.top = binary.LittleEndian.Uint32(b[8:]), b[12]
		e.content = binary.LittleEndian.Uint32(b[13:])
		e.meta = metaOf(Scored, v.last)
		if i == nextDead {
			e.meta = metaOf(Dead, v.last)
			if len(dead) > 0 {
				distance, n := binary.Uvarint(dead)
				dead, nextDead = dead[n:], nextDead+int(distance)
			}
		}
		if err := do(&e); err != nil {
			return err
		}
	}
	return nil
}

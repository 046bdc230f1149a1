package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// A machine is in the changelog as a whole, and the steps it took since under as
// many keys as there were batches with any, up to maxSlots: compaction keeps the
// last record of each key, so a delta that may still be needed must not be
// written over. Each says how many steps came before it. What is older than the
// whole is recognised by that, needs no tombstone and is passed over.
//
// A batch writes its steps alone, unless those since the last whole would come to
// wholesSpent times as much, or there are too many of them. So a series that is observed
// once in each batch costs its bytes once in 32 batches and a step in each
// (TestSeal_WritesStepsInsteadOfMachines), and a task that takes over has to take
// maxBehind steps a series at most (the same test). Where newBySteps is set a new machine
// counts as written, before any step: what is seen a few times and never again needs no
// whole (TestSeal_ANewSeriesIsItsSteps). Its first whole takes the first steps out of the
// changelog, or a restore that lacks the whole would take them for all there are
// (TestRestore_SaysWhatIsMissing).
const (
	maxSlots    = 32
	maxBehind   = 256
	wholesSpent = 3
)

// inChangelog is what the changelog has of a machine.
type inChangelog struct {
	// It has all of it as of base steps, in size bytes, 0 if it has nothing. slots and
	// spent are how many records of steps followed, and their bytes.
	base        uint64
	size, spent uint32
	slots       uint8
}

type writtenMachine[M, S any] struct {
	row *machineRow[M, S]
	// copy is as long there as the batch is open, total are the row's steps then.
	copy   *machineCopy[M, S]
	total  uint64
	before inChangelog
}

// write writes what the open batch has changed, in the order of first steps. Nothing is
// sealed, so all copies are of machines that this batch has advanced.
func (x *machines[M, S, P]) write(w *writer) {
	for from := 0; from < x.copies.n; from += readTogether {
		first := len(x.written)
		x.note(from, min(from+readTogether, x.copies.n))
		for i := first; i < len(x.written); i++ {
			if n := &x.written[i]; !x.writeSteps(w, n) {
				x.writeWhole(w, n.row)
			}
		}
	}
}

// readTogether is how many rows are read one right after the other: a processor waits
// for the memory of several at once then, and with many series each is a wait.
const readTogether = 32

// note takes down what Rollback and writing need of rows.
func (x *machines[M, S, P]) note(from, to int) {
	for i := from; i < to; i++ {
		if c := x.copies.at(i); c.row != nil {
			x.written = append(x.written, writtenMachine[M, S]{row: c.row, copy: c, total: c.row.total, before: c.row.inLog})
		}
	}
}

// writeSteps writes the steps of a row in the open batch, if that is the thing to do.
//
//	key:   kind, source, name, slot (one byte)
//	value: version, number of steps before, steps
func (x *machines[M, S, P]) writeSteps(w *writer, n *writtenMachine[M, S]) bool {
	c, in := n.copy, &n.row.inLog
	if in.size == 0 {
		in.size = x.newSize
	}
	if in.size == 0 || in.slots == maxSlots || n.total-in.base > maxBehind {
		return false
	}
	w.rowKey(x.steps, &n.row.key)
	w.key = append(w.key, in.slots)
	w.value = binary.AppendUvarint(w.value, c.total)
	before := &x.none
	for at, left := c.first, n.total-c.total; left > 0; left-- {
		s := x.stepAt(at)
		w.value = x.append(w.value, before, &s.step)
		before, at = &s.step, s.next
	}
	spent := in.spent + sizeOf(w)
	if spent >= wholesSpent*in.size {
		return false
	}
	in.slots++
	in.spent = spent
	w.end()
	return true
}

// writeWhole writes a machine.
//
//	key:   kind, source, name
//	value: version, number of its steps, its bytes
func (x *machines[M, S, P]) writeWhole(w *writer, r *machineRow[M, S]) {
	if x.newSize > 0 && r.inLog.base == 0 && r.inLog.slots > 0 {
		w.rowKey(x.steps, &r.key)
		w.emit(append(w.key, 0), nil)
	}
	w.rowKey(x.whole, &r.key)
	w.value = binary.AppendUvarint(w.value, r.total)
	w.value = x.bytesOf(&r.machine, w.value)
	r.inLog = inChangelog{base: r.total, size: sizeOf(w)}
	w.end()
}

// bytesOf appends a machine.
func (*machines[M, S, P]) bytesOf(m *M, dst []byte) []byte {
	dst, err := P(m).AppendBinary(dst)
	if err != nil {
		panic(fmt.Sprintf("state: a machine cannot be written: %v", err))
	}
	return dst
}

// sizeOf is what the writer's record takes in a changelog. No record has 4 GB.
func sizeOf(w *writer) uint32 {
	return uint32(recordOverhead + len(w.key) + len(w.value))
}

// unwrite forgets what the sealed batch wrote
// (TestRollback_TheNextStepsBelongToACommittedMachine).
func (x *machines[M, S, P]) unwrite() {
	for _, b := range x.written {
		b.row.inLog = b.before
	}
	x.committed()
}

// committed: what the sealed batch wrote is in the changelog for good.
func (x *machines[M, S, P]) committed() {
	clear(x.written)
	x.written = x.written[:0]
}

// restoredMachine gathers what a changelog has of a machine.
type restoredMachine[M, S any] struct {
	// machine is the newest whole, nil when there was none that the Task did not
	// know already; total are its steps, size its bytes in the changelog.
	machine *M
	total   uint64
	size    uint32
	// slots is as long as the highest one there is; one without steps is empty.
	slots []restoredSteps[S]
}

type restoredSteps[S any] struct {
	first uint64
	steps []S
	size  uint32
}

// restoredMachines are those of a restore.
type restoredMachines[M, S any] map[seriesKey]*restoredMachine[M, S]

func (m restoredMachines[M, S]) of(source, name []byte) *restoredMachine[M, S] {
	r, ok := m[seriesKey{string(source), string(name)}]
	if !ok {
		r = new(restoredMachine[M, S])
		m[seriesKey{string(source), string(name)}] = r
	}
	return r
}

// restoreWhole takes a machine from the changelog. One that the Task has as far
// already is only decoded: whoever reads a changelog again reads all of it.
func (x *machines[M, S, P]) restoreWhole(into restoredMachines[M, S], k, v *reader, tombstone bool) error {
	source, name := k.bytes(), k.bytes()
	if err := k.done(); err != nil {
		return err
	}
	if tombstone {
		delete(into, seriesKey{string(source), string(name)})
		if r := x.find(string(source), string(name)); r != nil {
			x.remove(r)
		}
		return nil
	}
	r := into.of(source, name)
	size := uint32(recordOverhead + 2 + len(source) + len(name) + len(v.rest))
	r.total = v.uvarint()
	if v.err != nil {
		return v.err
	}
	if r.machine == nil {
		r.machine = new(M)
	}
	r.size = size
	return P(r.machine).UnmarshalBinary(v.rest)
}

func (x *machines[M, S, P]) restoreSteps(into restoredMachines[M, S], k, v *reader, tombstone bool) error {
	source, name, slot := k.bytes(), k.bytes(), k.byte()
	if err := k.done(); err != nil {
		return err
	}
	if slot >= maxSlots {
		return errors.New("there is no slot " + strconv.Itoa(int(slot)))
	}
	r := into.of(source, name)
	if n := int(slot) + 1; n > len(r.slots) {
		r.slots = append(r.slots, make([]restoredSteps[S], n-len(r.slots))...)
	}
	if tombstone {
		r.slots[slot] = restoredSteps[S]{}
		return nil
	}
	s := restoredSteps[S]{steps: r.slots[slot].steps[:0]}
	s.size = uint32(recordOverhead + len(source) + len(name) + len(v.rest))
	s.first = v.uvarint()
	var before S
	for len(v.rest) > 0 && v.err == nil {
		before = x.read(v, &before)
		s.steps = append(s.steps, before)
	}
	if v.err == nil && (len(s.steps) == 0 || s.first > math.MaxUint64-uint64(len(s.steps))) {
		v.fail("no steps, or more than can be counted")
	}
	r.slots[slot] = s
	return v.done()
}

// restored puts what was gathered in place, and takes it from there.
func (x *machines[M, S, P]) restored(all restoredMachines[M, S]) error {
	for k, got := range all {
		if err := x.restoredRow(k, got); err != nil {
			return fmt.Errorf("source %.64q, name %.64q: %w", k.source, k.name, err)
		}
		delete(all, k) // or all machines would be there twice in the end
	}
	return nil
}

func (x *machines[M, S, P]) restoredRow(k seriesKey, got *restoredMachine[M, S]) error {
	r := x.find(k.source, k.name)
	known := r != nil
	if !known {
		if got.machine == nil && len(got.slots) == 0 {
			return nil
		}
		if got.machine == nil && !x.fromNew(got) {
			return errors.New("steps of a machine that is missing")
		}
		r = newMachineRow[M, S](k.source, k.name)
		r.inLog.size = x.newSize
	}
	x.catchUp(r)
	if got.machine != nil && (!known || got.total > r.total) {
		r.machine, r.total = *got.machine, got.total
	}
	if got.machine != nil && (r.inLog.size == 0 || got.total > r.inLog.base) {
		r.inLog = inChangelog{base: got.total, size: got.size}
	}
	if err := r.restoredSteps(got); err != nil {
		return err
	}
	if !known {
		x.add(r)
	}
	return nil
}

// fromNew tells whether all steps there ever were have been found.
func (x *machines[M, S, P]) fromNew(got *restoredMachine[M, S]) bool {
	return x.newSize > 0 && got.slots[0].first == 0 && len(got.slots[0].steps) > 0
}

// restoredSteps adds the steps that follow what the row has. The slots of a whole are
// filled in order, each once; what is left in others belongs to one before it.
func (r *machineRow[M, S]) restoredSteps(got *restoredMachine[M, S]) error {
	for n := range got.slots {
		s := &got.slots[n]
		end := s.first + uint64(len(s.steps))
		if len(s.steps) == 0 || s.first < r.inLog.base {
			continue
		}
		if n >= int(r.inLog.slots) {
			r.inLog.slots, r.inLog.spent = uint8(n+1), r.inLog.spent+s.size
		}
		if end <= r.total {
			continue // known already
		}
		if s.first > r.total {
			return fmt.Errorf("steps %d to %d are missing", r.total, s.first-1)
		}
		if r.behind == nil {
			r.behind = new([]S)
		}
		*r.behind = append(*r.behind, s.steps[r.total-s.first:]...)
		r.total = end
	}
	return nil
}

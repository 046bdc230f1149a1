package state

import (
	"slices"
	"unsafe"
)

// machine is the state of something that steps advance: the same steps lead to
// the same state, to the bit. The zero value has seen none. Its bytes restore it
// exactly, and its own copy shares nothing with it.
type machine[M any] interface {
	*M

	CopyFrom(other *M)
	AppendBinary(dst []byte) ([]byte, error)
	UnmarshalBinary(data []byte) error
	// Size is about how many bytes of memory it takes.
	Size() int
}

// stepping says how a machine takes its steps and how these are written.
type stepping[P, S any] struct {
	// whole and steps are the kinds of the changelog keys.
	whole, steps byte
	apply        func(machine P, step S)
	// append writes a step, given the one before it in the same record; read
	// reads it.
	append func(dst []byte, before, step *S) []byte
	read   func(r *reader, before *S) S
}

// machines are those of a task by series, with what takes their steps back.
//
// A machine is changed in place. With its first step in a batch it is copied, and
// the batch's steps are logged: to go back to a point within the batch the copy
// takes the machine's place and the steps up to that point are applied again. So
// a batch costs a copy of each machine that it advances, taken from a pool, and a
// step costs a log entry; who goes back pays for it, which is rare. A copy of the
// machine for each step would cost more than the step.
type machines[M, S any, P machine[M]] struct {
	stepping[P, S]

	byKey map[seriesKey]*machineRow[M, S]
	log   undoLog[machineStep[M, S]]
	// spares are machines that nobody uses, as many as the late batches had in
	// use (TestMachines_TheSteadyStateAllocatesNothing).
	spares []*M
	keep   int
	// written is what Rollback needs to know of those the sealed batch wrote.
	written []writtenMachine[M, S]
	// touched is for the calls that list rows.
	touched []*machineRow[M, S]
	last    *machineRow[M, S]
	// next has for each step in the log the next one of the same row, for eachChanged
	// alone.
	next []int32
	// zero is what a new machine is a copy of, none the step before the first.
	zero M
	none S
}

// machineRow is the machine of one series.
type machineRow[M, S any] struct {
	key     seriesKey
	machine *M
	// total counts all steps there ever were.
	total uint64
	// saved are the copies as of the start of the batches that are outstanding and
	// have advanced it, the sealed one's first.
	saved  [2]savedMachine[M]
	copies int
	// behind are restored steps that the machine has not taken yet. They are when
	// it is asked for: a worker that takes over a task would else apply those of
	// all series before it goes on.
	behind []S

	inLog inChangelog

	// head, tail and count are of the steps in the log, for undo and eachChanged
	// alone; count is 0 between calls.
	head, tail, count int
}

type savedMachine[M any] struct {
	machine *M
	batch   uint64
	total   uint64
}

// machineStep is a step that may have to be taken back.
type machineStep[M, S any] struct {
	row  *machineRow[M, S]
	step S
}

func newMachines[M, S any, P machine[M]](s stepping[P, S]) machines[M, S, P] {
	return machines[M, S, P]{stepping: s, byKey: make(map[seriesKey]*machineRow[M, S])}
}

// find returns the row of a series, nil when there is none. Most records come in
// runs of a series, or in turns of few.
func (x *machines[M, S, P]) find(source, name string) *machineRow[M, S] {
	if r := x.last; r != nil && r.key.name == name && r.key.source == source {
		return r
	}
	r := x.byKey[seriesKey{source, name}]
	if r != nil {
		x.last = r
	}
	return r
}

// view returns the machine of a series, nil when there is none. It is valid until
// the next step, and only read.
func (x *machines[M, S, P]) view(source, name string) P {
	r := x.find(source, name)
	if r == nil {
		return nil
	}
	x.catchUp(r)
	return r.machine
}

// take notes a step of a series. The caller applies it to the machine that take
// returns, and does nothing else with that.
func (x *machines[M, S, P]) take(batch uint64, source, name string, step S) P {
	r := x.find(source, name)
	if r == nil {
		both := source + name
		r = &machineRow[M, S]{key: seriesKey{both[:len(source)], both[len(source):]}, machine: x.fresh()}
		x.byKey[r.key] = r
	}
	x.catchUp(r)
	if r.copies == 0 || r.saved[r.copies-1].batch != batch {
		if r.copies == len(r.saved) {
			panic("state: a machine has copies of more than two batches")
		}
		saved := x.spare()
		P(saved).CopyFrom(r.machine)
		r.saved[r.copies] = savedMachine[M]{machine: saved, batch: batch, total: r.total}
		r.copies++
	}
	*x.log.grow() = machineStep[M, S]{row: r, step: step}
	r.total++
	return r.machine
}

// catchUp applies what a restore has left.
func (x *machines[M, S, P]) catchUp(r *machineRow[M, S]) {
	if r.behind == nil {
		return
	}
	for _, s := range r.behind {
		x.apply(r.machine, s)
	}
	r.behind = nil
}

func (x *machines[M, S, P]) fresh() *M {
	m := x.spare()
	P(m).CopyFrom(&x.zero)
	return m
}

func (x *machines[M, S, P]) spare() *M {
	if n := len(x.spares); n > 0 {
		m := x.spares[n-1]
		x.spares[n-1] = nil
		x.spares = x.spares[:n-1]
		return m
	}
	return new(M)
}

// undo takes back the steps from the log's position to on. The open batch, which
// has this number, begins at start; before it nobody goes back but to the
// beginning.
func (x *machines[M, S, P]) undo(to, start int, batch uint64) {
	rows := x.rowsOf(to)
	switch {
	case to >= start:
		x.undoWithin(rows, to, start, batch)
	case to == 0:
		for _, r := range rows {
			x.backTo(r, 0)
		}
	default:
		panic("state: undo to a point within a sealed batch")
	}
	for _, r := range rows {
		if r.count = 0; r.total == 0 {
			x.remove(r)
		}
	}
	clear(rows)
	x.log.cut(to)
}

// rowsOf lists the rows that the log has from a position on, each once.
func (x *machines[M, S, P]) rowsOf(from int) []*machineRow[M, S] {
	rows := x.touched[:0]
	for i := from; i < x.log.n; i++ {
		if r := x.log.at(i).row; r.count == 0 {
			r.count = 1
			rows = append(rows, r)
		}
	}
	x.touched = rows
	return rows
}

// undoWithin goes back to the start of the open batch, and applies its steps up to
// the log's position to again.
func (x *machines[M, S, P]) undoWithin(rows []*machineRow[M, S], to, start int, batch uint64) {
	for i := start; i < to && len(rows) > 0; i++ {
		if r := x.log.at(i).row; r.count > 0 {
			r.count++
		}
	}
	for _, r := range rows {
		own := r.copies - 1
		if own < 0 || r.saved[own].batch != batch {
			panic("state: a machine was advanced without a copy of it")
		}
		if r.count == 1 { // nothing of it is left in the batch
			x.backTo(r, own)
			continue
		}
		P(r.machine).CopyFrom(r.saved[own].machine)
		r.total = r.saved[own].total
	}
	for i := start; i < to && len(rows) > 0; i++ {
		if s := x.log.at(i); s.row.count > 0 {
			x.apply(s.row.machine, s.step)
			s.row.total++
		}
	}
}

// backTo puts a copy in the machine's place and drops it and later ones.
func (x *machines[M, S, P]) backTo(r *machineRow[M, S], at int) {
	r.machine, r.saved[at].machine = r.saved[at].machine, r.machine
	r.total = r.saved[at].total
	for i := at; i < r.copies; i++ {
		x.drop(r.saved[i].machine)
		r.saved[i] = savedMachine[M]{}
	}
	r.copies = at
}

func (x *machines[M, S, P]) remove(r *machineRow[M, S]) {
	x.drop(r.machine)
	delete(x.byKey, r.key)
	if x.last == r {
		x.last = nil
	}
}

// drop keeps a machine that nobody uses any more, if it may be wanted.
func (x *machines[M, S, P]) drop(m *M) {
	if len(x.spares) < x.keep {
		x.spares = append(x.spares, m)
	}
}

// forget drops the first n entries of the log, and the copies of batches before
// the open one.
func (x *machines[M, S, P]) forget(n int, open uint64) {
	inUse := 0
	for i := range n {
		r := x.log.at(i).row
		if r.copies == 0 || r.saved[0].batch == open {
			continue
		}
		inUse++
		x.keep = max(x.keep, 2*inUse)
		x.drop(r.saved[0].machine)
		r.saved[0], r.saved[1] = r.saved[1], savedMachine[M]{}
		r.copies--
	}
	// What one large batch needed goes within some smaller ones.
	x.keep = max(2*inUse, x.keep-x.keep/16)
	if len(x.spares) > x.keep {
		clear(x.spares[x.keep:])
		x.spares = x.spares[:x.keep]
	}
	x.log.forget(n)
}

// eachChanged calls do once for each row that the log has, in the order of its
// first step. Only the open batch's steps are in the log then; row.steps gives
// those of the row.
func (x *machines[M, S, P]) eachChanged(do func(r *machineRow[M, S])) {
	rows := x.touched[:0]
	x.next = slices.Grow(x.next[:0], x.log.n)[:x.log.n]
	for i := range x.next {
		r := x.log.at(i).row
		if r.count == 0 {
			r.head = i
			rows = append(rows, r)
		} else {
			x.next[r.tail] = int32(i)
		}
		r.tail = i
		r.count++
	}
	for _, r := range rows {
		do(r)
		r.count = 0
	}
	clear(rows)
	x.touched = rows[:0]
}

// bytes estimates the memory in use.
func (x *machines[M, S, P]) bytes() (n int64) {
	const rowBytes = 240
	var step S
	for k, r := range x.byKey {
		n += rowBytes + int64(len(k.source)+len(k.name)+P(r.machine).Size()) + int64(cap(r.behind))*int64(unsafe.Sizeof(step))
		for i := range r.copies {
			n += int64(P(r.saved[i].machine).Size())
		}
	}
	for _, m := range x.spares {
		n += int64(P(m).Size())
	}
	return n + x.log.bytes()
}

package state

import "unsafe"

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
	// newBySteps: the changelog has a new machine as its steps. There must be no other
	// way in which a new one ever begins.
	newBySteps bool
	// append writes a step, given the one before it in the same record; read
	// reads it.
	append func(dst []byte, before, step *S) []byte
	read   func(r *reader, before *S) S
}

// machines are those of a task by series, with what takes their steps back.
//
// A machine is changed in place. With its first step in a batch it is copied, and
// the batch's steps are logged: to go back to a point within the batch the copy
// is copied back and the steps up to that point are applied again. So a batch costs a
// copy of each machine that it advances, into memory taken from a pool, and a step
// costs a log entry; who goes back pays for it, which is rare. A copy of the machine
// for each step would cost more than the step.
//
// With many series nearly every look at a row waits for memory. So which rows a batch has
// changed, and which steps are whose, is noted while a step has them at hand: sealing
// reads each row once, and committing none.
type machines[M, S any, P machine[M]] struct {
	stepping[P, S]

	index machineIndex[M, S]
	log   undoLog[machineStep[M, S]]
	// copies are of the batches that are outstanding, the sealed one's first, each in
	// the order of first steps.
	copies undoLog[machineCopy[M, S]]
	// Steps and copies are numbered from 1. firstStep and firstCopy are what the logs
	// begin with: who names one before it names one that was forgotten. firstOpen is the
	// first copy of the batch that took the last step.
	firstStep, firstCopy, firstOpen number
	batch                           uint64
	// spares are machines that nobody uses, as many as the late batches had in
	// use (TestMachines_TheSteadyStateAllocatesNothing).
	spares []*M
	keep   int
	// written is what Rollback needs to know of those the sealed batch wrote.
	written []writtenMachine[M, S]
	// touched is for undo: the steps in the log of each row.
	touched map[*machineRow[M, S]]int
	last    *machineRow[M, S]
	// none is the step before the first.
	none S
	// newSize is what a new machine would take in the changelog, about, if none has to be
	// written there, and else 0.
	newSize uint32
}

// number counts steps or copies; 0 is none.
type number uint64

// machineRow is the machine of one series. That of a series.Series has 512 bytes: of
// what has more the garbage collector finds the pointers in a slower way
// (TestMachines_ARowIsSmall).
type machineRow[M, S any] struct {
	key rowKey
	// total counts all steps there ever were.
	total uint64
	// newest and before are the copies of the last two batches that have advanced it,
	// step is its last step. Each may have been forgotten.
	newest, before, step number

	inLog inChangelog
	// behind are restored steps that the machine has not taken yet, nil when there are
	// none. They are when it is asked for: a worker that takes over a task would else
	// apply those of all series before it goes on.
	behind *[]S

	machine M
}

// machineCopy is a machine as it was when a batch began that has advanced it.
type machineCopy[M, S any] struct {
	// row is nil when the steps were taken back.
	row     *machineRow[M, S]
	machine *M
	total   uint64
	// first is the batch's first step of it.
	first number
}

// machineStep is a step that may have to be taken back, next the one after it of the
// same row and batch, if there is one.
type machineStep[M, S any] struct {
	row  *machineRow[M, S]
	step S
	next number
}

func newMachines[M, S any, P machine[M]](s stepping[P, S]) machines[M, S, P] {
	x := machines[M, S, P]{stepping: s, index: newMachineIndex[M, S](), firstStep: 1, firstCopy: 1, firstOpen: 1}
	if s.newBySteps {
		x.newSize = sizeOf(&writer{value: x.bytesOf(new(M), nil)})
	}
	return x
}

// find returns the row of a series, nil when there is none. A record asks for its
// series more than once.
func (x *machines[M, S, P]) find(source, name string) *machineRow[M, S] {
	if r := x.last; r != nil && r.key.is(source, name) {
		return r
	}
	r := x.index.get(x.index.hash(source, name), source, name)
	if r != nil {
		x.last = r
	}
	return r
}

func newMachineRow[M, S any](source, name string) *machineRow[M, S] {
	r := new(machineRow[M, S])
	r.key.set(source, name)
	return r
}

// add takes the row of a series that has none.
func (x *machines[M, S, P]) add(r *machineRow[M, S]) {
	x.index.add(r)
	x.last = r
}

// view returns the machine of a series, nil when there is none. It is valid until
// the next step, and only read.
func (x *machines[M, S, P]) view(source, name string) P {
	r := x.find(source, name)
	if r == nil {
		return nil
	}
	x.catchUp(r)
	return &r.machine
}

// take notes a step of a series. The caller applies it to the machine that take
// returns, and does nothing else with that.
func (x *machines[M, S, P]) take(batch uint64, source, name string, step S) P {
	r := x.find(source, name)
	if r == nil {
		r = newMachineRow[M, S](source, name)
		x.add(r)
	}
	x.catchUp(r)
	if batch != x.batch {
		x.batch, x.firstOpen = batch, x.firstCopy+number(x.copies.n)
	}
	at := x.firstStep + number(x.log.n)
	if r.newest < x.firstOpen {
		x.copy(r, at)
	} else {
		x.stepAt(r.step).next = at
	}
	s := x.log.grow()
	s.row, s.step = r, step
	r.step = at
	r.total++
	return &r.machine
}

// copy keeps a machine as it is before the open batch's first step.
func (x *machines[M, S, P]) copy(r *machineRow[M, S], first number) {
	if r.before >= x.firstCopy {
		panic("state: a machine has copies of more than two batches")
	}
	saved := x.spare()
	P(saved).CopyFrom(&r.machine)
	r.before, r.newest = r.newest, x.firstCopy+number(x.copies.n)
	*x.copies.grow() = machineCopy[M, S]{row: r, machine: saved, total: r.total, first: first}
}

func (x *machines[M, S, P]) stepAt(n number) *machineStep[M, S] {
	return x.log.at(int(n - x.firstStep))
}

func (x *machines[M, S, P]) copyAt(n number) *machineCopy[M, S] {
	return x.copies.at(int(n - x.firstCopy))
}

// catchUp applies what a restore has left.
func (x *machines[M, S, P]) catchUp(r *machineRow[M, S]) {
	if r.behind == nil {
		return
	}
	for _, s := range *r.behind {
		x.apply(&r.machine, s)
	}
	r.behind = nil
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

// drop keeps a machine that nobody uses any more, if it may be wanted.
func (x *machines[M, S, P]) drop(m *M) {
	if len(x.spares) < x.keep {
		x.spares = append(x.spares, m)
	}
}

// forget drops the first n steps of the log, and the copies of batches before
// the open one.
func (x *machines[M, S, P]) forget(n int, open uint64) {
	done := x.copies.n
	if x.batch == open {
		done = int(x.firstOpen - x.firstCopy)
	}
	// What one large batch needed goes within some smaller ones.
	x.keep = max(2*done, x.keep-(x.keep+15)/16)
	for i := range done {
		if c := x.copies.at(i); c.row != nil {
			x.drop(c.machine)
		}
	}
	if len(x.spares) > x.keep {
		clear(x.spares[x.keep:])
		x.spares = x.spares[:x.keep]
	}
	x.copies.forget(done)
	x.firstCopy += number(done)
	x.log.forget(n)
	x.firstStep += number(n)
}

// bytes estimates the memory in use.
func (x *machines[M, S, P]) bytes() (n int64) {
	const slotBytes = 28 // of the index, with those that are free
	var row machineRow[M, S]
	var step S
	rest := int64(unsafe.Sizeof(row)-unsafe.Sizeof(row.machine)) + slotBytes
	x.index.each(func(r *machineRow[M, S]) {
		n += rest + int64(P(&r.machine).Size())
		if r.key.long != nil {
			n += int64(len(*r.key.long))
		}
		if r.behind != nil {
			n += int64(cap(*r.behind)) * int64(unsafe.Sizeof(step))
		}
	})
	for i := range x.copies.n {
		if c := x.copies.at(i); c.row != nil {
			n += int64(P(c.machine).Size())
		}
	}
	for _, m := range x.spares {
		n += int64(P(m).Size())
	}
	return n + x.log.bytes() + x.copies.bytes()
}

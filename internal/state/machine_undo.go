package state

// undo takes back the steps from the log's position to on. The open batch, which
// has this number, begins at start; before it nobody goes back but to the
// beginning.
func (x *machines[M, S, P]) undo(to, start int, batch uint64) {
	rows := x.touchedFrom(to)
	switch {
	case to >= start:
		if len(rows) > 0 && batch != x.batch {
			panic("state: undo of another batch than the one that took the steps")
		}
		x.undoWithin(rows, to, start)
	case to == 0:
		for r := range rows {
			x.backTo(r, x.oldest(r))
		}
	default:
		panic("state: undo to a point within a sealed batch")
	}
	for r := range rows {
		if r.total == 0 {
			x.remove(r)
		}
	}
	if len(rows) > touchedKept {
		x.touched = nil
	}
	clear(rows)
	x.log.cut(to)
}

// touchedKept is how many rows may have been in a map that is used again: to clear it
// takes as long as when it was full, and most undo one record.
const touchedKept = 64

// touchedFrom are the rows that the log has from a position on, each counted once.
func (x *machines[M, S, P]) touchedFrom(from int) map[*machineRow[M, S]]int {
	if x.touched == nil {
		x.touched = make(map[*machineRow[M, S]]int)
	}
	for i := from; i < x.log.n; i++ {
		x.touched[x.log.at(i).row] = 1
	}
	return x.touched
}

// undoWithin goes back to the start of the open batch, and applies its steps up to
// the log's position to again.
func (x *machines[M, S, P]) undoWithin(rows map[*machineRow[M, S]]int, to, start int) {
	for i := start; i < to && len(rows) > 0; i++ {
		if r := x.log.at(i).row; rows[r] > 0 {
			rows[r]++
		}
	}
	for r, count := range rows {
		if r.newest < x.firstOpen {
			panic("state: a machine was advanced without a copy of it")
		}
		if count == 1 { // nothing of it is left in the batch
			x.backTo(r, r.newest)
			continue
		}
		c := x.copyAt(r.newest)
		P(&r.machine).CopyFrom(c.machine)
		r.total = c.total
	}
	for i := start; i < to && len(rows) > 0; i++ {
		if s := x.log.at(i); rows[s.row] > 0 {
			x.apply(&s.row.machine, s.step)
			s.row.total++
			s.row.step = x.firstStep + number(i)
		}
	}
}

// oldest is the first copy there is of a row that has steps in the log.
func (x *machines[M, S, P]) oldest(r *machineRow[M, S]) number {
	if r.before >= x.firstCopy {
		return r.before
	}
	return r.newest
}

// backTo makes a machine what a copy of it is, and drops that and a later one.
func (x *machines[M, S, P]) backTo(r *machineRow[M, S], to number) {
	c := x.copyAt(to)
	P(&r.machine).CopyFrom(c.machine)
	r.total = c.total
	x.dropCopy(r.newest)
	if to == r.newest {
		r.newest, r.before = r.before, 0
		return
	}
	x.dropCopy(to)
	r.newest, r.before = 0, 0
}

// dropCopy empties the place of a copy, and takes empty ones off the end: a record that
// is taken back leaves nothing.
func (x *machines[M, S, P]) dropCopy(n number) {
	c := x.copyAt(n)
	x.drop(c.machine)
	c.row, c.machine = nil, nil
	last := x.copies.n
	for last > 0 && x.copies.at(last-1).row == nil {
		last--
	}
	x.copies.cut(last)
}

func (x *machines[M, S, P]) remove(r *machineRow[M, S]) {
	x.index.remove(r)
	if x.last == r {
		x.last = nil
	}
}

package state

// undo takes back the steps from the log's position to on. The open batch, which
// has this number, begins at start; before it nobody goes back but to the
// beginning.
func (x *machines[M, S, P]) undo(to, start int, batch uint64) {
	rows := x.rowsOf(to)
	switch {
	case to >= start:
		if len(rows) > 0 && batch != x.batch {
			panic("state: undo of another batch than the one that took the steps")
		}
		x.undoWithin(rows, to, start)
	case to == 0:
		for _, r := range rows {
			x.backTo(r, x.oldest(r))
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
func (x *machines[M, S, P]) undoWithin(rows []*machineRow[M, S], to, start int) {
	for i := start; i < to && len(rows) > 0; i++ {
		if r := x.log.at(i).row; r.count > 0 {
			r.count++
		}
	}
	for _, r := range rows {
		if r.newest < x.firstOpen {
			panic("state: a machine was advanced without a copy of it")
		}
		if r.count == 1 { // nothing of it is left in the batch
			x.backTo(r, r.newest)
			continue
		}
		c := x.copyAt(r.newest)
		P(&r.machine).CopyFrom(c.machine)
		r.total = c.total
	}
	for i := start; i < to && len(rows) > 0; i++ {
		if s := x.log.at(i); s.row.count > 0 {
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
	delete(x.byKey, r.key)
	if x.last == r {
		x.last = nil
	}
}

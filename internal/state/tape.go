package state

// tape keeps the last entries pushed, contiguous and oldest first.
type tape[T any] struct {
	buf   []T
	start int
}

const firstTape = 8

// view returns the entries; it is valid until the next push or pop.
func (p *tape[T]) view() []T { return p.buf[p.start:] }

// push appends v and drops the oldest entry when there are limit already;
// dropped and had are what pop needs to take this back.
func (p *tape[T]) push(v T, limit int) (dropped T, had bool) {
	if len(p.buf)-p.start == limit {
		var zero T
		dropped, had = p.buf[p.start], true
		p.buf[p.start] = zero
		p.start++
	}
	if len(p.buf) == cap(p.buf) {
		p.makeRoom(limit)
	}
	p.buf = append(p.buf, v)
	return dropped, had
}

// makeRoom moves the entries to the front of a buffer twice as long as the
// limit, so that a push costs one copied entry on average.
func (p *tape[T]) makeRoom(limit int) {
	size := max(firstTape, min(2*limit, 2*cap(p.buf)))
	if size <= cap(p.buf) && p.start > 0 {
		n := copy(p.buf, p.view())
		clear(p.buf[n:])
		p.buf, p.start = p.buf[:n], 0
		return
	}
	grown := make([]T, len(p.view()), max(size, len(p.view())+1))
	copy(grown, p.view())
	p.buf, p.start = grown, 0
}

// pop takes the last push back.
func (p *tape[T]) pop(dropped T, had bool) {
	var zero T
	last := len(p.buf) - 1
	p.buf[last] = zero
	p.buf = p.buf[:last]
	if !had {
		return
	}
	if p.start == 0 {
		// The buffer was moved to its front since; make room before it.
		p.buf = append(p.buf, zero)
		copy(p.buf[1:], p.buf)
	} else {
		p.start--
	}
	p.buf[p.start] = dropped
}

// seriesKey names a series or a stream of forecasts.
type seriesKey struct{ source, name string }

// row is the tape of one series or stream.
type row[T any] struct {
	key  seriesKey
	tape tape[T]
	// total counts all entries there ever were.
	total uint64
	// added is used by changed alone.
	added int

	// Of a window: whole is true when the changelog has all of it as of
	// base entries; spent is what has been written of it since (window.go).
	whole bool
	base  uint64
	spent int
}

// restore puts entries in place of the tape's; the last limit of them count.
func (w *row[T]) restore(entries []T, total uint64, limit int) {
	w.tape = tape[T]{buf: entries[max(0, len(entries)-limit):]}
	w.total = total
}

// rows are the tapes of a task, with the log to take pushes back.
type rows[T any] struct {
	limit int
	byKey map[seriesKey]*row[T]
	log   undoLog[rowUndo[T]]
}

type rowUndo[T any] struct {
	row     *row[T]
	dropped T
	had     bool
}

func newRows[T any](limit int) rows[T] {
	return rows[T]{limit: limit, byKey: make(map[seriesKey]*row[T])}
}

func (r *rows[T]) view(source, name string) []T {
	if w, ok := r.byKey[seriesKey{source, name}]; ok {
		return w.tape.view()
	}
	return nil
}

// row returns the row of a series, new when there is none; its key does not
// share memory with the arguments.
func (r *rows[T]) row(source, name string) *row[T] {
	w, ok := r.byKey[seriesKey{source, name}]
	if !ok {
		both := source + name
		w = &row[T]{key: seriesKey{both[:len(source)], both[len(source):]}}
		r.byKey[w.key] = w
	}
	return w
}

func (r *rows[T]) push(source, name string, v T) []T {
	w := r.row(source, name)
	dropped, had := w.tape.push(v, r.limit)
	w.total++
	*r.log.grow() = rowUndo[T]{row: w, dropped: dropped, had: had}
	return w.tape.view()
}

func (r *rows[T]) undo(to int) {
	for i := r.log.n - 1; i >= to; i-- {
		u := r.log.at(i)
		u.row.tape.pop(u.dropped, u.had)
		u.row.total--
		if len(u.row.tape.view()) == 0 {
			delete(r.byKey, u.row.key)
		}
	}
	r.log.cut(to)
}

// changed calls f once for each row in the log, in the order of its first
// push, with the number of pushes.
func (r *rows[T]) changed(f func(w *row[T], added int)) {
	for i := range r.log.n {
		r.log.at(i).row.added++
	}
	for i := range r.log.n {
		w := r.log.at(i).row
		if w.added > 0 {
			f(w, w.added)
			w.added = 0
		}
	}
}

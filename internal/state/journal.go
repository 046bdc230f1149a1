package state

// journal is a map with a log to take changes back.
type journal[K, V comparable] struct {
	held map[K]V
	log  undoLog[journaled[K, V]]
}

// journaled is what a change replaced; had is false when there was nothing.
type journaled[K, V comparable] struct {
	key    K
	before V
	had    bool
}

func newJournal[K, V comparable]() journal[K, V] { return journal[K, V]{held: make(map[K]V)} }

func (j *journal[K, V]) set(k K, v V) {
	before, had := j.held[k]
	*j.log.grow() = journaled[K, V]{k, before, had}
	j.held[k] = v
}

func (j *journal[K, V]) remove(k K) {
	if before, had := j.held[k]; had {
		*j.log.grow() = journaled[K, V]{k, before, had}
		delete(j.held, k)
	}
}

func (j *journal[K, V]) undo(to int) {
	for i := j.log.n - 1; i >= to; i-- {
		if u := j.log.at(i); u.had {
			j.held[u.key] = u.before
		} else {
			delete(j.held, u.key)
		}
	}
	j.log.cut(to)
}

// changed calls f once for each key that the logged changes leave otherwise than
// they found it, in the order of its first change. had and has tell whether
// there was and is a value.
func (j *journal[K, V]) changed(f func(k K, before, now V, had, has bool)) {
	seen := make(map[K]struct{}, j.log.n)
	for i := range j.log.n {
		u := j.log.at(i)
		if _, again := seen[u.key]; again {
			continue
		}
		seen[u.key] = struct{}{}
		now, has := j.held[u.key]
		if had := u.had; had != has || had && u.before != now {
			f(u.key, u.before, now, had, has)
		}
	}
}

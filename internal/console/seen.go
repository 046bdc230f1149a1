package console

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"pulse-scorer/internal/pipeline"
)

// keep is how many results, and how many dead letters, are remembered; faults how many
// kinds of dead letters: there are fewer classes and stages than that.
const (
	keep   = 50
	faults = 256
)

// seen is what the tasks have shown.
type seen struct {
	now func() time.Time

	mu              sync.Mutex // guards the rest
	spread          [pipeline.Measures][pipeline.Steps]uint64
	scored, flagged uint64
	failed          map[pipeline.Fault]*failures
	results         ring[result]
	letters         ring[letter]
}

type failures struct {
	count uint64
	last  time.Time
}

type result struct {
	pipeline.SeenResult

	seq int64
	at  time.Time
}

type letter struct {
	pipeline.SeenLetter

	seq int64
	at  time.Time
}

// Saw implements pipeline.Watcher.
func (s *seen) Saw(b *pipeline.Sight) {
	at := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scored += uint64(b.Scored)
	s.flagged += uint64(b.Flagged)
	for m := range b.Spread {
		for step, n := range b.Spread[m] {
			s.spread[m][step] += uint64(n)
		}
	}
	for fault, n := range b.Failed {
		f := s.failed[fault]
		if f == nil {
			if len(s.failed) == faults {
				continue
			}
			f = new(failures)
			s.failed[fault] = f
		}
		f.count += uint64(n)
		f.last = at
	}
	for i := range b.Results {
		r, seq := s.results.next()
		r.seq, r.at = seq, at
		r.Content = append(r.Content[:0], b.Results[i].Content...)
		content := r.Content
		r.SeenResult = b.Results[i]
		r.Content = content
	}
	for i := range b.Letters {
		l, seq := s.letters.next()
		l.seq, l.at = seq, at
		l.Key, l.Value = append(l.Key[:0], b.Letters[i].Key...), append(l.Value[:0], b.Letters[i].Value...)
		key, value := l.Key, l.Value
		l.SeenLetter = b.Letters[i]
		l.Key, l.Value = key, value
	}
}

// ring keeps the last few of something and uses their memory again.
type ring[T any] struct {
	kept [keep]T
	n    int64 // how many there were
}

// next is the place for one more, and its number, from 1.
func (r *ring[T]) next() (place *T, seq int64) {
	place = &r.kept[r.n%keep]
	r.n++
	return place, r.n
}

// each gives those that are kept, the newest first.
func (r *ring[T]) each(do func(*T)) {
	for i := r.n - 1; i >= max(0, r.n-keep); i-- {
		do(&r.kept[i%keep])
	}
}

// faultCount is one kind of dead letters.
type faultCount struct {
	pipeline.Fault
	failures
}

// byFault are the kinds of dead letters, the most frequent first. The caller holds the lock.
func (s *seen) byFault() []faultCount {
	var out []faultCount
	for fault, f := range s.failed {
		out = append(out, faultCount{fault, *f})
	}
	slices.SortFunc(out, func(a, b faultCount) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Stage, b.Stage))
	})
	return out
}

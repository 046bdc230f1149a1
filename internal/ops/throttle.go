package ops

import (
	"sync"
	"time"
)

// maxThrottled bounds the keys that a Throttle remembers.
const maxThrottled = 1000

// Throttle keeps a warning that repeats from filling the log. It may be used
// concurrently.
type Throttle struct {
	every time.Duration
	now   func() time.Time

	mu   sync.Mutex
	keys map[string]*throttled // guarded by mu
}

type throttled struct {
	last       time.Time
	suppressed int
}

// NewThrottle lets each key through once in every.
func NewThrottle(every time.Duration, now func() time.Time) *Throttle {
	return &Throttle{every: every, now: now, keys: make(map[string]*throttled)}
}

// Allow reports whether key may be logged now, and how often it was not since
// the last time it was.
func (t *Throttle) Allow(key string) (suppressed int, ok bool) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	state, known := t.keys[key]
	if !known {
		t.forget(now)
		t.keys[key] = &throttled{last: now}
		return 0, true
	}
	if now.Sub(state.last) < t.every {
		state.suppressed++
		return 0, false
	}
	suppressed = state.suppressed
	*state = throttled{last: now}
	return suppressed, true
}

// forget makes room: first what is over, then, at the bound, everything. A
// line too many is better than memory without bound.
func (t *Throttle) forget(now time.Time) {
	if len(t.keys) < maxThrottled {
		return
	}
	for key, state := range t.keys {
		if now.Sub(state.last) >= t.every {
			delete(t.keys, key)
		}
	}
	if len(t.keys) >= maxThrottled {
		clear(t.keys)
	}
}

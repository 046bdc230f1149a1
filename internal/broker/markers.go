package broker

import "time"

// A transaction cannot open before the markers of the one before it are written: the
// coordinator answers CONCURRENT_TRANSACTIONS until then (KIP-98). They take as long as
// the rest of a small transaction. Whoever closes his batches first and then waits has
// left out everything that has come meanwhile, for a whole transaction more, and asks
// the broker again and again while that is busy with the markers. So the loop waits
// before it closes batches, for about as long as they took lately.

// longestMarkers is the longest the loop waits for markers without asking. It is far
// above what they take in a cluster that is well, and far below what anybody would notice.
const longestMarkers = 20 * time.Millisecond

// markers is how long they take, as the loop knows it.
type markers struct {
	typical time.Duration
	// written is when those of the last transaction probably are.
	written time.Time
}

// markersSeen is what a committed transaction tells about the markers of the one before.
type markersSeen struct {
	// after is from the end of that transaction to the opening of this one.
	after time.Duration
	// asked is how often the coordinator was asked; 0 when there was none before, or
	// something else than markers was waited for.
	asked int
}

// ended learns from a transaction that has committed at a time. Was it early, the next
// one waits longer, though not by much after a single one that took very long; was it in
// time, it might have been earlier, and the next one tries. With markers that vary by a
// quarter one in three is early, and asks once more
// (TestMarkers_AreWaitedForAboutAsLongAsTheyTake).
func (m *markers) ended(at time.Time, seen markersSeen) {
	switch {
	case seen.asked > 1:
		m.typical += min(seen.after-m.typical, m.typical+time.Millisecond) / 4
	case seen.asked == 1 && seen.after < 2*m.typical: // it has come as soon as it might
		m.typical -= m.typical / 32
	}
	m.typical = min(max(0, m.typical), longestMarkers)
	m.written = at.Add(m.typical)
}

package broker

import (
	"testing"
	"time"
)

// The brokers' clock is known to the width of the question; what cannot be told from
// it is not made up.
func TestBrokerClock_FollowsWhatTheBrokersSay(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_700_000_000_000)
	var b brokerClock
	if !b.due(start) || !b.at(start).Equal(start) {
		t.Error("a clock that was not read is not due, or is not ours")
	}
	sent, answered := start, start.Add(8*time.Millisecond)
	for _, c := range []struct {
		shown, want time.Duration
	}{
		{0, 0}, {8 * time.Millisecond, 0}, // within the question: nothing says that they differ
		{time.Hour, time.Hour - 4*time.Millisecond}, {-time.Hour, -time.Hour - 4*time.Millisecond},
	} {
		b.read(start.Add(c.shown).UnixMilli(), sent, answered)
		if got := b.at(start).Sub(start); (got - c.want).Abs() > time.Millisecond {
			t.Errorf("the broker shows %v more: it is ahead by %v, want %v", c.shown, got, c.want)
		}
	}
	known := b.at(start)
	b.read(unknownTime, sent, answered)
	if got := b.at(start); !got.Equal(known) {
		t.Errorf("an answer without a time moves the clock by %v", got.Sub(known))
	}
	if b.due(answered.Add(clockTTL-time.Millisecond)) || !b.due(answered.Add(clockTTL)) || !b.due(answered.Add(-time.Hour)) {
		t.Errorf("a reading is to be due again after %v, or when our clock was set back", clockTTL)
	}
	// Times as time.Now gives them also say how long the process has run, and are compared by
	// that, whatever is done to the clock.
	now := time.Now()
	if b.read(now.UnixMilli(), now, now); b.readAt != b.readAt.Round(0) { // == sees the monotonic reading
		t.Error("when a reading is due goes by how long the process has run")
	}
}

package brokertest

import (
	"fmt"
	"testing"
	"time"

	"pulse-scorer/internal/broker"
)

// lagByBrokersClock: how old what waits is, is told by the brokers' clock, which is
// this machine's here, whatever the worker's own shows. A clock that was an hour late
// showed no lag at all, one that was early raised an alarm.
func lagByBrokersClock(t *testing.T, c Cluster) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			lagWithClock(t, c, ahead)
		})
	}
}

func lagWithClock(t *testing.T, c Cluster, ahead time.Duration) {
	b := newBundle(t, c, layout{tasks: 1})
	b.ahead = ahead
	w := b.start(func(s *broker.Settings) { s.TransactionTimeout = time.Minute })
	b.send(b.plain(1)...)
	b.awaitCommitted()
	f := w.network.arm(addPartitionsToTxn, holdBefore)
	const age = 20 * time.Second
	sent := time.Now().Add(-age)
	records := b.plain(5)
	for _, r := range records {
		r.Timestamp = sent
	}
	b.send(records...)
	await(t, "before AddPartitionsToTxn", f.fired)
	seconds := func() float64 { s, _ := w.metric("pulse_consumer_lag_seconds"); return s }
	eventually(t, func() string {
		if got := seconds(); got < age.Seconds() {
			return fmt.Sprintf("records %v old wait, and lag is %v s", age, got)
		}
		return ""
	})
	got, most := seconds(), time.Since(sent)+time.Second
	if got > most.Seconds() {
		t.Errorf("lag is %v s, want at most %v: the records are no older", got, most)
	}
	for _, task := range w.engine.Status().Tasks {
		if task.LagSeconds < age.Seconds() || task.LagSeconds > (most+patience).Seconds() {
			t.Errorf("the status says %v s, the metric %v s", task.LagSeconds, got)
		}
	}
	f.release()
	b.verify()
	w.awaitMetric("pulse_consumer_lag_seconds", 0)
}

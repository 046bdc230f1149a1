package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// expectCheck compares a check, by what its detail must have; nothing means that all is well.
func (w watchLab) expectCheck(t *testing.T, when, name, detail string) {
	t.Helper()
	w.look(t.Context())
	got, made := w.found()[name]
	if !made || got.OK != (detail == "") || !strings.Contains(got.Detail, detail) {
		t.Errorf("%s: check %s says %+v (made: %v), want %q", when, name, got, made, detail)
	}
	want := 0.0
	if detail == "" {
		want = 1
	}
	if shown := w.shown(t)[name]; shown != want {
		t.Errorf("%s: pulse_health{check=%q} is %v, want %v", when, name, shown, want)
	}
}

func TestWatch_Group(t *testing.T) {
	t.Parallel()
	w := newWatchLab(t)
	now := time.Now()
	w.now = func() time.Time { return now }
	w.set.SessionTimeout = 10 * time.Second
	w.member.mu.Lock()
	w.member.sure = now
	w.member.mu.Unlock()
	w.expectCheck(t, "with a heartbeat just now", checkGroup, "")
	now = now.Add(11 * time.Second)
	w.expectCheck(t, "without a heartbeat", checkGroup, "no heartbeat for 11s")
	w.member.publish(nil)
	w.expectCheck(t, "expelled", checkGroup, "not a member of group g")
	w.expectCheck(t, "expelled", checkState, "could not be made")
}

func TestWatch_Broker(t *testing.T) {
	t.Parallel()
	w := newWatchLab(t)
	w.expectCheck(t, "while it answers", checkBroker, "")
	w.admin = NewAdmin(Connection{Brokers: []string{"127.0.0.1:1"}}, w.set.Topics, TopicSettings{Replication: -1})
	w.expectCheck(t, "when none answers", checkBroker, "PULSE_BROKERS")
	for _, name := range []string{checkTopics, checkState, checkInputRetention, checkDeadRetention} {
		if c := w.found()[name]; c.OK || !c.unknown {
			t.Errorf("check %s says %+v although no broker answers", name, c)
		}
	}
}

// A transaction that hangs in the state's topic keeps the next owner from reading it;
// one that is just open does not.
func TestWatch_State(t *testing.T) {
	t.Parallel()
	w := newWatchLab(t)
	now := time.Now()
	w.now = func() time.Time { return now }
	w.set.TransactionTimeout = 10 * time.Second
	w.expectCheck(t, "with nothing in it", checkState, "")
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.TransactionalID("stranger"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "state", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.expectCheck(t, "with an open transaction", checkState, "")
	now = now.Add(standsStill * w.set.TransactionTimeout)
	w.expectCheck(t, "with one that is open for as long as it may", checkState, "")
	now = now.Add(time.Second)
	w.expectCheck(t, "with one that hangs", checkState, "a transaction holds state-0 at offset 0 for 31s")
	if err := client.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	w.expectCheck(t, "when it has ended", checkState, "")
	w.health.stalledTask(4)
	w.health.restores([]*progress{{task: 7, began: now.Add(-restoreFor - time.Second)}})
	w.expectCheck(t, "with a task that was given up", checkState, "[4]")
	w.expectCheck(t, "with a restore that does not end", checkState, "task 7 is being restored")
}

// What the engine does not know is looked at with the rest.
func TestWatch_OthersChecks(t *testing.T) {
	t.Parallel()
	w := newWatchLab(t)
	detail := ""
	w.more = func() []Check { return []Check{{Name: "enrichers", OK: detail == "", Detail: detail}} }
	w.expectCheck(t, "when it is well", "enrichers", "")
	detail = "risk is down"
	w.expectCheck(t, "when it is not", "enrichers", detail)
	if !strings.Contains(w.out.String(), "health check failed") || !strings.Contains(w.out.String(), detail) {
		t.Errorf("the log does not say so: %s", w.out)
	}
}

func TestMeter_IsOverTheLastSeconds(t *testing.T) {
	t.Parallel()
	var m meter
	at := time.UnixMilli(1_700_000_000_000)
	if got := m.perSecond(at); got != 0 {
		t.Errorf("at once %v, want 0", got)
	}
	for range 600 { // a minute of 1,000 a second
		at = at.Add(tick)
		m.total += 100
		m.perSecond(at)
	}
	if got := m.perSecond(at); got != 1000 {
		t.Errorf("%v a second, want 1000", got)
	}
	for range 150 {
		at = at.Add(tick)
		m.perSecond(at)
	}
	if got := m.perSecond(at); got != 0 {
		t.Errorf("15 s after the last one %v a second, want 0", got)
	}
	if len(m.past) > 12 {
		t.Errorf("%d readings are kept for ten seconds", len(m.past))
	}
}

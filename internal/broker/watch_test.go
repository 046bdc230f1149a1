package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"pulse-scorer/internal/broker/batch"
)

// watchLab is a watch of a member with one task, on a broker that answers as a
// test says.
type watchLab struct {
	*watch

	cluster  *kfake.Cluster
	registry *prometheus.Registry
	out      *bytes.Buffer
}

func newWatchLab(t *testing.T) watchLab {
	t.Helper()
	topics := Topology{Input: "in", Results: "out", DeadLetters: "dead", State: "state"}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topics.Input, topics.Results, topics.DeadLetters, topics.State))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	commitOffset(t, cluster.ListenAddrs(), topics.Input)
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	conn := Connection{Brokers: cluster.ListenAddrs(), ClientID: "test"}
	c, err := newCluster(conn, "g", topics, mem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	out, registry := new(bytes.Buffer), prometheus.NewRegistry()
	deps := Deps{Log: slog.New(slog.NewTextHandler(out, nil)), Now: time.Now}
	set := Settings{Group: "g", Topics: topics, TopicsCreate: true}
	metrics := newMetrics(registry)
	m := newMember(c, set, deps.Log, metrics, deps.Now)
	m.publish(&generation{id: 1, tasks: []int32{0}, partitions: 1})
	return watchLab{newWatch(conn, set, deps, c, m, newHealth(deps.Now, time.Minute), metrics), cluster, registry, out}
}

// commitOffset makes the group, as an operator does who sets its offsets.
func commitOffset(t *testing.T, brokers []string, input string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MaxVersions(kversion.V3_7_0())) // later ones name topics by ID
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = input
	topic.Partitions = append(topic.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("commit an offset: %v", err)
	}
}

func (w watchLab) found() map[string]Check {
	found := make(map[string]Check)
	for _, c := range w.health.check.Checks {
		found[c.Name] = c
	}
	return found
}

// shown is what pulse_health has for each check.
func (w watchLab) shown(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "pulse_health" {
				shown[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return shown
}

// What a check needs could not be asked for, and then nothing was shown at all: the
// others' findings were dropped, and what each had found before stayed, however
// long ago that was.
func TestWatch_SaysWhichCheckCouldNotBeMade(t *testing.T) {
	t.Parallel()
	w := newWatchLab(t)
	w.look(t.Context())
	before := w.found()
	for _, name := range []string{checkBroker, checkState, checkInputRetention, checkDeadRetention} {
		if !before[name].OK {
			t.Fatalf("check %s says %+v, want that all is well", name, before[name])
		}
	}
	var asked atomic.Int32
	w.cluster.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		asked.Add(1)
		req, _ := r.(*kmsg.ListOffsetsRequest)
		res, _ := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = req.Topics[0].Topic
		partition := kmsg.NewListOffsetsResponseTopicPartition()
		partition.Partition, partition.ErrorCode = req.Topics[0].Partitions[0].Partition, kerr.UnknownServerError.Code
		topic.Partitions = append(topic.Partitions, partition)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	for range 2 { // the second adds nothing to the log
		w.look(t.Context())
	}
	if asked.Load() == 0 {
		t.Fatal("nobody has asked for offsets: the fault has not fired")
	}
	after := w.found()
	for _, name := range []string{checkBroker, checkTopics} {
		if after[name] != before[name] {
			t.Errorf("check %s says %+v, want as before %+v", name, after[name], before[name])
		}
	}
	for _, name := range []string{checkState, checkInputRetention, checkDeadRetention} {
		c := after[name]
		if c.OK || !strings.Contains(c.Detail, "could not be made") || !strings.Contains(c.Detail, "UNKNOWN_SERVER_ERROR") {
			t.Errorf("check %s says %+v, want that it could not be made, and why", name, c)
		}
		if got, ok := w.shown(t)[name]; !ok || got != 0 {
			t.Errorf("pulse_health{check=%q} is %v, want 0", name, got)
		}
		if n := strings.Count(w.out.String(), "level=WARN msg=\"health check failed\" check="+name); n != 1 {
			t.Errorf("%d warnings of check %s, want 1", n, name)
		}
	}
}

// A check that could not be made and then finds something wrong says so at once.
func TestWatch_AFaultIsSaidAfterACheckThatCouldNotBeMade(t *testing.T) {
	t.Parallel()
	w := newWatchLab(t)
	w.publish(t.Context(), []Check{unknown(checkDeadRetention, kerr.UnknownServerError)})
	w.publish(t.Context(), []Check{check(checkDeadRetention, kerr.PolicyViolation)})
	w.publish(t.Context(), []Check{check(checkDeadRetention, nil)})
	var levels []string
	for line := range strings.Lines(w.out.String()) {
		levels = append(levels, strings.Fields(line)[1])
	}
	if got := strings.Join(levels, " "); got != "level=WARN level=ERROR level=INFO" {
		t.Errorf("the log has %q, want a warning, an error and that it is well again:\n%s", got, w.out)
	}
}

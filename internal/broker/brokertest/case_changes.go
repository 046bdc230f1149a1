package brokertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
)

// What others change under a running service: topics that grow, topics that are
// deleted and made again, offsets that are lost.

// watchful makes an engine look at its topics often.
func watchful(s *broker.Settings) { s.HealthInterval = 200 * time.Millisecond }

// grow gives a topic more partitions.
func (b *bundle) grow(name string, partitions int32) {
	b.t.Helper()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = name, partitions
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = 30_000
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(b.t.Context(), b.client)
	b.done("add partitions to "+name, err, func() int16 { return res.Topics[0].ErrorCode })
	b.awaitTopic(name, partitions)
}

// remake deletes a topic and makes it again under the same name.
func (b *bundle) remake(name string, config map[string]string) {
	b.t.Helper()
	b.deleteTopic(name)
	b.createTopic(name, b.tasks, config)
	// What a client knows of the old topic must not be what it works with.
	b.client = b.newClient()
}

// deleteTopic returns when the cluster does not tell of the topic any more.
func (b *bundle) deleteTopic(name string) {
	b.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 30_000
	req.TopicNames = append(req.TopicNames, name)
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(b.t.Context(), b.client)
	b.done("delete topic "+name, err, func() int16 { return res.Topics[0].ErrorCode })
	eventually(b.t, func() string {
		got, err := b.describe(name)
		if err != nil {
			return err.Error()
		}
		if got.ErrorCode != kerr.UnknownTopicOrPartition.Code {
			return fmt.Sprintf("topic %s: code %d after its deletion", name, got.ErrorCode)
		}
		return ""
	})
}

// labelled is the value of the series of a metric that has this label value.
func (w *worker) labelled(name, value string) (got float64, ok bool) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatalf("metrics: %v", err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == value {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
			}
		}
	}
	return 0, false
}

// awaitHealth waits until a check says what it should.
func (w *worker) awaitHealth(check string, want float64) {
	w.t.Helper()
	eventually(w.t, func() string {
		if got, ok := w.labelled("pulse_health", check); !ok || got != want {
			return fmt.Sprintf("pulse_health{check=%q} is %v (%v), want %v", check, got, ok, want)
		}
		return ""
	})
}

// inputGrows: the service's own topics follow; the new partitions wait, with an
// alarm, until the results have them, which are not the service's to change.
// Then they are read from their start, also by a group that began at the end of
// its input, and nothing happens to the old ones.
func inputGrows(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2, deadLetter: map[string]string{
		"max.message.bytes": "8388608", "retention.ms": fmt.Sprint((30 * 24 * time.Hour).Milliseconds()),
	}})
	latest := func(s *broker.Settings) { s.Start = broker.Latest }
	b.sendWith(b.client, b.plain(20)...) // before the group: not to be read
	first, second := b.start(watchful, latest), b.start(watchful, latest)
	b.awaitTasks([]*worker{first, second}, 1, 1)
	first.awaitReady()
	second.awaitReady()
	b.send(b.plain(100)...)
	b.grow(b.topology.Input, 4)
	b.tasks = 4
	b.client = b.newClient()
	b.send(b.plain(200)...)
	b.awaitTopic(b.topology.State, 4)
	b.awaitTopic(b.topology.DeadLetters, 4)
	first.awaitHealth("topics", 0)
	for p, offset := range b.committed()[2:] {
		if offset >= 0 {
			t.Errorf("partition %d has an offset before its results have a place", p+2)
		}
	}
	b.grow(b.topology.Results, 4)
	b.awaitTasks([]*worker{first, second}, 2, 2)
	first.awaitHealth("topics", 1)
	b.verify()
	first.stop()
	second.stop()
	third := b.start(latest)
	b.verifyRestored(third, judgement{})
}

// inputMadeAgain: while serving, and while nobody serves, with more records in
// the new topic than the old one had: none of them is lost, each has one
// result, and the state goes on.
func inputMadeAgain(t *testing.T, c Cluster) {
	for name, serving := range map[string]bool{"while serving": true, "while stopped": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, c, layout{tasks: 2})
			w := b.start(watchful)
			b.send(b.plain(100)...)
			b.verify()
			if !serving {
				w.stop()
			}
			b.remake(b.topology.Input, nil)
			again := mark("again", 0, 120)
			again = append(again, mark("again", 1, 120)...)
			b.sendWith(b.client, again...)
			if !serving {
				w = b.start(watchful)
			}
			j := judgement{again: map[int32][]*kgo.Record{0: again[:120], 1: again[120:]}}
			b.judge(j)
			w.stop()
			if n, _ := w.labelled("pulse_topics_recreated_total", b.topology.Input); n == 0 {
				t.Error("no alarm says that the input was made again")
			}
			next := b.start()
			b.verifyRestored(next, j)
			next.awaitReady()
			if n, _ := next.labelled("pulse_topics_recreated_total", b.topology.Input); n > 0 {
				t.Errorf("%v alarms after a batch was committed on the new input", n)
			}
		})
	}
}

// inputMadeAgainWithOffset: the group still has the offset of the deleted topic
// (a member that did not know yet committed it), and the new topic has grown
// beyond it.
func inputMadeAgainWithOffset(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 1})
	w := b.start()
	b.send(mark("old", 0, 50)...)
	b.verify()
	w.stop()
	old := b.committed()[0]
	b.remake(b.topology.Input, nil)
	again := mark("new", 0, int(old)+70)
	b.sendWith(b.client, again...)
	b.commitAs(0, old)
	b.awaitOffset(0, old)
	b.start()
	b.judge(judgement{again: map[int32][]*kgo.Record{0: again}})
}

// outputsMadeAgain: results and dead letters that are deleted are gone, by
// whoever deleted them; what comes is written to their successors, and it is
// said.
func outputsMadeAgain(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 1})
	w := b.start(watchful)
	b.send(mark("before", 0, 30)...)
	b.verify()
	b.remake(b.topology.Results, nil)
	b.remake(b.topology.DeadLetters, nil)
	for _, name := range []string{b.topology.Results, b.topology.DeadLetters} {
		eventually(t, func() string {
			if n, _ := w.labelled("pulse_topics_recreated_total", name); n == 0 {
				return "no alarm says that " + name + " was made again"
			}
			return ""
		})
	}
	w.awaitReady()
	late := mark("after", 0, 30)
	late[7].Value = []byte(asksDeadLetter)
	b.send(late...)
	b.awaitCommitted()
	want := b.run(0, judgement{})
	for _, wrong := range []string{
		differ("results", lines(b.read(b.topology.Results)[0]), want.results[30:]),
		differ("dead letters", lines(b.read(b.topology.DeadLetters)[0]), want.letters),
	} {
		if wrong != "" {
			t.Error(wrong)
		}
	}
}

// stateMadeAgain: what the tasks remembered is gone, and that is said; the input
// goes on where the group was, and what is remembered from then on is restored
// as it was.
func stateMadeAgain(t *testing.T, c Cluster) {
	for name, serving := range map[string]bool{"while serving": true, "while stopped": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, c, layout{tasks: 1})
			change := watchful
			if !serving {
				change = func(*broker.Settings) {}
			}
			w := b.start(change)
			b.send(mark("before", 0, 30)...)
			b.verify()
			if !serving {
				w.stop()
			}
			b.remake(b.topology.State, map[string]string{"cleanup.policy": "compact"})
			if !serving {
				w = b.start(change)
			}
			w.awaitMetric("pulse_states_lost_total", 1)
			w.awaitReady()
			b.goesOnWithoutState(w)
		})
	}
}

// stateTorn: the state topic was made again under a worker that did not know yet
// and went on writing. What is in the topic then is neither everything nor
// nothing: it is void, for this takeover and all later ones.
func stateTorn(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 1})
	w := b.start()
	b.send(mark("before", 0, 30)...)
	b.verify()
	w.stop()
	b.remake(b.topology.State, map[string]string{"cleanup.policy": "compact"})
	owner := fmt.Sprintf(`{"v":1,"owner":"%s-other","seq":9,"next":{%q:%d},"topics":{"state":"AAAAAAAAAAAAAAAAAAAAAQ"}}`,
		b.group, b.topology.Input, b.committed()[0])
	b.sendWith(b.client,
		&kgo.Record{Topic: b.topology.State, Key: []byte(lastPrefix + "torn"), Value: []byte("7")},
		&kgo.Record{Topic: b.topology.State, Key: []byte("\x00owner"), Value: []byte(owner)})
	next := b.start()
	next.awaitMetric("pulse_states_lost_total", 1)
	b.goesOnWithoutState(next)
}

// goesOnWithoutState checks that the one task, whose state w found lost, treats
// what comes as a new one would and leaves the results of before alone, and that
// this much is restored by the next worker.
func (b *bundle) goesOnWithoutState(w *worker) {
	b.t.Helper()
	before := b.run(0, judgement{}).results
	b.inputs[0] = mark("after", 0, 30)
	b.sendWith(b.client, b.inputs[0]...)
	b.awaitCommitted()
	want := b.run(0, judgement{}).results
	if wrong := differ("results", lines(b.read(b.topology.Results)[0]), slices.Concat(before, want)); wrong != "" {
		b.t.Error(wrong)
	}
	w.stop()
	next := b.start()
	b.verifyRestored(next, judgement{})
	next.awaitReady()
	next.awaitMetric("pulse_states_lost_total", 0)
}

// offsetsForgotten: the group's offsets are gone, as they are a week after the
// last member: the state knows where it was.
func offsetsForgotten(t *testing.T, c Cluster) {
	for name, start := range map[string]broker.StartOffset{"earliest": broker.Earliest, "latest": broker.Latest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, c, layout{tasks: 2})
			set := func(s *broker.Settings) { s.Start = start }
			w := b.start(set)
			w.awaitReady()
			b.send(b.plain(100)...)
			b.awaitCommitted()
			w.stop()
			b.send(b.plain(60)...)
			b.forgetGroup()
			w = b.start(set)
			b.verify()
			w.awaitMetric("pulse_offset_mismatches_total", 2)
		})
	}
}

// forgetGroup deletes the group with its offsets.
func (b *bundle) forgetGroup() {
	b.t.Helper()
	eventually(b.t, func() string {
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = append(req.Groups, b.group)
		res, err := req.RequestWith(b.t.Context(), b.client)
		if err == nil {
			err = kerr.ErrorForCode(res.Groups[0].ErrorCode)
		}
		if err != nil {
			return "delete the group: " + err.Error()
		}
		return ""
	})
}

// whatWaits: input that retention is about to delete unread is an alarm, and so
// are dead letters.
func whatWaits(t *testing.T, c Cluster) {
	const kept = 10 * time.Hour
	b := newBundle(t, c, layout{tasks: 2, input: map[string]string{"retention.ms": fmt.Sprint(kept.Milliseconds())}})
	recorder := newRecorder()
	release := recorder.hold()
	w := b.startWith(func(id int32) broker.Task { return newTask(recorder, id) }, watchful)
	w.awaitHealth("input_retention", 1)
	late := mark("late", 1, 3)
	for i, r := range late {
		r.Timestamp = time.Now().Add(-kept/10*9 - time.Minute)
		if i == 2 {
			r.Timestamp = time.Now()
		}
	}
	b.send(late...)
	w.awaitHealth("input_retention", 0)
	release()
	b.verify()
	w.awaitHealth("input_retention", 1)
	w.awaitHealth("dead_letter_retention", 1)
}

// deadLettersWait: so are dead letters, until somebody has dealt with them; the
// check says where they are, what becomes of them and what to do.
func deadLettersWait(t *testing.T, c Cluster) {
	const kept = 30 * 24 * time.Hour
	b := newBundle(t, c, layout{tasks: 2, deadLetter: map[string]string{"retention.ms": fmt.Sprint(kept.Milliseconds())}})
	w := b.start(watchful)
	w.awaitHealth("dead_letter_retention", 1)
	letters := mark("letter", 1, 3)
	for i, r := range letters {
		r.Topic, r.Timestamp = b.topology.DeadLetters, time.Now()
		if i < 2 {
			r.Timestamp = time.Now().Add(-kept/10*9 - time.Minute)
		}
	}
	b.sendWith(b.client, letters...)
	w.awaitHealth("dead_letter_retention", 0)
	detail := ""
	for _, found := range w.engine.Status().Health.Checks {
		if found.Name == "dead_letter_retention" {
			detail = found.Detail
		}
	}
	for _, part := range []string{b.topology.DeadLetters + "-1", "offsets 0 to 1 ", "will be deleted", "retention.ms"} {
		if !strings.Contains(detail, part) {
			t.Errorf("the check says %q, want %q in it", detail, part)
		}
	}
	w.awaitHealth("input_retention", 1)
	b.deleteRecords(b.topology.DeadLetters, 1, 2)
	w.awaitHealth("dead_letter_retention", 1)
}

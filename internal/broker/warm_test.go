package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/pipeline"
)

// notedTask notes what it is restored from.
type notedTask struct {
	keys   []string
	refuse string
	calls  *[]string
}

func (n *notedTask) Restore(key, _ []byte) error {
	n.keys = append(n.keys, string(key))
	if string(key) == n.refuse {
		return errors.New("does not follow (test)")
	}
	return nil
}
func (n *notedTask) Restored() error           { return nil }
func (n *notedTask) Prefetch(*pipeline.Record) {}

func (n *notedTask) Process(*pipeline.Record, pipeline.Sink) pipeline.Answer {
	return pipeline.Taken
}
func (n *notedTask) Finish(context.Context, pipeline.Sink) pipeline.Answer { return pipeline.Taken }
func (n *notedTask) Seal(int64, pipeline.Sink)                             {}
func (n *notedTask) Commit()                                               { n.note("commit") }
func (n *notedTask) Rollback()                                             { n.note("rollback") }
func (n *notedTask) Open()                                                 { n.note("open") }
func (n *notedTask) Close()                                                { n.note("close") }
func (n *notedTask) note(call string) {
	if n.calls != nil {
		*n.calls = append(*n.calls, call)
	}
}

// stateLab is a state topic with one partition on an embedded broker, and an
// engine that reads it.
type stateLab struct {
	engine *Engine
	client *kgo.Client
	end    int64
	id     wire.TopicID
}

func newStateLab(t *testing.T) *stateLab {
	t.Helper()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "in", Partitions: 1}, {Name: "state", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	second := time.Second
	e, err := New(Connection{Brokers: b.Addrs(), ClientID: "test"}, Settings{
		Group: "g", Topics: Topology{Input: "in", State: "state"}, Start: Earliest,
		CommitInterval: second, TransactionTimeout: second, SessionTimeout: second, HeartbeatInterval: second,
		StallTimeout: second, DrainTimeout: second, MaxRecordBytes: 1 << 20, MaxInflightBytes: 16 << 20, Compression: batch.None,
	}, Deps{
		Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Now: time.Now,
		NewTask: func(int32) Task { return &notedTask{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.work = t.Context()
	t.Cleanup(e.cluster.close)
	lab := &stateLab{engine: e, client: client}
	if lab.id, err = stateTopic(t, e); err != nil || lab.id == (wire.TopicID{}) {
		t.Fatalf("topic ID %v, %v", lab.id, err)
	}
	return lab
}

func stateTopic(t *testing.T, e *Engine) (wire.TopicID, error) {
	t.Helper()
	if err := e.cluster.lookUp(t.Context()); err != nil {
		return wire.TopicID{}, err
	}
	return e.cluster.topicID("state")
}

// write adds state records, and an owner record after every third.
func (l *stateLab) write(t *testing.T, keys ...string) {
	t.Helper()
	for i, key := range keys {
		records := []*kgo.Record{{Key: []byte(key), Value: []byte("v")}}
		if i%3 == 2 {
			o := ownerRecord{Owner: "g-1", Sequence: int64(i/3 + 1), Next: map[string]int64{"in": int64(i)}}
			records = append(records, &kgo.Record{Key: []byte(ownerKey), Value: o.encode()})
		}
		for _, r := range records {
			if err := l.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			l.end = r.Offset
		}
	}
}

func (l *stateLab) deleteBefore(t *testing.T, offset int64) {
	t.Helper()
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Offset = offset
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "state", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{partition}}}
	res, err := req.RequestWith(t.Context(), l.client)
	if err != nil || res.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("delete records: %v, %+v", err, res)
	}
}

func (l *stateLab) restore(t *testing.T, w *warmState) *restore {
	t.Helper()
	task := &task{}
	task.ctx, task.cancel = context.WithCancelCause(t.Context())
	r := &restore{
		engine: l.engine, by: &takeover{engine: l.engine, gen: &generation{}}, task: task, ids: topicIDs{State: l.id}, end: l.end, warm: w,
		progress: &progress{began: time.Now()},
	}
	if err := r.restore(t.Context()); err != nil {
		t.Fatalf("restore: %v", err)
	}
	return r
}

// What was kept is continued with what came after it, and only if the log still
// tells what did; else the whole is read into a new one.
func TestRestore_ContinuesAKeptStateOnlyWhenTheLogAllows(t *testing.T) {
	t.Parallel()
	all := []string{"a", "b", "c", "d", "e", "f"} // at 0 1 2, owner 3, 4 5 6, owner 7
	cases := []struct {
		name  string
		spoil func(*testing.T, *stateLab, *warmState)
		want  []string
		warm  bool
	}{
		{"as it should be", func(*testing.T, *stateLab, *warmState) {}, []string{"d", "e", "f"}, true},
		{"another topic of the same name", func(_ *testing.T, _ *stateLab, w *warmState) { w.last.Topics.State[3]++ }, all, false},
		{"tombstones may be gone", func(_ *testing.T, _ *stateLab, w *warmState) { w.asOf = w.asOf.Add(-13 * time.Hour) }, all, false},
		{"nobody knows how old it is", func(_ *testing.T, _ *stateLab, w *warmState) { w.asOf = time.Time{} }, all, false},
		{"the log is shorter", func(_ *testing.T, _ *stateLab, w *warmState) { w.next = 100 }, all, false},
		{"the log begins later", func(t *testing.T, l *stateLab, _ *warmState) {
			t.Helper()
			l.deleteBefore(t, 5)
		}, []string{"e", "f"}, false},
		{"another transaction follows", func(_ *testing.T, _ *stateLab, w *warmState) { w.last.Sequence = 2 }, all, false},
		{"the record path refuses what follows", func(_ *testing.T, _ *stateLab, w *warmState) {
			w.path = &notedTask{refuse: "e"}
		}, all, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab := newStateLab(t)
			lab.write(t, all...)
			w := &warmState{path: &notedTask{}, next: 4, asOf: time.Now(), last: ownerRecord{Sequence: 1, Topics: topicIDs{State: lab.id}}}
			c.spoil(t, lab, w)
			r := lab.restore(t, w)
			got := r.path.(*notedTask) //nolint:forcetypeassert // the engine's NewTask
			if (r.path == w.path) != c.warm || (r.warm != nil) != c.warm {
				t.Errorf("continued %v, want %v", r.path == w.path, c.warm)
			}
			if !slices.Equal(got.keys, c.want) {
				t.Errorf("restored from %v, want %v", got.keys, c.want)
			}
			if r.next != lab.end+1 || r.last.Sequence != 2 {
				t.Errorf("ends at %d after transaction %d, want %d, 2", r.next, r.last.Sequence, lab.end+1)
			}
		})
	}
}

// A state is kept when it is, to the record, what the log says up to an offset.
func TestKeepWarm_OnlyWhatIsCertain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		have func(*Engine, *task)
		kept bool
	}{
		{"as of its last commit", func(*Engine, *task) {}, true},
		{"its task has been given to us again", func(e *Engine, _ *task) { e.tasks[3] = &task{id: 3} }, true},
		{"and is being restored already", func(e *Engine, _ *task) { e.tasks[3] = &task{id: 3, phase: phaseRestoring} }, false},
		{"a transaction's outcome was not found out", func(e *Engine, w *task) { end(t, e, w, part{verdict: unsettled}, true) }, false},
		{"somebody else moved the offset", func(e *Engine, w *task) { end(t, e, w, part{verdict: unclear}, true) }, false},
		{"an offset had to tell that it committed", func(e *Engine, w *task) { end(t, e, w, part{verdict: committed, stateEnd: 70}, false) }, false},
		{"where its records are is not known", func(e *Engine, w *task) { end(t, e, w, part{verdict: committed, stateEnd: -1}, true) }, false},
		{"and then a transaction ended as asked", func(e *Engine, w *task) {
			end(t, e, w, part{verdict: committed, stateEnd: -1}, true)
			end(t, e, w, part{verdict: committed, stateEnd: 80}, true)
		}, true},
		{"a transaction was rolled back", func(e *Engine, w *task) { end(t, e, w, part{verdict: rolledBack, stateEnd: 70}, false) }, true},
		{"draining", func(e *Engine, _ *task) { e.draining = true }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newIdleEngine(t)
			e.warm, e.mostTasks = make(map[int32]*warmState), 4
			w := e.newTask(3)
			w.phase, w.stateNext, w.sequence, w.written = phaseRunning, 60, 5, ownerRecord{Sequence: 5}
			c.have(e, w)
			e.keepWarm(w, &notedTask{})
			if got := e.takeWarm(3); (got != nil) != c.kept {
				t.Fatalf("kept %+v, want %v", got, c.kept)
			} else if got != nil && (got.next != w.stateNext || got.last.Sequence != w.sequence) {
				t.Errorf("kept as of %d, transaction %d; want %d, %d", got.next, got.last.Sequence, w.stateNext, w.sequence)
			}
			if e.takeWarm(3) != nil {
				t.Error("a state is handed out twice")
			}
		})
	}
}

// end lets a transaction of a task that was given away come to its end.
func end(t *testing.T, e *Engine, w *task, p part, answered bool) {
	t.Helper()
	p.task, p.worker, p.next = w.id, w, offsets{w.committed + 1}
	if p.verdict == rolledBack {
		w.sequence++ // as sealed
	}
	if err := e.onOutcome(&transaction{parts: []*part{&p}, answered: answered}); err != nil {
		t.Fatal(err)
	}
	for len(w.orders) > 0 {
		<-w.orders
	}
}

// There are no more states in memory than tasks there were at once, and none for
// ever.
func TestKeepWarm_IsBounded(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	e := newIdleEngine(t)
	e.warm, e.mostTasks = make(map[int32]*warmState), 4
	e.tasks[0], e.tasks[1] = &task{id: 0}, &task{id: 1}
	for id := range int32(5) {
		e.keepWarm(&task{id: id + 10, stateNext: 7, releasedAt: now.Add(time.Duration(id) * time.Minute)}, &notedTask{})
	}
	if len(e.warm) != 2 || e.warm[13] == nil || e.warm[14] == nil {
		t.Errorf("kept are %v, want the last two: 13 and 14", e.warm)
	}
	e.expireWarm(now.Add(warmKept + 3*time.Minute + time.Second))
	if len(e.warm) != 1 || e.warm[14] == nil {
		t.Errorf("kept are %v after %v, want 14 alone", e.warm, warmKept)
	}
	e.tasks[14] = &task{id: 14}
	e.tasks[2], e.tasks[3] = &task{id: 2}, &task{id: 3}
	if e.boundWarm(); e.warm[14] == nil {
		t.Error("the state of a task that has just come back is dropped to make room for it")
	}
}

// A worker hands its state over as of the last commit, and after its last use.
func TestWorker_HandsItsStateOverWhenStopped(t *testing.T) {
	t.Parallel()
	e := newIdleEngine(t)
	var calls []string
	w := &worker{task: e.newTask(3), path: &notedTask{calls: &calls}}
	w.task.order(order{kind: orderStop})
	replies := make(chan reply)
	var running sync.WaitGroup
	running.Go(func() { w.run(replies) })
	r := <-replies
	running.Wait()
	if want := []string{"open", "close", "rollback"}; r.kind != orderStop || r.path != w.path || !slices.Equal(calls, want) {
		t.Errorf("stopped with %v after %v, want the path after %v", r, calls, want)
	}
}

func TestProgress_EstimatesWhatIsLeft(t *testing.T) {
	t.Parallel()
	began := time.UnixMilli(1_700_000_000_000)
	p := &progress{task: 4, began: began}
	p.from.Store(1000)
	p.end.Store(3000)
	for _, c := range []struct{ at, records, want int64 }{
		{1000, 0, 2000}, {1500, 100, 400}, {2000, 800, 1600}, {3000, 1700, 1700},
	} {
		p.at.Store(c.at)
		p.records.Store(c.records)
		want := RestoreStatus{Task: 4, Records: c.records, Estimated: c.want, Seconds: 2}
		if got := p.status(began.Add(2 * time.Second)); got != want {
			t.Errorf("at %d: %+v, want %+v", c.at, got, want)
		}
	}
}

// A restore that lasts is told about: in /status at once, in the log every two
// seconds; the service is not ready before it is over.
func TestObserveRestores_TellsUntilReady(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	lines := &countingHandler{}
	e := newIdleEngine(t)
	e.log, e.metrics = slog.New(lines), newMetrics(prometheus.NewRegistry())
	e.deps.Now = func() time.Time { return now }
	e.health = newHealth(e.deps.Now, time.Minute)
	w := e.newTask(3)
	w.phase, w.progress = phaseRestoring, &progress{task: 3, began: now}
	w.progress.end.Store(100)
	e.tasks[3] = w
	e.health.topicsChecked()
	e.health.answered()
	e.health.assigned(true, e.restoring())
	for range 50 {
		e.observeRestores(now)
		if got := e.Status().Restores; len(got) != 1 || got[0].Task != 3 {
			t.Fatalf("status shows restores %v, want one of task 3", got)
		}
		if e.Ready() == nil {
			t.Fatal("ready while the state is being restored")
		}
		now = now.Add(100 * time.Millisecond)
		e.health.answered()
	}
	if lines.n != 2 {
		t.Errorf("%d lines of progress in five seconds, want 2", lines.n)
	}
	w.phase, w.progress = phaseRunning, nil
	e.health.assigned(true, e.restoring())
	e.observeRestores(now)
	if got := e.Status(); len(got.Restores) != 0 || e.Ready() != nil {
		t.Errorf("after the restore: %+v, %v; want ready and no restore", got, e.Ready())
	}
}

type countingHandler struct{ n int }

func (*countingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *countingHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "restoring state" {
		h.n++
	}
	return nil
}
func (h *countingHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *countingHandler) WithGroup(string) slog.Handler      { return h }

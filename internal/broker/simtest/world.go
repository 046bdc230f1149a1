package simtest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
)

// Names in every simulated cluster. Frames are known by them.
const (
	group       = "simulated"
	inputTopic  = "sim.in"
	resultTopic = "sim.out"
	letterTopic = "sim.dead"
	stateTopic  = "sim.state"
)

func topics() broker.Topology {
	return broker.Topology{Input: inputTopic, Results: resultTopic, DeadLetters: letterTopic, State: stateTopic}
}

// world is one simulated cluster with everything in it.
type world struct {
	t       *testing.T
	plan    Plan
	network *kfake.VirtualNetwork
	cluster *kfake.Cluster
	stateID [16]byte    // of the state topic: fetches go by it
	client  *kgo.Client // another make than what is tested
	journal *slog.Logger
	pages   *pages
	source  *source
	watch   *watch
	began   time.Time

	// started counts the workers.
	started atomic.Int32

	mu        sync.Mutex // guards the rest
	processes []*process
	faults    []*fault
	closing   bool
	tasks     int // of the simulation itself: pauses that end, successors that start
	wrong     []string
}

// pages holds the journal of a run.
type pages struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (p *pages) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *pages) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

func newWorld(t *testing.T, plan Plan) *world {
	w := &world{t: t, plan: plan, network: new(kfake.VirtualNetwork), pages: new(pages), began: time.Now()}
	w.journal = slog.New(slog.NewTextHandler(w.pages, &slog.HandlerOptions{ReplaceAttr: w.sinceStart}))
	ports := make([]int, plan.Brokers)
	for i := range ports {
		ports[i] = 9092 + i
	}
	var err error
	w.cluster, err = kfake.NewCluster(kfake.NumBrokers(plan.Brokers), kfake.Ports(ports...), kfake.ListenFn(w.network.Listen),
		kfake.SeedTopics(int32(plan.Partitions), inputTopic, resultTopic, letterTopic, stateTopic))
	if err != nil {
		t.Fatalf("start the broker: %v", err)
	}
	w.stateID = w.cluster.TopicInfo(stateTopic).TopicID
	w.client = w.newClient()
	w.source = newSource(plan)
	w.watch = newWatch(w)
	return w
}

// sinceStart writes times as seconds of the run.
func (w *world) sinceStart(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.String("at", fmt.Sprintf("%.4f", time.Since(w.began).Seconds()))
	}
	return a
}

func (w *world) newClient(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.Dialer(w.network.DialContext),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(inputTopic),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MetadataMinAge(10 * time.Millisecond),
	}, options...)...)
	if err != nil {
		w.t.Fatalf("client: %v", err)
	}
	return client
}

// close ends everything, so that nothing outlives the run.
// spawn starts a task of the simulation. They are counted under the lock: one may be
// started by a request that nobody waits for any more, while they are awaited.
func (w *world) spawn(do func()) {
	w.running(1)
	go func() {
		defer w.running(-1)
		do()
	}()
}

func (w *world) running(by int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks += by
	return w.tasks
}

func (w *world) awaitTasks() {
	for w.running(0) > 0 {
		wait(20*time.Millisecond, nil)
	}
}

func (w *world) close() {
	w.mu.Lock()
	w.closing = true
	all := slices.Clone(w.processes)
	w.mu.Unlock()
	for _, p := range all {
		p.link.thaw()
		p.link.die()
		p.cancel()
	}
	for _, p := range all {
		<-p.ended
		p.link.pumps.Wait()
	}
	w.watch.stop()
	w.awaitTasks()
	w.client.Close()
	w.cluster.Close()
}

// failf notes what is wrong; the run goes on to see what else is.
func (w *world) failf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	const most = 20
	if len(w.wrong) < most {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
}

// living are the processes that work, in the order of their start.
func (w *world) living() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.processes), func(p *process) bool { return !p.alive() })
}

// limit is for what must come by itself, in simulated time: only a fault of the
// engine reaches it.
const limit = 10 * time.Minute

// until waits for a condition, which says what is missing.
func (w *world) until(what string, missing func() string) bool {
	for end := time.Now().Add(limit); ; wait(20*time.Millisecond, nil) {
		left := missing()
		if left == "" {
			return true
		}
		if time.Now().After(end) {
			w.failf("%s: not within %v of simulated time: %s", what, limit, left)
			return false
		}
	}
}

// produce writes the next records of the input.
func (w *world) produce(n int) {
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	if err := w.client.ProduceSync(ctx, w.source.next(n)...).FirstErr(); err != nil {
		w.failf("produce: %v", err)
	}
}

// committed is what the group has committed, by partition.
func (w *world) committed() map[int32]int64 {
	got := make(map[int32]int64)
	if info := w.cluster.GroupInfo(group); info != nil {
		for p, c := range info.Commits[inputTopic] {
			got[p] = c.Offset
		}
	}
	return got
}

// ends are the log ends of a topic.
func (w *world) ends(topic string) map[int32]int64 {
	got := make(map[int32]int64)
	for _, p := range w.cluster.PartitionInfos(topic) {
		got[p.Partition] = p.HighWatermark
	}
	return got
}

// generation of the group, 0 before there is one.
func (w *world) generation() int32 {
	if info := w.cluster.GroupInfo(group); info != nil {
		return info.Epoch
	}
	return 0
}

// watch sees to it that committed offsets never go back.
type watch struct {
	done, ended chan struct{}
}

const watchInterval = 25 * time.Millisecond

func newWatch(w *world) *watch {
	v := &watch{done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(v.ended)
		last := make(map[int32]int64)
		for {
			select {
			case <-v.done:
				return
			case <-time.After(watchInterval):
			}
			now := w.committed()
			for p, offset := range now {
				if offset < last[p] {
					w.failf("partition %d: the committed offset went back from %d to %d", p, last[p], offset)
				}
			}
			maps.Copy(last, now)
		}
	}()
	return v
}

func (v *watch) stop() {
	close(v.done)
	<-v.ended
}

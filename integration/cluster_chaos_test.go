//go:build integration

package integration_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pulse-scorer/integration/kafkatest"
)

// The size of TestCluster_Chaos. make chaos-cluster wants a hundred faults and two
// million signals; the suite has a few of each kind.
var (
	clusterFaults  = flag.Int("faults", 9, "how many faults TestCluster_Chaos makes")
	clusterSignals = flag.Int("signals", 60_000, "how many signals it produces meanwhile")
	clusterSeed    = flag.Uint64("seed", 1, "the schedule of its faults; 0 draws one")
)

const (
	clusterPartitions = 8
	// Between so many workers run. The first number must be able to lose one.
	fewestWorkers, mostWorkers = 2, linksPerNode
	clusterPoison              = 97
	// caughtUp is the promise: everything is committed so soon after the last fault.
	caughtUp = time.Minute
	// About what a fault of a lane takes, until it is known.
	workerFault, brokerFault = 12 * time.Second, 22 * time.Second
	// hang guards one fault: nothing that goes well takes so long.
	hang = 5 * time.Minute
)

// chaos is one run: workers as a user runs them on a cluster of brokers, a load, and
// what has happened so far.
type chaos struct {
	t       *testing.T
	lab     *lab
	nodes   *nodes
	links   links
	program string
	watch   *watch
	load    *load
	slots   [mostWorkers]*worker
	started int

	mu      sync.Mutex // guards the rest
	all     []happened
	planned int
	begun   time.Time
	over    bool // no fault is to come
	left    map[bool]int
	spent   map[bool]time.Duration
	did     map[bool]int
}

// Workers on three brokers, with three replicas of everything and two of them in
// sync, are killed, stopped beyond their session, cut off, drained and joined by
// others, while brokers are killed and leaders and coordinators move. Every input is
// accounted for once, in order, the group's offsets never go back, and all is
// committed a minute after the last fault.
func TestCluster_Chaos(t *testing.T) { //nolint:paralleltest // takes the whole machine, and measures
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*clusterFaults)*time.Minute+hang)
	defer cancel()
	seed := *clusterSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d: the same schedule again with -seed %d -faults %d", seed, seed, *clusterFaults)
	c := newChaos(ctx, t)
	plan := newSchedule(seed, *clusterFaults)
	c.planned, c.begun = len(plan.workers)+len(plan.brokers), time.Now()
	c.left[false], c.left[true] = len(plan.workers), len(plan.brokers)
	c.load = c.lab.startLoad(ctx, *clusterSignals, c.ahead())
	c.watch = c.lab.startWatch(ctx, c.pace)
	c.runLanes(ctx, plan)
	c.judge(ctx)
}

// newChaos starts the cluster and the first workers.
func newChaos(ctx context.Context, t *testing.T) *chaos {
	t.Helper()
	c := &chaos{
		t: t, program: buildWorker(ctx, t), nodes: startNodes(ctx, t),
		left: make(map[bool]int), spent: make(map[bool]time.Duration), did: make(map[bool]int),
	}
	c.links = newLinks(t, c.nodes)
	c.lab = newLab(ctx, t, c.nodes.addresses(), kafkatest.Name("cluster"), clusterPartitions)
	c.lab.poisonEvery = clusterPoison
	for slot := range fewestWorkers + 1 {
		c.startWorker(slot)
	}
	c.awaitWhole(ctx)
	// The broker makes its own topics when they are first asked for.
	if err := c.nodes.awaitInSync(ctx, c.topics()); err != nil {
		t.Fatal(err)
	}
	return c
}

// topics are all that have leaders of importance.
func (c *chaos) topics() []string {
	own := []string{c.lab.topics.Input, c.lab.topics.Results, c.lab.topics.DeadLetters, c.lab.topics.State}
	return slices.Concat(own, internal)
}

func (c *chaos) startWorker(slot int) {
	var bootstrap []string
	for node := range c.nodes.count {
		bootstrap = append(bootstrap, c.nodes.advertised(slot, node))
	}
	c.started++
	c.slots[slot] = c.lab.startWorkerAt(c.t, c.program, fmt.Sprintf("%c%d", 'A'+slot, c.started), bootstrap)
}

// running are the slots with a worker, free those without.
func (c *chaos) running() (running, free []int) {
	for slot, w := range c.slots {
		if w != nil {
			running = append(running, slot)
		} else {
			free = append(free, slot)
		}
	}
	return running, free
}

// awaitWhole waits until every worker is a member with tasks. A worker that has
// ended by itself fails the test.
func (c *chaos) awaitWhole(ctx context.Context) {
	c.t.Helper()
	running, _ := c.running()
	c.lab.awaitMembers(ctx, c.t, fmt.Sprintf("a group of %d", len(running)), func(ms []member) bool {
		for _, slot := range running {
			select {
			case <-c.slots[slot].done:
				c.t.Fatalf("worker %s has ended by itself: %v", c.slots[slot].name, c.slots[slot].cmd.ProcessState)
			default:
			}
		}
		return len(ms) == len(running) && !slices.ContainsFunc(ms, func(m member) bool { return len(m.tasks) == 0 })
	})
}

// ahead is for how long the load has to last: what the faults that are left will
// take, by what they took so far.
func (c *chaos) ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	longest := time.Duration(0)
	for lane, typical := range map[bool]time.Duration{false: workerFault, true: brokerFault} {
		if c.did[lane] > 2 {
			typical = max(typical/2, c.spent[lane]/time.Duration(c.did[lane]))
		}
		longest = max(longest, time.Duration(c.left[lane])*typical)
	}
	return longest + brokerFault
}

// pace spreads the load over what is still to come.
func (c *chaos) pace() {
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if !over {
		c.load.last(c.ahead())
	}
}

// runLanes makes everything happen that is planned.
func (c *chaos) runLanes(ctx context.Context, plan schedule) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	brokers := make(chan error, 1)
	go func() {
		var err error
		for _, m := range plan.brokers {
			if err = c.fault(ctx, m, c.brokerMishap); err != nil {
				err = fmt.Errorf("%s: %w", m.kind, err)
				stop(err)
				break
			}
		}
		brokers <- err
	}()
	for _, m := range plan.workers {
		if err := c.fault(ctx, m, c.workerMishap); err != nil {
			c.t.Fatalf("%s: %v", m.kind, err)
		}
	}
	if err := <-brokers; err != nil {
		c.t.Fatal(err)
	}
}

// fault makes one fault, and notes it.
func (c *chaos) fault(ctx context.Context, m mishap, do func(context.Context, mishap) (happened, error)) error {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	start := time.Now()
	h, err := do(ctx, m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	lane := m.kind.ofBrokers()
	c.left[lane]--
	c.did[lane]++
	c.spent[lane] += time.Since(start)
	c.all = append(c.all, h)
	c.t.Logf("%3d of %d, %4.0f s: %s: %s; recovered after %.2f s", len(c.all), c.planned, time.Since(c.begun).Seconds(), h.kind, h.what, h.recovered.Seconds())
	return nil
}

// recovery waits until every partition has committed something that came after a
// fault.
func (c *chaos) recovery(ctx context.Context, since time.Time, ends map[int32]int64) (time.Duration, error) {
	err := c.watch.awaitBeyond(ctx, ends)
	return time.Since(since), err
}

// brokerMishap runs in the brokers' lane, and must not end the test by itself.
func (c *chaos) brokerMishap(ctx context.Context, m mishap) (happened, error) {
	if err := c.nodes.awaitInSync(ctx, c.topics()); err != nil {
		return happened{}, err
	}
	if m.kind == moveLeader {
		return c.moveLeaders(ctx, m)
	}
	return c.killBroker(ctx, m)
}

func (c *chaos) moveLeaders(ctx context.Context, m mishap) (happened, error) {
	of := one(m, [][]string{
		c.topics(), {c.lab.topics.Input}, {c.lab.topics.State}, {c.lab.topics.Results}, {"__consumer_offsets"}, {"__transaction_state"}, internal,
	})
	ends, start := c.load.marks(), time.Now()
	moved, err := c.nodes.moveLeaders(ctx, of, m.draw.IntN(c.nodes.count))
	if err != nil {
		return happened{}, err
	}
	took, err := c.recovery(ctx, start, ends)
	return happened{m.kind, start, fmt.Sprintf("%d partitions of %d topics have another leader", moved, len(of)), took}, err
}

// killBroker kills the group's coordinator, that of transactions, or any node, and
// starts it again. One time in six another node dies with it: then nothing can be
// written (NOT_ENOUGH_REPLICAS) and no leader be elected until they are back.
func (c *chaos) killBroker(ctx context.Context, m mishap) (happened, error) {
	victims, role, err := c.victims(ctx, m)
	if err != nil {
		return happened{}, err
	}
	before, err := c.nodes.placings(ctx, c.topics())
	if err != nil {
		return happened{}, err
	}
	ends, start := c.load.marks(), time.Now()
	var pids []int
	for _, node := range victims {
		pid, err := c.nodes.kill(ctx, node)
		if err != nil {
			return happened{}, err
		}
		pids = append(pids, pid)
	}
	away := m.span(0, 15*time.Second)
	back := make(chan error, 1)
	hopeful, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go func() {
		err := errors.Join(after(ctx, start.Add(away)), c.nodes.start(ctx))
		if err != nil {
			giveUp(err) // nothing will recover
		}
		back <- err
	}()
	took, err := c.recovery(hopeful, start, ends)
	if err := errors.Join(err, <-back, c.nodes.awaitInSync(ctx, c.topics())); err != nil {
		return happened{}, err
	}
	now, err := c.nodes.placings(ctx, c.topics())
	led, moved := ledBy(victims, before, now)
	if err == nil && moved < led {
		err = fmt.Errorf("nodes %v led %d partitions when they were killed, and only %d have gone on under a new epoch", victims, led, moved)
	}
	return happened{m.kind, start, fmt.Sprintf("nodes %v (%s, processes %v), away for %.1f s; led %d partitions, all have a new epoch",
		victims, role, pids, away.Seconds(), led), took}, err
}

// victims are the nodes that a fault kills, and why them.
func (c *chaos) victims(ctx context.Context, m mishap) (victims []int, role string, err error) {
	node, role := m.draw.IntN(c.nodes.count), "any"
	switch m.draw.IntN(3) {
	case 0:
		node, err = c.nodes.coordinator(ctx, 0, c.lab.group)
		role = "the group's coordinator"
	case 1:
		node, err = c.nodes.coordinator(ctx, 1, c.watch.owner())
		role = "a transaction coordinator"
	}
	victims = []int{node}
	if m.draw.IntN(6) == 0 {
		victims = append(victims, (node+1)%c.nodes.count)
		role += " and another"
	}
	return victims, role, err
}

// after returns at a time, or when ctx has ended.
func after(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// workerMishap runs in the test's own goroutine.
func (c *chaos) workerMishap(ctx context.Context, m mishap) (h happened, err error) {
	running, free := c.running()
	m = c.possible(m, running)
	ends, start := c.load.marks(), time.Now()
	h.kind, h.at = m.kind, start
	switch m.kind {
	case killWorker:
		h, err = c.killWorker(ctx, m, one(m, running))
	case zombie:
		h, err = c.stopWorker(ctx, m, one(m, running))
	case cutLink:
		h, err = c.cutLink(ctx, m, one(m, running))
	case join:
		slot := one(m, free)
		c.startWorker(slot)
		c.awaitWhole(ctx)
		h.what = fmt.Sprintf("%s is a member with tasks; %d workers", c.slots[slot].name, len(running)+1)
		h.recovered, err = c.recovery(ctx, start, ends)
	case leave:
		slot := one(m, running)
		name, took := c.slots[slot].name, c.slots[slot].stop(ctx, c.t)
		c.slots[slot] = nil
		h.what = fmt.Sprintf("%s drained in %.2f s, exit 0; %d workers", name, took.Seconds(), len(running)-1)
		h.recovered, err = c.recovery(ctx, start, ends)
	case killBroker, moveLeader:
		panic(m.kind + " is in the workers' lane")
	}
	if err == nil {
		c.awaitWhole(ctx)
	}
	return h, err
}

// possible turns a join without a free slot into a leave, and the other way round.
func (c *chaos) possible(m mishap, running []int) mishap {
	switch {
	case m.kind == join && len(running) == mostWorkers:
		m.kind = leave
	case m.kind == leave && len(running) == fewestWorkers:
		m.kind = join
	}
	return m
}

// killWorker kills a worker; another one takes its place when the rest have
// recovered.
func (c *chaos) killWorker(ctx context.Context, m mishap, slot int) (happened, error) {
	w := c.slots[slot]
	ends, start := c.load.marks(), time.Now()
	w.kill(c.t)
	took, err := c.recovery(ctx, start, ends)
	c.startWorker(slot)
	return happened{m.kind, start, fmt.Sprintf("%s: %v; %s comes", w.name, w.cmd.ProcessState, c.slots[slot].name), took}, err
}

// stopWorker stops a worker until the group has expelled it, and then lets it go on.
func (c *chaos) stopWorker(ctx context.Context, m mishap, slot int) (happened, error) {
	w := c.slots[slot]
	running, _ := c.running()
	ends, start := c.load.marks(), time.Now()
	w.freeze(ctx, c.t)
	c.lab.awaitMembers(ctx, c.t, "without the stopped worker", func(ms []member) bool { return len(ms) == len(running)-1 })
	expelled := time.Since(start)
	took, err := c.recovery(ctx, start, ends)
	if err == nil {
		err = after(ctx, time.Now().Add(m.span(0, 2*time.Second)))
	}
	asleep := time.Since(start)
	w.signal(c.t, sigcont)
	return happened{m.kind, start, fmt.Sprintf("%s: expelled after %.2f s, continued after %.2f s", w.name, expelled.Seconds(), asleep.Seconds()), took}, err
}

// cutLink cuts a worker off from one broker that it speaks to, or from all.
func (c *chaos) cutLink(ctx context.Context, m mishap, slot int) (happened, error) {
	w, how := c.slots[slot], one(m, []cut{refuse, freeze})
	chosen, from := c.links[slot], "all brokers"
	lasts := m.span(time.Second, 9*time.Second)
	if m.draw.IntN(3) > 0 {
		busy := c.links.busy(ctx, slot)
		if len(busy) == 0 {
			return happened{}, fmt.Errorf("worker %s speaks to nobody: %w", w.name, context.Cause(ctx))
		}
		chosen, from = []*link{one(m, busy)}, "one broker"
	}
	hits := func() (n int64) {
		for _, l := range chosen {
			n += l.hits()
		}
		return n
	}
	before := hits()
	ends, start := c.load.marks(), time.Now()
	for _, l := range chosen {
		l.fail(how)
	}
	err := until(ctx, "a cut that cuts something", func() error {
		if time.Since(start) < lasts || hits() == before {
			return fmt.Errorf("%d hits", hits()-before)
		}
		return nil
	})
	for _, l := range chosen {
		l.heal()
	}
	healed := time.Since(start)
	if err != nil {
		return happened{}, err
	}
	took, err := c.recovery(ctx, start, ends)
	return happened{m.kind, start, fmt.Sprintf("%s from %s, %s for %.1f s, %d connections or streams hit", w.name, from, how, healed.Seconds(), hits()-before), took}, err
}

// judge ends the load and draws up the accounts.
func (c *chaos) judge(ctx context.Context) {
	t := c.t
	c.mu.Lock()
	c.over = true
	last := slices.MaxFunc(c.all, func(a, b happened) int { return a.at.Compare(b.at) }).at
	c.mu.Unlock()
	c.load.finish(t, 0)
	c.lab.awaitEnd(ctx, t)
	lag := time.Since(last)
	c.awaitWhole(ctx)
	drainAll(ctx, t, c.slots[:])
	book := c.lab.account(ctx, t)
	commits, back := c.lab.commitLog(ctx, t)
	t.Logf("verdict of %d faults in %.0f s:\n%s\nledger:\n%s", len(c.all), last.Sub(c.begun).Seconds(), verdictTable(c.all), book)
	c.watch.report(t)
	if commits == 0 || len(back) > 0 {
		t.Errorf("%d commits in the log, %d of them go back, the first: %q", commits, len(back), back[:min(len(back), mostFaults)])
	}
	t.Logf("the log has %d commits of the group; lag was 0 after %.1f s from the last fault, %.1f s of which the load ran",
		commits, lag.Seconds(), min(lag, c.load.start.Add(c.load.took).Sub(last)).Seconds())
	book.expectBalanced(t)
	sum := book.total()
	if sum.in != *clusterSignals || sum.duplicate == 0 || sum.dead == 0 {
		t.Errorf("%d records in, %d duplicates, %d dead, want %d in and some of each", sum.in, sum.duplicate, sum.dead, *clusterSignals)
	}
	if len(c.all) != c.planned {
		t.Errorf("%d faults happened, want %d", len(c.all), c.planned)
	}
	if *timed && lag > caughtUp {
		t.Errorf("lag was 0 only %v after the last fault, want at most %v", lag, caughtUp)
	}
}

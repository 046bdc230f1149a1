package simtest

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fault is an event of the plan on its way: it waits for a step, happens, and is
// over when there is proof of it.
type fault struct {
	Event

	world *world
	// provokes makes a transaction end in doubt, for another fault to happen in.
	provokes bool

	// Guarded by world.mu.
	process *process // whose step it waits for
	seen    int      // how often that step has come
	since   time.Time
	tries   int
	state   faultState
	proof   []string
}

type faultState uint8

const (
	waiting faultState = iota
	happening
	proven
	withdrawn
)

// note adds to the proof.
func (f *fault) note(proof string) {
	f.world.journal.Info("SIMULATION proof", slog.String("fault", f.String()), slog.String("proof", proof))
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.proof = append(f.proof, proof)
}

// over says that the fault has happened, and how that is known.
func (f *fault) over(proof string) {
	f.note(proof)
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	f.state = proven
}

// missed says that something else came between: the fault waits anew.
func (f *fault) missed() {
	f.world.journal.Info("SIMULATION fault did not happen", slog.String("fault", f.String()))
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if f.state = waiting; f.provokes {
		f.state = withdrawn
	}
	f.since = time.Time{}
}

// happen does what a fault does to a process, at one of its steps. It returns
// when the process may go on.
func (w *world) happen(f *fault, p *process) {
	switch f.Kind {
	case Crash:
		p.crash()
		f.over("network dead")
		w.succeed(f.Lasting)
	case Pause:
		w.pause(f, p)
	case Cut:
		p.link.cut()
		f.over("all connections cut")
	case MemberJoins:
		w.rebalance(f, func() { w.start() })
	case MemberLeaves:
		w.rebalance(f, func() { w.oneLeaves(p) })
	case LeadersMove:
		w.cluster.ShufflePartitionLeaders()
		w.cluster.RehashCoordinators()
		f.over("leaders and coordinators shuffled")
	case LoseAnswer, StallAnswer, Delay, Refuse, RefuseDone, kinds:
		panic(fmt.Sprintf("%v cannot happen at %v", f.Kind, f.Step))
	}
}

// succeed starts a successor after a while.
func (w *world) succeed(after time.Duration) {
	w.spawn(func() {
		wait(after, nil)
		if !w.isClosing() {
			w.start()
		}
	})
}

func (w *world) isClosing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closing
}

// pause stops a process for longer than its session. Somebody else is there to
// take its tasks meanwhile.
func (w *world) pause(f *fault, p *process) {
	p.link.freeze()
	before := w.generation()
	others := 0
	for _, o := range w.living() {
		if o != p && !o.link.frozen.Load() {
			others++
		}
	}
	if others == 0 {
		w.start()
	}
	w.spawn(func() {
		wait(sessionTimeout+f.Lasting, p.link.dead)
		after := w.generation()
		p.link.thaw()
		f.over(fmt.Sprintf("thawed after %v, generation %d is now %d", sessionTimeout+f.Lasting, before, after))
	})
}

// rebalance changes the group and holds the step until it has a new generation,
// or needs this very step to get one.
func (w *world) rebalance(f *fault, change func()) {
	before := w.generation()
	change()
	made := make(chan struct{})
	w.spawn(func() {
		defer close(made)
		if w.within(proofLimit, func() bool { return w.generation() != before }) {
			f.over(fmt.Sprintf("generation %d is now %d", before, w.generation()))
		} else {
			f.missed()
		}
	})
	wait(longestHold, made)
}

// proofLimit is how long the proof of a fault may take; it is missed then.
const proofLimit = time.Minute

// within tells whether a condition comes true.
func (w *world) within(d time.Duration, holds func() bool) bool {
	for end := time.Now().Add(d); !holds(); wait(20*time.Millisecond, nil) {
		if time.Now().After(end) || w.isClosing() {
			return false
		}
	}
	return true
}

// longestHold is under the session time-out: holding a request must not be a
// pause.
const longestHold = 2 * time.Second

// oneLeaves stops another member than p, or has one join and leave where there
// is no other.
func (w *world) oneLeaves(p *process) {
	members := w.members()
	for _, o := range w.living() {
		if _, in := members[o.clientID()]; in && o != p && !o.link.frozen.Load() {
			o.stop()
			return
		}
	}
	o := w.start()
	w.spawn(func() {
		w.within(proofLimit, func() bool {
			_, in := w.members()[o.clientID()]
			return in
		})
		o.stop()
	})
}

// members are the client IDs in the group, with the number of their tasks.
func (w *world) members() map[string]int {
	assigned := make(map[string]int)
	if info := w.cluster.GroupInfo(group); info != nil {
		for _, m := range info.Members {
			assigned[m.ClientID] += m.NumAssigned()
		}
	}
	return assigned
}

// refuse has the broker refuse one request. It is known by its bytes.
func (w *world) refuse(f *fault, frame []byte) {
	_, body := parse(frame)
	at := kmsg.Key(apiOf(frame))
	rule := kfake.Fault{
		Keys: []kmsg.Key{at}, Err: errorFor(f.Code),
		When: func(req kmsg.Request) bool { return bytes.Equal(req.AppendTo(nil), body) },
	}
	top := rule
	top.TopLevel = true
	// Some requests are refused as a whole, some for what they name.
	entity := w.cluster.Fault(rule)
	whole := w.cluster.Fault(top)
	w.spawn(func() {
		refused := w.within(proofLimit, func() bool { return entity.Hits()+whole.Hits() > 0 })
		entity.Remove()
		whole.Remove()
		if refused {
			f.over("the broker refused it")
		} else {
			f.missed()
		}
	})
}

func errorFor(code int16) *kerr.Error {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err
	}
	panic(fmt.Sprintf("there is no error %d", code))
}

// arm puts a fault in place, on a process that will come to its step.
func (w *world) arm(f *fault) {
	w.mu.Lock()
	f.since, f.seen, f.state = time.Now(), 0, waiting
	tries := f.tries
	f.tries++
	w.mu.Unlock()
	if f.Step.info().cause == byStart {
		w.makeRoom()
		w.start(f)
		return
	}
	workers := w.working()
	p := workers[(f.Worker+tries)%len(workers)]
	p.await(f)
	switch f.Step.info().cause {
	case byDoubt:
		provoking := &fault{Event: Event{Step: EndTxn, Kind: LoseAnswer, Nth: 1}, world: w, provokes: true, since: time.Now()}
		w.mu.Lock()
		w.faults = append(w.faults, provoking)
		w.mu.Unlock()
		p.await(provoking)
	case byStop:
		p.stopAtWork.Store(f)
	case byWork, byStart, noCauses:
	}
}

// working are the living processes that have tasks, or all, or a new one.
func (w *world) working() []*process {
	living := w.living()
	if len(living) == 0 {
		return []*process{w.start()}
	}
	assigned := w.members()
	busy := slices.DeleteFunc(slices.Clone(living), func(p *process) bool { return assigned[p.clientID()] == 0 })
	if len(busy) == 0 {
		return living
	}
	return busy
}

// makeRoom has workers leave until there is a task for another one. Those that a
// fault waits for stay: it would wait in vain.
func (w *world) makeRoom() {
	living := w.living()
	for n := len(living); len(living) > 0 && n >= min(w.plan.Workers+1, w.plan.Partitions); living = living[1:] {
		if living[0].waiting.Load() == 0 {
			living[0].stop()
			n--
		}
	}
}

// patience is how long a fault may wait for its step before it is put in place
// elsewhere: the worker has no task, or ends. A newcomer may have to wait until
// the sessions of several that were lost in the middle of a join have passed.
const patience = 5 * sessionTimeout

// rearm puts faults in place elsewhere whose step does not come any more. It
// returns what is still to happen, and whether a step is waited for.
func (w *world) rearm() (left []string, wait bool) {
	var again []*fault
	w.mu.Lock()
	for _, f := range w.faults {
		switch f.state {
		case waiting:
			left, wait = append(left, f.String()), true
			if time.Since(f.since) > patience || !f.process.present() {
				f.process.forget(f)
				if f.provokes {
					f.state = withdrawn // its fault brings another
					continue
				}
				again = append(again, f)
			}
		case happening:
			left = append(left, f.String()+" (happening)")
		case proven, withdrawn:
		}
	}
	w.mu.Unlock()
	for _, f := range again {
		w.journal.Info("SIMULATION fault is put in place elsewhere", slog.String("fault", f.String()))
		w.arm(f)
	}
	return left, wait
}

// present tells whether the process is there, drained or not. The caller holds
// world.mu.
func (p *process) present() bool {
	select {
	case <-p.ended:
		return false
	default:
		return !p.crashed
	}
}

// fired says how each fault is known to have happened.
func (w *world) fired() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var s strings.Builder
	for _, f := range w.faults {
		fmt.Fprintf(&s, "  %v: %s\n", f.Event, strings.Join(f.proof, "; "))
	}
	return s.String()
}

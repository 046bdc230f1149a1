package simtest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Report is what a run has shown.
type Report struct {
	Signals int
	// Fired counts the faults that have happened.
	Fired [kinds]int
	// Workers is how many were started.
	Workers int
	// Simulated is how long it took in its own time.
	Simulated time.Duration
	// Schedule and Proof are texts, Journal what everybody said.
	Schedule, Proof, Journal string
	Wrong                    []string
}

// Run simulates a plan and judges it.
func Run(t *testing.T, p Plan) (r Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, p)
		defer func() { r = w.report() }()
		defer w.close()
		w.run()
	})
	return r
}

// run plays the schedule, lets everything come to rest, and judges.
func (w *world) run() {
	for range w.plan.Workers {
		w.start()
	}
	share := w.plan.Signals / w.plan.Rounds
	for round := range w.plan.Rounds {
		for _, e := range w.plan.Events {
			if e.Round == round {
				w.place(e)
			}
		}
		w.rearm()
		if round == w.plan.Rounds-1 {
			share = w.plan.Signals - w.source.made
		}
		w.produce(share)
		wait(w.plan.Pause, nil)
	}
	if !w.comeToRest() {
		return
	}
	w.doHarm()
	w.judge()
}

// place puts an event of the plan in place.
func (w *world) place(e Event) {
	f := &fault{Event: e, world: w}
	w.mu.Lock()
	w.faults = append(w.faults, f)
	w.mu.Unlock()
	w.arm(f)
}

// filler is produced while faults wait for work to happen in.
const filler = 20

// comeToRest waits until every fault has happened, everything is committed and
// every worker has drained.
func (w *world) comeToRest() bool {
	w.until("faults that have not happened", func() string {
		left, waiting := w.rearm()
		if len(left) == 0 {
			return ""
		}
		if waiting {
			w.produce(filler)
		}
		wait(w.plan.Pause, nil)
		return fmt.Sprint(left)
	})
	w.awaitTasks()
	if len(w.living()) == 0 {
		w.start()
	}
	if !w.until("end of the input", func() string {
		if got, want := fmt.Sprint(w.committed()), fmt.Sprint(w.ends(inputTopic)); got != want {
			return fmt.Sprintf("committed %s of %s", got, want)
		}
		return ""
	}) {
		return false
	}
	for _, p := range w.living() {
		p.stop()
	}
	return w.until("workers that drain", func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range w.processes {
			if p.present() {
				return fmt.Sprintf("worker %d is still there", p.number)
			}
		}
		return ""
	})
}

func (w *world) report() Report {
	r := Report{Signals: w.source.made, Simulated: time.Since(w.began), Schedule: w.plan.String(), Proof: w.fired(), Journal: w.pages.String()}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Workers, r.Wrong = len(w.processes), w.wrong
	for _, f := range w.faults {
		switch f.state {
		case proven:
			r.Fired[f.Kind]++
		case waiting, happening:
			r.Wrong = append(r.Wrong, "the fault has not happened: "+f.String())
		case withdrawn:
		}
	}
	return r
}

// Add sums the figures of two reports.
func (r *Report) Add(o Report) {
	r.Signals += o.Signals
	r.Workers += o.Workers
	r.Simulated += o.Simulated
	for k, n := range o.Fired {
		r.Fired[k] += n
	}
}

// String is the figures in one line.
func (r *Report) String() string {
	all := 0
	var s strings.Builder
	for k, n := range r.Fired {
		if all += n; n > 0 {
			fmt.Fprintf(&s, ", %v %d", Kind(k), n)
		}
	}
	return fmt.Sprintf("%d signals, %d workers, %v simulated, %d faults%s", r.Signals, r.Workers, r.Simulated.Round(time.Second), all, s.String())
}

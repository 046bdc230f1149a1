package simtest

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Matrix is a plan for every fault that is possible at every step, with each of
// the broker's errors.
func Matrix() []Plan {
	var plans []Plan
	add := func(e Event) {
		plans = append(plans, Cell(e, uint64(len(plans))))
	}
	for step := range steps {
		for kind := range kinds {
			if !possible(step, kind) {
				continue
			}
			e := Event{Step: step, Kind: kind, Nth: 1, Round: 2, Lasting: 1500 * time.Millisecond}
			if step == Fetched || step == Scored {
				e.Nth = 10 // in the middle of a batch
			}
			var codes []*kerr.Error
			switch kind {
			case Refuse:
				codes = refusals(step.info().api)
			case RefuseDone:
				codes = doneRefusals(step.info().api)
			case Crash, Pause, Cut, LoseAnswer, StallAnswer, Delay, MemberJoins, MemberLeaves, LeadersMove, kinds:
				add(e)
			}
			for _, code := range codes {
				e.Code = code.Code
				add(e)
			}
		}
	}
	return plans
}

// Cell is a small run: two workers with a task each, one fault. Its number stands
// in for the seed, so that no two cells have the same input or latencies.
func Cell(e Event, number uint64) Plan {
	return Plan{
		Seed: number + 1, Brokers: 2, Partitions: 2, Workers: 2,
		Signals: 300, Rounds: 8, Pause: 250 * time.Millisecond, Repeats: 0.1, Poison: 0.06, Events: []Event{e},
	}
}

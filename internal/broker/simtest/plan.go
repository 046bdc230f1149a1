package simtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"pulse-scorer/internal/broker/faultnet"
)

// Plan is everything that is decided before a run. It derives from a seed alone,
// or is one cell of the matrix.
type Plan struct {
	Seed                         uint64
	Brokers, Partitions, Workers int
	// Signals are produced in Rounds, with a Pause between them.
	Signals, Rounds int
	Pause           time.Duration
	// Repeats and Poison are the parts of the input that come again, and that
	// cannot be scored.
	Repeats, Poison float64
	Events          []Event
	// Harm is done behind the engine's back, to see whether the judge sees it.
	Harm Harm
}

// Draw makes the plan of a seed.
func Draw(seed uint64, signals int) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	p := Plan{
		Seed: seed, Signals: signals, Rounds: 20 + r.IntN(20),
		Brokers: 1 + r.IntN(3), Partitions: 2 + r.IntN(3), Workers: 2 + r.IntN(3),
		Pause:   time.Duration(100+r.IntN(500)) * time.Millisecond,
		Repeats: 0.02 + 0.1*r.Float64(), Poison: 0.01 + 0.05*r.Float64(),
	}
	for range 3 + r.IntN(6) {
		p.Events = append(p.Events, drawEvent(r, p))
	}
	return p
}

func drawEvent(r *rand.Rand, p Plan) Event {
	for {
		e := Event{
			Step: Step(r.IntN(int(steps))), Kind: Kind(r.IntN(int(kinds))), Nth: 1,
			Lasting: time.Duration(100+r.IntN(9000)) * time.Millisecond,
			Round:   1 + r.IntN(p.Rounds-1), Worker: r.IntN(p.Workers),
		}
		if !possible(e.Step, e.Kind) {
			continue
		}
		info := e.Step.info()
		switch info.place {
		case onRequest:
			e.Nth = 1 + r.IntN(3)
		case inTask:
			e.Nth = 1 + r.IntN(20)
		case onAnswer:
		}
		if info.cause != byWork || e.Step == Decoded || e.Step == Sealed || e.Step == Merged {
			e.Nth = 1
		}
		codes := refusals(orMetadata(info.api))
		if e.Kind == RefuseDone {
			codes = doneRefusals(info.api)
		}
		if e.Kind == Refuse || e.Kind == RefuseDone {
			if len(codes) == 0 {
				continue
			}
			e.Code = codes[r.IntN(len(codes))].Code
		}
		return e
	}
}

// orMetadata stands in for steps without an API, whose refusals nobody asks for.
func orMetadata(api faultnet.API) faultnet.API {
	if api == noAPI {
		return faultnet.Metadata
	}
	return api
}

// String is the schedule.
func (p Plan) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "seed %d: %d brokers, %d partitions, %d workers, %d signals in %d rounds every %v (%.1f %% again, %.1f %% poisoned)\n",
		p.Seed, p.Brokers, p.Partitions, p.Workers, p.Signals, p.Rounds, p.Pause, 100*p.Repeats, 100*p.Poison)
	for _, e := range p.Events {
		fmt.Fprintf(&s, "  round %2d, worker %d: %v", e.Round, e.Worker, e)
		if e.Kind == Crash || e.Kind == Pause {
			fmt.Fprintf(&s, ", %v", e.Lasting)
		}
		s.WriteByte('\n')
	}
	return s.String()
}

// latency of each frame of a worker: mostly around a millisecond, sometimes much
// more.
func (p Plan) latency(worker int) func(faultnet.API, int) time.Duration {
	return func(api faultnet.API, n int) time.Duration {
		x := mix(p.Seed ^ uint64(worker)<<48 ^ uint64(uint16(api))<<32 ^ uint64(n))
		d := time.Duration(50_000 + x%1_500_000)
		switch x >> 58 {
		case 0:
			d += time.Duration(x>>20%80) * time.Millisecond
		case 1, 2, 3:
			d += time.Duration(x>>20%10) * time.Millisecond
		}
		return d
	}
}

// mix spreads a number over all bits (SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

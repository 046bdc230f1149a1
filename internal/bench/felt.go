package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Meter is the meter alone: it sees its own signals in the input. Nobody is quicker.
const Meter Contestant = "meter"

// Felt is the latency at a rate, round by round.
type Felt struct {
	Rate   int
	Rounds []FeltRound
}

// FeltRound is one measurement of each: of the meter alone, of the service, of the
// client library's transactions, and of Kafka Streams.
type FeltRound map[Contestant]FeltOne

// FeltOne is one of them; usage is over the time it is measured, its end and, but for
// Kafka Streams, its start.
type FeltOne struct {
	Latency

	Usage Usage `json:"usage"`
}

// feelers are those whose latency is measured, in the order of the first round.
func (r *runner) feelers() []Contestant {
	list := []Contestant{Meter}
	for _, c := range []Contestant{Service, Transact, Streams} {
		if r.takesPart(c) {
			list = append(list, c)
		}
	}
	return list
}

// feelAll measures latency at all rates, each contestant in turn.
func (r *runner) feelAll(ctx context.Context) (all []Felt, err error) {
	for _, rate := range r.Rates {
		felt := Felt{Rate: rate}
		for number := range r.LatencyRounds {
			round, feelers := make(FeltRound), r.feelers()
			for i := range feelers {
				c := feelers[(i+number)%len(feelers)]
				r.Progress(fmt.Sprintf("latency at %d/s, round %d of %d: %s", rate, number+1, r.LatencyRounds, c))
				name := fmt.Sprintf("%s-%d-%d-%s", r.prefix, rate, number, c)
				if round[c], err = r.feel(ctx, c, name, rate); err != nil {
					return all, fmt.Errorf("latency at %d/s, %s: %w", rate, c, err)
				}
			}
			felt.Rounds = append(felt.Rounds, round)
		}
		all = append(all, felt)
	}
	return all, nil
}

// feel measures one contestant at a rate.
func (r *runner) feel(ctx context.Context, c Contestant, name string, rate int) (one FeltOne, err error) {
	job := Job{Brokers: r.Brokers, In: name + ".in", Out: name + ".out", Group: name, Partitions: r.Load.Partitions}
	if err := r.admin.create(ctx, r.Load.partitions(), job.In, job.Out); err != nil {
		return one, err
	}
	m := meter{brokers: r.Brokers, in: job.In, out: job.Out, load: r.Load, rate: rate, now: r.now}
	var t team
	if c == Meter {
		m.out = job.In
	} else if t, err = r.begin(ctx, c, job); err != nil {
		return one, err
	}
	err = t.whileAlive(ctx, func(ctx context.Context) (err error) {
		one.Latency, err = m.measure(ctx, r.Length)
		return err
	})
	usage, endErr := t.end()
	one.Usage = usage
	if err := errors.Join(err, endErr); err != nil {
		return one, err
	}
	return one, r.admin.drop(ctx, name)
}

// Of is a quantile of a contestant over all rounds, in milliseconds.
func (f *Felt) Of(c Contestant, quantile func(Latency) time.Duration) Spread {
	var values []float64
	for _, round := range f.Rounds {
		if one, ok := round[c]; ok {
			values = append(values, float64(quantile(one.Latency))/float64(time.Millisecond))
		}
	}
	return spreadOf(values)
}

// write prints a line for each contestant.
func (f *Felt) write(line func(format string, args ...any)) {
	for _, c := range []Contestant{Meter, Service, Transact, Streams} {
		var cpu, memory []float64
		for _, round := range f.Rounds {
			if one, ok := round[c]; ok {
				cpu = append(cpu, (one.Usage.User + one.Usage.System).Seconds())
				memory = append(memory, megabytes(one.Usage))
			}
		}
		if len(cpu) == 0 {
			continue
		}
		line("%d/s, %s\t%s\t%s\t%s\t%.1f\t%.0f", f.Rate, c,
			f.Of(c, func(l Latency) time.Duration { return l.P50 }).format("%.1f"),
			f.Of(c, func(l Latency) time.Duration { return l.P99 }).format("%.1f"),
			f.Of(c, func(l Latency) time.Duration { return l.P999 }).format("%.1f"), spreadOf(cpu).Median, spreadOf(memory).Median)
	}
}

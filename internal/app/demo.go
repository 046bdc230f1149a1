package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
)

// Demo plays signals through a whole service on an embedded broker, and counts
// what comes out with a client that is not the service's.
type Demo struct {
	Config config.Config
	Deps   Deps
	Broker *devbroker.Broker
	// Rate limits the records a second, 0 does not. Shift moves the times of
	// signals, so that recency matters.
	Rate  float64
	Shift time.Duration
	// Inputs are played one after the other.
	Inputs []Input
	// Progress is called now and then with the numbers produced and seen.
	Progress func(produced, seen int)
}

// Input is something to play.
type Input struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// Summary is what a demo has counted.
type Summary struct {
	In     int `json:"in"`
	Scored int `json:"scored"`
	// Twice counts results and dead letters for records that had one already.
	Twice     int            `json:"twice"`
	Lost      int            `json:"lost"`
	Duplicate int            `json:"duplicate"`
	Dead      map[string]int `json:"dead,omitempty"`
	Seconds   float64        `json:"seconds"`
	PerSecond float64        `json:"records_per_second"`
	P50       time.Duration  `json:"p50_ns"`
	P99       time.Duration  `json:"p99_ns"`
}

// Run starts the service, plays everything, and calls report with the summary
// when all of it is accounted for. The service goes on until ctx ends, or, with
// once, until the report is made.
func (d *Demo) Run(ctx context.Context, once bool, ready func(*Service), report func(Summary) error) error {
	service, err := NewService(ctx, d.Config, d.Deps)
	if err != nil {
		return err
	}
	ready(service)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, work := errgroup.WithContext(ctx)
	group.Go(func() error { return service.Run(work) })
	group.Go(func() error {
		summary, err := d.play(work, service)
		if err == nil {
			err = report(summary)
		}
		if once || err != nil {
			stop()
		}
		return err
	})
	return group.Wait()
}

// play produces all inputs and waits for their outcomes.
func (d *Demo) play(ctx context.Context, service *Service) (Summary, error) {
	if err := service.WaitReady(ctx); err != nil {
		return Summary{}, err
	}
	seen := &census{outcomes: make(map[place]int), dead: make(map[string]int), now: d.Deps.Now, changed: make(chan struct{}, 1)}
	reading, stopReading := context.WithCancel(ctx)
	group, reading := errgroup.WithContext(reading)
	topics := Topology(d.Config)
	// What an earlier run has kept (--keep) is not counted again.
	seen.skip(d.Broker.EndOffsets(topics.Input))
	group.Go(func() error {
		return d.Broker.Read(reading, []string{topics.Results, topics.DeadLetters}, func(r devbroker.Record) {
			seen.count(r, topics.Results)
		})
	})
	began := d.Deps.Now()
	before := service.Outcomes()
	produced, err := d.produce(ctx, seen)
	if err == nil {
		err = seen.wait(ctx, produced, func() int { return service.Outcomes().Duplicate - before.Duplicate }, d.Progress)
	}
	took := d.Deps.Now().Sub(began)
	stopReading()
	if readErr := group.Wait(); err == nil {
		err = readErr
	}
	if err != nil {
		return Summary{}, err
	}
	return seen.summary(produced, service.Outcomes().Duplicate-before.Duplicate, took), nil
}

func (d *Demo) produce(ctx context.Context, seen *census) (int, error) {
	player, err := NewPlayer(ctx, d.Config, d.Deps.Now)
	if err != nil {
		return 0, err
	}
	defer player.Close()
	produced := 0
	player.Rate, player.Shift = d.Rate, d.Shift
	player.Produced = func(n int) {
		if produced = n; n%progressEvery == 0 {
			d.Progress(n, seen.total())
		}
	}
	for _, input := range d.Inputs {
		in, err := input.Open()
		if err != nil {
			return produced, err
		}
		err = player.Play(ctx, input.Name, in)
		if closeErr := in.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return produced, err
		}
	}
	return produced, nil
}

const progressEvery = 1000

// place names an input record.
type place struct {
	partition int32
	offset    int64
}

// census counts what an outside reader sees.
type census struct {
	now     func() time.Time
	changed chan struct{}

	mu        sync.Mutex    // guards the rest
	from      []int64       // offsets of the input below which nothing counts
	outcomes  map[place]int // results and dead letters for an input record
	scored    int
	dead      map[string]int // by class
	latencies []time.Duration
	fault     error
}

func (c *census) skip(ends []int64) { c.from = ends }

// origin is the part of a result that says where it comes from.
type origin struct {
	Input struct {
		Partition int32     `json:"partition"`
		Offset    int64     `json:"offset"`
		Timestamp time.Time `json:"timestamp"`
	} `json:"input"`
}

func (c *census) count(r devbroker.Record, results string) {
	at := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Topic != results {
		c.countLetter(r)
		return
	}
	var o origin
	if err := json.Unmarshal(r.Value, &o); err != nil {
		c.fault = fmt.Errorf("result at %s-%d offset %d is not JSON: %w", r.Topic, r.Partition, r.Offset, err)
		return
	}
	if c.old(o.Input.Partition, o.Input.Offset) {
		return
	}
	c.outcomes[place{o.Input.Partition, o.Input.Offset}]++
	c.scored++
	c.latencies = append(c.latencies, at.Sub(o.Input.Timestamp))
	c.notify()
}

func (c *census) countLetter(r devbroker.Record) {
	offset, err := strconv.ParseInt(r.Headers["__dlq.errors.offset"], 10, 64)
	if err != nil {
		c.fault = fmt.Errorf("dead letter at %s-%d offset %d does not say where it comes from: %w", r.Topic, r.Partition, r.Offset, err)
		return
	}
	if c.old(r.Partition, offset) {
		return
	}
	c.dead[r.Headers["pulse-error-class"]]++
	c.outcomes[place{r.Partition, offset}]++
	c.notify()
}

func (c *census) old(partition int32, offset int64) bool {
	return int(partition) < len(c.from) && offset < c.from[partition]
}

func (c *census) notify() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *census) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.outcomes)
}

// patience is how long nothing may happen before records count as lost.
const patience = 30 * time.Second

// wait until every record has an outcome.
func (c *census) wait(ctx context.Context, in int, duplicates func() int, progress func(int, int)) error {
	idle := time.NewTimer(patience)
	defer idle.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	last := -1
	for {
		total := c.total() + duplicates()
		c.mu.Lock()
		fault := c.fault
		c.mu.Unlock()
		if fault != nil || total >= in {
			return fault
		}
		if total != last {
			last = total
			progress(in, total)
			idle.Reset(patience)
		}
		select {
		case <-c.changed:
		case <-look.C: // duplicates come without a record
		case <-idle.C:
			return nil // the summary says what is missing
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *census) summary(in, duplicates int, took time.Duration) Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Summary{In: in, Scored: c.scored, Duplicate: duplicates, Dead: c.dead, Seconds: took.Seconds()}
	for _, n := range c.outcomes {
		s.Twice += n - 1
	}
	s.Lost = in - len(c.outcomes) - duplicates
	s.PerSecond = float64(in) / max(took.Seconds(), 1e-9)
	slices.Sort(c.latencies)
	s.P50, s.P99 = quantile(c.latencies, 0.50), quantile(c.latencies, 0.99)
	return s
}

// quantile is the nearest-rank quantile of sorted values: the smallest that at
// least this part of them does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(1, int(math.Ceil(q*float64(len(sorted)))))-1]
}

// ErrUnbalanced is returned by a demo whose records are not all accounted for.
var ErrUnbalanced = errors.New("records are lost or doubled")

// Balanced is ErrUnbalanced unless every record has exactly one outcome.
func (s Summary) Balanced() error {
	if s.Lost != 0 || s.Twice != 0 {
		return fmt.Errorf("%w: %d lost, %d twice of %d", ErrUnbalanced, s.Lost, s.Twice, s.In)
	}
	return nil
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// ScaleSettings are those of Scale. Each list is varied by itself, the rest is as the
// load says; an empty one leaves that dimension out.
type ScaleSettings struct {
	Brokers []string
	Load    Load
	// Partitions and Series are of the load, IDs are those that the service remembers,
	// in all partitions together, Workers are service processes in one group.
	Partitions, Series, IDs, Workers []int
	// Rounds are how often each row is measured.
	Rounds int
	// WarmUp is how long the brokers are kept busy before anything is measured.
	WarmUp time.Duration
	// Serve, Environ and Progress are as in Settings.
	Serve, Environ []string
	Progress       func(text string)
}

// Row is one value of a dimension and what was measured with it.
type Row struct {
	Value   int
	Load    Load
	Workers int
	// Remembered is how many IDs the service remembers of a partition; 0 leaves that to
	// the environment.
	Remembered int
	Rounds     []Measured
}

// Dimension is what is varied alone.
type Dimension struct {
	Name string
	Rows []Row
}

// The dimensions, by the names of their flags.
const (
	byPartitions = "partitions"
	bySeries     = "series"
	byIDs        = "ids"
	byWorkers    = "workers"
)

// ScaleReport is what Scale has measured.
type ScaleReport struct {
	Load       Load
	Rounds     int
	Dimensions []Dimension
}

// With fewer records than these, most of what is measured would be what it costs to begin:
// a new series, which has observations at least where there are as many as wanted, or the
// task of a partition, which has perPartition.
const (
	observations = 10
	perPartition = 16_000
)

// Validate joins all faults.
func (s *ScaleSettings) Validate() error {
	var faults []error
	within := func(name string, least, most int, values ...int) {
		for _, n := range values {
			if n < least || n > most {
				faults = append(faults, fmt.Errorf("--%s: %d is not within %d and %d", name, n, least, most))
			}
		}
	}
	within("records", repeatEvery, maxRecords, s.Load.Records)
	within("rounds", 1, math.MaxInt32, s.Rounds)
	if s.WarmUp < 0 {
		faults = append(faults, fmt.Errorf("--warm-up: %v is less than nothing", s.WarmUp))
	}
	within(byPartitions, 1, maxRecords/perPartition, s.Partitions...)
	within(bySeries, 1, maxRecords/observations, s.Series...)
	within(byIDs, s.Load.Partitions, maxRecords, s.IDs...)
	within(byWorkers, 1, s.Load.Partitions, s.Workers...)
	if len(s.dimensions()) == 0 {
		faults = append(faults, errors.New("--partitions, --series, --ids and --workers are empty: nothing to measure"))
	}
	return errors.Join(faults...)
}

// dimensions are those that are not left out, with their rows.
func (s *ScaleSettings) dimensions() []Dimension {
	var all []Dimension
	add := func(name string, values []int, set func(row *Row)) {
		d := Dimension{Name: name}
		records := s.Load.Records
		for _, value := range values {
			row := Row{Value: value, Load: s.Load, Workers: 1}
			set(&row)
			d.Rows = append(d.Rows, row)
			records = max(records, row.Load.Records)
		}
		// As many for all of them: each record is an ID more to remember.
		for i := range d.Rows {
			d.Rows[i].Load.Records = records
		}
		if len(d.Rows) > 0 {
			all = append(all, d)
		}
	}
	add(byPartitions, s.Partitions, func(row *Row) {
		row.Load.Partitions = row.Value
		if row.Value > s.Load.Partitions {
			row.Load.Records = max(row.Load.Records, perPartition*row.Value)
		}
	})
	add(bySeries, s.Series, func(row *Row) {
		row.Load.Series = row.Value
		row.Load.Records = max(row.Load.Records, observations*row.Value)
	})
	add(byIDs, s.IDs, func(row *Row) {
		row.Remembered = row.Value / row.Load.Partitions
		row.Load.Records = max(row.Load.Records, row.Value)
	})
	add(byWorkers, s.Workers, func(row *Row) { row.Workers = row.Value })
	return all
}

// Scale measures what a record costs a service as partitions, series, remembered IDs
// or workers become more. The topics that it makes are deleted when it ends, whatever
// the end.
func Scale(ctx context.Context, s ScaleSettings, now func() time.Time) (report ScaleReport, err error) {
	if err := s.Validate(); err != nil {
		return ScaleReport{}, err
	}
	r, err := newRunner(Settings{
		Brokers: s.Brokers, Load: s.Load, WarmUp: s.WarmUp, Serve: s.Serve, Environ: s.Environ, Progress: s.Progress,
	}, now)
	if err != nil {
		return ScaleReport{}, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	report = ScaleReport{Load: s.Load, Rounds: s.Rounds, Dimensions: s.dimensions()}
	if err := r.warm(ctx); err != nil {
		return report, err
	}
	for _, d := range report.Dimensions {
		for number := range s.Rounds {
			if err := r.vary(ctx, d, number, s.Rounds); err != nil {
				return report, err
			}
		}
	}
	return report, nil
}

// vary measures each row of a dimension once, the first one another one each time.
func (r *runner) vary(ctx context.Context, d Dimension, number, rounds int) error {
	for i := range d.Rows {
		at := (i + number) % len(d.Rows)
		row := &d.Rows[at]
		what := fmt.Sprintf("%s %s, round %d of %d", d.Name, row.Label(), number+1, rounds)
		r.Progress(what)
		name := fmt.Sprintf("%s-%s-%d-%d", r.prefix, d.Name, at, number)
		measured, err := r.with(row).work(ctx, Service, name)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		row.Rounds = append(row.Rounds, measured)
		if err := r.admin.drop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// with is the runner for a row.
func (r *runner) with(row *Row) *runner {
	other := *r
	other.Load, other.workers = row.Load, row.Workers
	if row.Remembered > 0 {
		other.Environ = append(slices.Clone(r.Environ), "PULSE_DEDUPE_MAX_IDS="+strconv.Itoa(row.Remembered))
	}
	return &other
}

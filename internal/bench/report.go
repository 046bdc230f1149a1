package bench

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Spread is a median with what lies around it.
type Spread struct {
	Median, Least, Most float64
}

// spreadOf is that of values; the zero Spread is that of none.
func spreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Least: sorted[0], Most: sorted[n-1]}
}

// Rate is in records a second.
func (m Measured) Rate() float64 { return float64(m.Records) / m.Took.Seconds() }

// CPU is the processor time, user and system, of a million records.
func (m Measured) CPU() time.Duration {
	return time.Duration(float64(m.Usage.User+m.Usage.System) / float64(m.Records) * 1e6)
}

// Of is a figure of a contestant over all rounds.
func (r *Report) Of(c Contestant, figure func(Measured) float64) Spread {
	var values []float64
	for _, round := range r.Rounds {
		if m, ok := round[c]; ok {
			values = append(values, figure(m))
		}
	}
	return spreadOf(values)
}

// Ratio is the service's figure divided by another's of the same round.
func (r *Report) Ratio(to Contestant, figure func(Measured) float64) Spread {
	var values []float64
	for _, round := range r.Rounds {
		service, ok := round[Service]
		other, has := round[to]
		if ok && has && figure(other) > 0 {
			values = append(values, figure(service)/figure(other))
		}
	}
	return spreadOf(values)
}

// Write prints the report as tables.
func (r *Report) Write(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	var faults error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(table, format+"\n", args...)
		faults = errors.Join(faults, err)
	}
	if len(r.Rounds) > 0 {
		line("%d records, %d series, %d partitions, one in %d repeated; rounds: %d; median (least to most)\n",
			r.Load.Records, r.Load.Series, r.Load.Partitions, repeatEvery, len(r.Rounds))
		r.writeWork(line)
	}
	if len(r.Felt) > 0 {
		line("\nappend to visible over %v, in ms\tp50\tp99\tp99.9\tCPU s\tMB", r.Length)
	}
	for i := range r.Felt {
		r.Felt[i].write(line)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return faults
}

func (r *Report) writeWork(line func(format string, args ...any)) {
	rate := Measured.Rate
	cpu := func(m Measured) float64 { return m.CPU().Seconds() }
	memory := func(m Measured) float64 { return megabytes(m.Usage) }
	line("\tthousand records/s\tCPU s/million\tpeak MB")
	for _, c := range Contestants() {
		if r.Of(c, rate).Median == 0 {
			continue
		}
		line("%s\t%s\t%s\t%s", c, r.Of(c, func(m Measured) float64 { return m.Rate() / 1000 }).format("%.0f"),
			r.Of(c, cpu).format("%.2f"), r.Of(c, memory).format("%.0f"))
	}
	for _, c := range []Contestant{Copy, Transact, Streams} {
		if s := r.Ratio(c, rate); s.Median > 0 {
			line("service / %s\t%s\t%s\t%s", c, s.format("%.2f"), r.Ratio(c, cpu).format("%.2f"), r.Ratio(c, memory).format("%.2f"))
		}
	}
}

func megabytes(u Usage) float64 { return float64(u.PeakBytes) / 1e6 }

func (s Spread) format(number string) string {
	return fmt.Sprintf(number+" ("+number+" to "+number+")", s.Median, s.Least, s.Most)
}

package bench

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

// Of is a figure of a row over its rounds.
func (r *Row) Of(figure func(Measured) float64) Spread {
	var values []float64
	for _, m := range r.Rounds {
		values = append(values, figure(m))
	}
	return spreadOf(values)
}

// Label is the row's value, short: 10k is ten thousand, 1M a million.
func (r *Row) Label() string { return short(r.Value) }

// CPU is the processor time of a record, in microseconds, or of a million, in seconds.
func (r *Row) CPU() Spread {
	return r.Of(func(m Measured) float64 { return float64(m.CPU()) / float64(time.Second) })
}

// Title is what a reader calls it.
func (d *Dimension) Title() string {
	if d.Name == byIDs {
		return "remembered IDs"
	}
	return d.Name
}

// Ratio is the highest median of a record's processor time divided by the lowest: 1 is
// a cost that stays as it is. It is 0 where there is nothing to divide.
func (d *Dimension) Ratio() float64 {
	least, most := 0.0, 0.0
	for i := range d.Rows {
		median := d.Rows[i].CPU().Median
		if i == 0 {
			least = median
		}
		least, most = min(least, median), max(most, median)
	}
	if least <= 0 {
		return 0
	}
	return most / least
}

func short(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return strconv.Itoa(n/1_000_000) + "M"
	case n >= 1000 && n%1000 == 0:
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n)
}

// Write prints the report as a table.
func (r *ScaleReport) Write(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	var faults error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(table, format+"\n", args...)
		faults = errors.Join(faults, err)
	}
	line("where nothing else is said: %s records, one in %d repeated, %s series, %d partitions, 1 worker; rounds: %d; median (least to most)",
		short(r.Load.Records), repeatEvery, short(r.Load.Series), r.Load.Partitions, r.Rounds)
	for i := range r.Dimensions {
		d := &r.Dimensions[i]
		line("\n%s\trecords\tthousand records/s\tCPU s/million\tpeak MB", d.Title())
		for j := range d.Rows {
			d.Rows[j].write(line)
		}
		line("largest / smallest\t\t\t%.2f", d.Ratio())
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return faults
}

func (r *Row) write(line func(format string, args ...any)) {
	line("%s\t%s\t%s\t%s\t%s", r.Label(), short(r.Load.Records),
		r.Of(func(m Measured) float64 { return m.Rate() / 1000 }).format("%.0f"), r.CPU().format("%.2f"),
		r.Of(func(m Measured) float64 { return megabytes(m.Usage) }).format("%.0f"))
}

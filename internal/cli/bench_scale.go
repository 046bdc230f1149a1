package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/bench"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/plot"
)

type scaleFlags struct {
	records, rounds                  int
	partitions, series, ids, workers numbers
	warmUp                           time.Duration
	picture                          string
	asJSON                           bool
}

func newBenchScale(p Process) *cobra.Command {
	flags := scaleFlags{
		partitions: numbers{1, 8, 64, 256}, series: numbers{1000, 10_000, 100_000, 1_000_000},
		ids: numbers{10_000, 100_000, 1_000_000, 10_000_000}, workers: numbers{1, 2, 4},
	}
	command := &cobra.Command{
		Use:   "scale",
		Short: "Measure what a record costs as partitions, series, IDs and workers become more",
		Long: `scale varies one thing at a time and has the service work through a load, as bench
does: partitions, series, IDs that are remembered (of all partitions together,
PULSE_DEDUPE_MAX_IDS is set accordingly), and workers that share the load. Where there
would be fewer than ten records a series, one an ID or, with more than eight partitions,
16,000 a partition, all loads with which that is compared have that many. For each it prints speed, processor time and the
most memory, of all workers together. The results must be complete and unique, or it
exits 1. It deletes its topics.

An empty list leaves something out. Ten million records take half a minute or more and
several gigabytes of the cluster's disk.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer bench scale --plot scale.svg
  pulse-scorer bench scale --rounds 1 --records 100000 --ids= --workers 1,2`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			if err := plainOnly(c); err != nil {
				return err
			}
			return flags.run(command.Context(), p, c.Brokers)
		},
	}
	f := command.Flags()
	f.IntVar(&flags.records, "records", bench.UsualLoad().Records, "records of the load, one in a hundred a repeated one")
	f.Var(&flags.partitions, "partitions", "partitions of the topics")
	f.Var(&flags.series, "series", "series of the load")
	f.Var(&flags.ids, "ids", "IDs that the service remembers")
	f.Var(&flags.workers, "workers", "service processes in one group")
	f.IntVar(&flags.rounds, "rounds", 3, "how often each is measured")
	f.DurationVar(&flags.warmUp, "warm-up", 30*time.Second, "how long brokers are kept busy first; one that was just started is slow")
	f.StringVar(&flags.picture, "plot", "", "write processor time as a picture (SVG) to this file")
	f.BoolVar(&flags.asJSON, "json", false, "as JSON, with each round")
	return command
}

func (f *scaleFlags) run(ctx context.Context, p Process, brokers []string) error {
	set := bench.ScaleSettings{
		Brokers: brokers, Load: bench.UsualLoad(), Partitions: f.partitions, Series: f.series, IDs: f.ids, Workers: f.workers,
		Rounds: f.rounds, WarmUp: f.warmUp,
		Serve: []string{defaultCommand}, Environ: p.Environ,
		Progress: func(text string) { _, _ = fmt.Fprintln(p.Stderr, text) },
	}
	set.Load.Records = f.records
	if err := set.Validate(); err != nil {
		return &usageError{err}
	}
	report, err := bench.Scale(ctx, set, p.Now)
	if err != nil {
		return err
	}
	if f.picture != "" {
		if err := os.WriteFile(f.picture, []byte(scalePicture(&report)), 0o644); err != nil { //nolint:gosec // pictures are for others, too
			return fmt.Errorf("--plot: %w", err)
		}
	}
	if f.asJSON {
		return writeJSON(p.Stdout, report)
	}
	return report.Write(p.Stdout)
}

// scalePicture has a panel for each dimension.
func scalePicture(report *bench.ScaleReport) string {
	var panels []plot.Panel
	for i := range report.Dimensions {
		d := &report.Dimensions[i]
		panel := plot.Panel{Name: d.Title(), Caption: fmt.Sprintf("largest / smallest %.2f", d.Ratio())}
		for j := range d.Rows {
			cpu := d.Rows[j].CPU()
			panel.Bars = append(panel.Bars, plot.Bar{Label: d.Rows[j].Label(), Median: cpu.Median, Least: cpu.Least, Most: cpu.Most})
		}
		panels = append(panels, panel)
	}
	return plot.Panels("What a record costs",
		fmt.Sprintf("processor time of a record in µs: median, and the least to the most; rounds: %d", report.Rounds), panels)
}

// numbers are a flag's, with commas between them; unlike pflag's list it can be empty.
type numbers []int

// String implements pflag.Value.
func (n *numbers) String() string {
	var text []string
	for _, v := range *n {
		text = append(text, strconv.Itoa(v))
	}
	return strings.Join(text, ",")
}

// Set implements pflag.Value.
func (n *numbers) Set(text string) error {
	*n = nil
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		v, err := strconv.Atoi(part)
		if err != nil {
			return fmt.Errorf("%q is no number", part)
		}
		*n = append(*n, v)
	}
	return nil
}

// Type implements pflag.Value.
func (n *numbers) Type() string { return "numbers" }

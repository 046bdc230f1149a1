package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ops"
	"pulse-scorer/internal/verify"
)

type verifyFlags struct {
	asJSON     bool
	partitions []int32
	since      string
	list       int
	warmUp     int64
}

func newVerify(p Process) *cobra.Command {
	var flags verifyFlags
	command := &cobra.Command{
		Use:   "verify",
		Short: "Score the input again and compare: prove that the same records give the same scores",
		Long: `verify reads the input from its start, scores it again with the same code, and
compares what comes out with the results, member by member, but for input,
attempts and external, which say how a result came about. It exits 1 unless all
that it compared is what it was.

Compared are results of a first try without answers of external enrichers; the
others are counted. Each result says which scorer version made it; verify says so
where that is another than its own, and a difference may be for that reason.

What was there before the oldest record that is left shapes the scores after it.
Where retention has deleted some, or with --since, the first records are a
warm-up and not compared. Detectors, sources and models of profile v2 remember
further back than any warm-up: results of older series will differ all the same in
what depends on the past. Only an input that is whole is proven.

The environment must be the one that the service had: profile, assets, licence,
threshold and limits. It can run beside the service, reads one partition after the
other, and needs about 50 bytes of memory for each of a partition's records.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer verify
  pulse-scorer verify --partition 3 --json
  pulse-scorer verify --since 48h --warm-up 100000`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			since, err := sinceOf(flags.since, p.Now())
			switch {
			case err != nil:
				return err
			case flags.list < 0:
				return usagef("--list: %d is negative", flags.list)
			case flags.warmUp < 0:
				return usagef("--warm-up: %d is negative", flags.warmUp)
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			return runVerify(command.Context(), p, c, flags, since)
		},
	}
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	command.Flags().Int32SliceVar(&flags.partitions, "partition", nil, "only this partition; may be given several times")
	command.Flags().StringVar(&flags.since, "since", "", "only input records of this age (24h) or from this time on (RFC 3339)")
	command.Flags().IntVar(&flags.list, "list", 20, "how many differing results of a partition are listed")
	command.Flags().Int64Var(&flags.warmUp, "warm-up", 10_000, "how many records of a partition are not compared where older ones are gone")
	return command
}

func runVerify(ctx context.Context, p Process, c config.Config, flags verifyFlags, since time.Time) error {
	verifier, err := app.NewVerifier(c, ops.ReadBuild(p.Version).Version)
	if err != nil {
		return err
	}
	defer verifier.Close()
	verifier.Partitions, verifier.Since, verifier.List, verifier.WarmUp = flags.partitions, since, flags.list, flags.warmUp
	bar := reading(p.Stderr, "verify")
	verifier.Progress = bar.progress
	report, err := verifier.Run(ctx)
	bar.finish()
	if err != nil {
		return err
	}
	if flags.asJSON {
		err = writeJSON(p.Stdout, report)
	} else {
		err = writeVerify(p.Stdout, report, flags.warmUp)
	}
	return errors.Join(err, verifyError(report))
}

// verifyError is what makes the command exit 1.
func verifyError(r verify.Report) error {
	sum := verify.Total(r.Partitions)
	switch r.Verdict {
	case verify.Different:
		return fmt.Errorf("%d of %d results are not what scoring the input again gives", sum.Different, sum.Compared)
	case verify.Nothing:
		return fmt.Errorf("nothing was compared: %d results, %d of them skipped", sum.Results, sum.Skipped.Sum())
	case verify.Equal:
	}
	return nil
}

func writeVerify(out io.Writer, r verify.Report, warmUp int64) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, err := fmt.Fprintln(table, "PARTITION\tRESULTS\tCOMPARED\tDIFFERENT\tRETRIED\tEXTERNAL\tOTHER PROFILE\tWARM-UP\tREPEATED\t")
	line := func(name string, row *verify.Row) {
		s := &row.Skipped
		_, fault := fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name,
			row.Results, row.Compared, row.Different, s.Retried, s.External, s.Profile, s.WarmUp, s.Repeated)
		err = errors.Join(err, fault)
	}
	for i := range r.Partitions {
		line(strconv.Itoa(int(r.Partitions[i].Partition)), &r.Partitions[i])
	}
	sum := verify.Total(r.Partitions)
	line("all", &sum)
	err = errors.Join(err, table.Flush())
	say := func(format string, args ...any) {
		_, fault := fmt.Fprintf(out, format, args...)
		err = errors.Join(err, fault)
	}
	for i := range r.Partitions {
		sayPartition(say, &r.Partitions[i], warmUp)
	}
	for _, version := range slices.Sorted(maps.Keys(sum.Versions)) {
		say("%d results are of scorer version %s, this is %s\n", sum.Versions[version], version, r.Version)
	}
	if sum.Different > 0 && sum.Skipped.Profile > 0 {
		say("%d results are of another profile than %s, which began anew with what it remembers when it took over: "+
			"results after that may differ for it\n", sum.Skipped.Profile, r.Profile)
	}
	say("%s\n", r.Verdict)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func sayPartition(say func(string, ...any), row *verify.Row, warmUp int64) {
	if row.Gone {
		say("partition %d: records before offset %d are not known; the first %d after it are a warm-up\n", row.Partition, row.From, warmUp)
	}
	if row.ResultsFrom > 0 || row.LettersFrom > 0 {
		say("partition %d: results before offset %d and dead letters before offset %d are gone: of their input it is not known "+
			"what became of it, and later results may differ for that\n", row.Partition, row.ResultsFrom, row.LettersFrom)
	}
	for _, f := range row.Findings {
		of := ""
		if f.Version != "" {
			of = " of scorer version " + f.Version
		}
		if f.Text != "" {
			say("partition %d offset %d: result%s of input offset %d: %s\n", f.Partition, f.Offset, of, f.Input, f.Text)
		}
		for _, d := range f.Differences {
			say("partition %d offset %d: result%s of input offset %d: %s is %s, again %s\n",
				f.Partition, f.Offset, of, f.Input, d.Field, orNone(d.Is), orNone(d.Again))
		}
	}
	if more := row.Different - uint64(len(row.Findings)); more > 0 {
		say("partition %d: %d differing results more\n", row.Partition, more)
	}
}

func orNone(value string) string {
	if value == "" {
		return "not there"
	}
	return value
}

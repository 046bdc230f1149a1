package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/audit"
	"pulse-scorer/internal/config"
)

type auditFlags struct {
	asJSON     bool
	partitions []int32
	since      string
	list       int
}

func newAudit(p Process) *cobra.Command {
	var flags auditFlags
	command := &cobra.Command{
		Use:   "audit",
		Short: "Account for every input record: prove that none was lost or scored twice",
		Long: `audit reads the input up to the committed offsets, the results, the dead
letters and the counts in the state, and says what became of each input record:
scored, dead, or duplicate of one that was scored. It exits 1 unless all of them
are accounted for, each once, and the counts agree.

It can run beside the service; records after the committed offset are shown as
waiting. What retention has deleted is not provable, and so an audit of the
whole input is not balanced then: --since audits what is younger. Records that
were there before the group's first offset count as lost; --since leaves them
out, too.

It reads one partition after the other and needs about 9 bytes of memory for
each of a partition's records.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer audit
  pulse-scorer audit --since 24h --json
  pulse-scorer audit --partition 3 --list 1000`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			since, err := sinceOf(flags.since, p.Now())
			if err != nil {
				return err
			}
			if flags.list < 0 {
				return usagef("--list: %d is negative", flags.list)
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			return runAudit(command.Context(), p, c, flags, since)
		},
	}
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	command.Flags().Int32SliceVar(&flags.partitions, "partition", nil, "only this partition; may be given several times")
	command.Flags().StringVar(&flags.since, "since", "", "only input records of this age (24h) or from this time on (RFC 3339)")
	command.Flags().IntVar(&flags.list, "list", 20, "how many findings of a partition are listed")
	return command
}

// sinceOf reads a duration or a time; empty is no bound.
func sinceOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if age, err := time.ParseDuration(text); err == nil && age >= 0 {
		return now.Add(-age), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usagef("--since: %q is neither a duration like 24h nor a time like 2006-01-02T15:04:05Z", text)
	}
	return at, nil
}

func runAudit(ctx context.Context, p Process, c config.Config, flags auditFlags, since time.Time) error {
	auditor, err := app.NewAuditor(c)
	if err != nil {
		return err
	}
	defer auditor.Close()
	auditor.Partitions, auditor.Since, auditor.List = flags.partitions, since, flags.list
	bar := reading(p.Stderr, "audit")
	auditor.Progress = bar.progress
	report, err := auditor.Run(ctx)
	bar.finish()
	if err != nil {
		return err
	}
	if flags.asJSON {
		err = writeJSON(p.Stdout, report)
	} else {
		err = writeAudit(p.Stdout, report)
	}
	return errors.Join(err, verdictError(report))
}

// verdictError is what makes the command exit 1.
func verdictError(r audit.Report) error {
	sum := audit.Total(r.Partitions)
	switch r.Verdict {
	case audit.Unbalanced:
		return fmt.Errorf("the accounts do not balance: %d findings", sum.Faults)
	case audit.NotProvable:
		return fmt.Errorf("nothing is missing in what can be looked at, but %d offsets are not provable; --since audits what is younger", sum.NotProvable)
	case audit.Balanced:
	}
	return nil
}

// readingBar shows how far a reading of topics has come, in offsets.
type readingBar struct{ bar *progressbar.ProgressBar }

func reading(stderr io.Writer, what string) readingBar {
	return readingBar{progress(stderr, 1, progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("records"))}
}

// progress makes room for what is to be read, and notes what was read. A bar that
// cannot be drawn is no reason to stop.
func (b readingBar) progress(toRead, read int64) {
	if toRead > 0 {
		b.bar.AddMax64(toRead)
	}
	if read > 0 {
		_ = b.bar.Add64(read)
	}
}

func (b readingBar) finish() { _ = b.bar.Finish() }

func writeAudit(out io.Writer, r audit.Report) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, err := fmt.Fprintln(table, "PARTITION\tIN\tSCORED\tDUPLICATE\tDEAD\tPENDING\tLOST\tTWICE\tSTRAY\tNOT PROVABLE\tWAITING\t")
	line := func(name string, row audit.Row) {
		_, fault := fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name,
			row.In, row.Scored, row.Duplicate, row.Dead, row.Pending, row.Lost, row.Twice, row.Stray, row.NotProvable, row.Waiting)
		err = errors.Join(err, fault)
	}
	for _, row := range r.Partitions {
		line(strconv.Itoa(int(row.Partition)), row)
	}
	line("all", audit.Total(r.Partitions))
	err = errors.Join(err, table.Flush())
	say := func(format string, args ...any) {
		_, fault := fmt.Fprintf(out, format, args...)
		err = errors.Join(err, fault)
	}
	for _, row := range r.Partitions {
		for _, f := range row.Findings {
			if f.Offset < 0 {
				say("%s: partition %d: %s\n", f.Kind, f.Partition, f.Text)
			} else {
				say("%s: partition %d offset %d: %s\n", f.Kind, f.Partition, f.Offset, f.Text)
			}
		}
		if more := row.Faults - uint64(len(row.Findings)); more > 0 {
			say("partition %d: %d findings more\n", row.Partition, more)
		}
		for _, g := range row.Ranges {
			say("not provable: partition %d offsets %d to %d: %d %s\n", row.Partition, g.From, g.To-1, g.Count, g.Why)
		}
		if row.Forgotten > 0 {
			say("partition %d: %d results for IDs that had one before the dedupe window\n", row.Partition, row.Forgotten)
		}
	}
	say("%s\n", r.Verdict)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

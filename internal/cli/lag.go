package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
)

func newLag(p Process) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "lag",
		Short: "Show how far the group is behind, and who works on what",
		Long: `lag shows for each partition of the input what the group has committed, the
end of the partition, the difference in records and in seconds, and the member
that works on it. It asks the brokers, so no worker needs to be up.

A lag in records counts offsets as Kafka's own tools do. In seconds it is the
age of the next record to process by the brokers' clock, 0 when there is none: what
an open transaction upstream holds back cannot be processed yet. To tell their
clock, the brokers want the operation Describe on the cluster; without it, or
with ZooKeeper, ages are by the clock of this machine, and stderr says so. What waits
in a retry tier is no lag: it is shown below, with the time before which the next
record of the tier is not tried.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer lag
  pulse-scorer lag --json | jq 'map(.lag) | add'`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			lags, ownClock, err := app.Lag(command.Context(), c, p.Now)
			if err != nil {
				return err
			}
			if err := noteClock(p.Stderr, lags, ownClock); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(p.Stdout, lags)
			}
			return writeLags(p.Stdout, lags)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return command
}

// noteClock says whose clock ages are by, when it is not the brokers' and there are any.
func noteClock(out io.Writer, lags []app.PartitionLag, ownClock error) error {
	aged := slices.ContainsFunc(lags, func(l app.PartitionLag) bool { return l.LagSeconds > 0 })
	if ownClock == nil || !aged {
		return nil
	}
	if _, err := fmt.Fprintf(out, "ages are by this machine's clock: the brokers do not tell theirs (%v)\n", ownClock); err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	return nil
}

func writeLags(out io.Writer, lags []app.PartitionLag) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(table, "TOPIC\tPARTITION\tCOMMITTED\tEND\tLAG\tBEHIND\tOWNER")
	var total int64
	for _, l := range lags {
		if l.Tier > 0 {
			continue
		}
		committed, owner := strconv.FormatInt(l.Committed, 10), l.Owner
		if l.Committed < 0 {
			committed = "-"
		}
		if owner == "" {
			owner = "-"
		}
		behind := rounded(l.LagSeconds)
		total += l.Lag
		_, line := fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%d\t%v\t%s\n", l.Topic, l.Partition, committed, l.End, l.Lag, behind, owner)
		err = errors.Join(err, line)
	}
	_, last := fmt.Fprintf(table, "\tall\t\t\t%d\t\t\n", total)
	if err := errors.Join(err, last, table.Flush(), writeTiers(out, lags)); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func rounded(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond)
}

// writeTiers shows the retry tiers that hold something, in a table of their own: what
// waits there is no lag.
func writeTiers(out io.Writer, lags []app.PartitionLag) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var err error
	begun := false
	for _, l := range lags {
		if l.Tier == 0 {
			continue
		}
		if !begun {
			_, err = fmt.Fprintln(table, "\nRETRY TIER\tPARTITION\tWAITING\tNEXT NOT BEFORE\tOVERDUE\tOWNER")
			begun = true
		}
		_, line := fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%v\t%s\n",
			l.Topic, l.Partition, l.Waiting, l.NextNotBefore.Format(time.RFC3339), rounded(l.LagSeconds), orDash(l.Owner))
		err = errors.Join(err, line)
	}
	return errors.Join(err, table.Flush())
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
)

type findFlags struct {
	asJSON       bool
	source, name string
}

func newFind(p Process) *cobra.Command {
	var flags findFlags
	command := &cobra.Command{
		Use:   "find ID",
		Short: "Find where a signal is now: scored, dead and why, waiting, or a duplicate",
		Long: `find looks for a signal by its ID in results, dead letters and the input. An ID
belongs to a source; without --source, those of all sources are shown. All
partitions are read, unless --name gives the signal's name, and with it the
partition that Kafka's murmur2 partitioner gives its key.

It exits 1 when there is no trace of the ID, and says what was searched.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer find 7f3a
  pulse-scorer find 7f3a --source nyc-taxi --name nyc_taxi --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if args[0] == "" {
				return usagef("ID: is empty, and no signal has an empty ID")
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			return runFind(command.Context(), p, c, flags, args[0])
		},
	}
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	command.Flags().StringVar(&flags.source, "source", "", "only the signal of this source")
	command.Flags().StringVar(&flags.name, "name", "", "the signal's name: only its partition is read")
	return command
}

func runFind(ctx context.Context, p Process, c config.Config, flags findFlags, id string) error {
	finder, err := app.NewFinder(c)
	if err != nil {
		return err
	}
	defer finder.Close()
	finder.ID, finder.Source, finder.Name = id, flags.source, flags.name
	bar := reading(p.Stderr, "find")
	finder.Progress = bar.progress
	found, err := finder.Run(ctx)
	bar.finish()
	if err != nil {
		return err
	}
	switch {
	case flags.asJSON:
		err = writeJSON(p.Stdout, found)
	case found.Found:
		err = writeTraces(p.Stdout, found.Traces)
	}
	if err == nil && !found.Found {
		hint := "what retention has deleted cannot be found"
		if flags.name != "" {
			hint += ", and a record with another key than --name is in another partition: search without it"
		}
		err = fmt.Errorf("no trace of ID %q; %s; searched: %s", id, hint, searched(found.Searched))
	}
	return err
}

func writeTraces(out io.Writer, traces []app.Trace) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(table, "STANDING\tTOPIC\tPARTITION\tOFFSET\tTIME\tSOURCE\tDETAIL")
	for _, t := range traces {
		_, line := fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", t.Standing, t.Topic, t.Partition, t.Offset,
			t.Time.Format(time.RFC3339), t.Source, strings.Join(strings.Fields(t.Detail), " "))
		err = errors.Join(err, line)
	}
	if err := errors.Join(err, table.Flush()); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// searched says which ranges were looked through, by topic.
func searched(ranges []app.SearchedRange) string {
	var topics []string
	byTopic := make(map[string][]string)
	for _, r := range ranges {
		if byTopic[r.Topic] == nil {
			topics = append(topics, r.Topic)
		}
		what := fmt.Sprintf("%d: %d to %d", r.Partition, r.From, r.To-1)
		if r.To <= r.From {
			what = fmt.Sprintf("%d: empty", r.Partition)
		}
		byTopic[r.Topic] = append(byTopic[r.Topic], what)
	}
	for i, topic := range topics {
		topics[i] = fmt.Sprintf("%s (partition %s)", topic, strings.Join(byTopic[topic], ", "))
	}
	return strings.Join(topics, "; ")
}

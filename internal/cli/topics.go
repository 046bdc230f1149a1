package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/config"
)

func newTopics(p Process) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "topics [create]",
		Short: "Show the topics: what they are and what they must be; create makes the missing ones",
		Long: `topics compares the topics of the service with what they must be.
Missing ones are shown as they would be made; 'topics create' makes them, and
grows the service's own (dead letters, state) to the input's partitions.
Nothing else of existing ones is ever changed. It exits 1 when something keeps the service
from starting.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer topics
  PULSE_BROKERS=localhost:9092 pulse-scorer topics create`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"create"},
		RunE: func(command *cobra.Command, args []string) error {
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			admin, err := app.NewAdmin(c)
			if err != nil {
				return err
			}
			states, err := admin.Plan(command.Context())
			if err != nil {
				return err
			}
			if err := broker.Faults(states); err == nil && len(args) == 1 {
				if err := admin.Create(command.Context(), states); err != nil {
					return err
				}
				if states, err = admin.Plan(command.Context()); err != nil {
					return err
				}
			}
			if err := showTopics(p.Stdout, states, asJSON); err != nil {
				return err
			}
			return broker.Faults(states)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return command
}

func showTopics(out io.Writer, states []broker.TopicState, asJSON bool) error {
	if asJSON {
		return writeJSON(out, states)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ROLE\tTOPIC\tPARTITIONS\tSTATE")
	for _, s := range states {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", s.Role, s.Name, s.Partitions, topicState(s))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write topics: %w", err)
	}
	return nil
}

func topicState(s broker.TopicState) string {
	switch {
	case len(s.Faults) > 0:
		return "FAULT: " + strings.Join(s.Faults, "; ")
	case s.Grow > 0:
		return fmt.Sprintf("too few partitions; would be grown to %d", s.Grow)
	case len(s.Warnings) > 0:
		return "warning: " + strings.Join(s.Warnings, "; ")
	case s.Exists:
		return "ok"
	}
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(s.Config)) {
		settings = append(settings, name+"="+s.Config[name])
	}
	return strings.TrimSpace("missing; would be made with " + strings.Join(settings, " "))
}

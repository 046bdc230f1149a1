package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/config"
)

func newConfig(p Process) *cobra.Command {
	var asJSON, asMarkdown bool
	command := &cobra.Command{
		Use:   "config",
		Short: "Check the environment and show the effective configuration, without secrets",
		Long: `config checks every PULSE_ variable as 'serve' would, except that the brokers
may be missing, and shows each with its value and where that comes from.
Secrets are never shown. With --markdown it lists all variables with their
defaults and meanings, whatever the environment says.`,
		Example: `  pulse-scorer config
  PULSE_SESSION_TIMEOUT=45s pulse-scorer config --json
  pulse-scorer config --markdown`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asMarkdown {
				return write(p.Stdout, config.Markdown())
			}
			c, err := p.load(config.NeedNothing)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(p.Stdout, c.Redacted())
			}
			return writeSettings(p.Stdout, c.Redacted())
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	command.Flags().BoolVar(&asMarkdown, "markdown", false, "the table of all variables, as Markdown")
	command.MarkFlagsMutuallyExclusive("json", "markdown")
	return command
}

func writeSettings(out io.Writer, settings []config.Setting) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(table, "VARIABLE\tVALUE\tSOURCE")
	for _, s := range settings {
		value := s.Value
		if value == "" {
			value = "-"
		}
		_, line := fmt.Fprintf(table, "%s\t%s\t%s\n", s.Variable, value, s.Source)
		err = errors.Join(err, line)
	}
	if err := errors.Join(err, table.Flush()); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func write(out io.Writer, text string) error {
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

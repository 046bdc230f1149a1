package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/ops"
)

func newVersion(p Process) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		Example: `  pulse-scorer version
  pulse-scorer version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			build := ops.ReadBuild(p.Version)
			if asJSON {
				return writeJSON(p.Stdout, build)
			}
			if _, err := fmt.Fprintln(p.Stdout, build); err != nil {
				return fmt.Errorf("write answer: %w", err)
			}
			return nil
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return command
}

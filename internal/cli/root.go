package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ops"
)

// defaultCommand runs when no command is named.
const defaultCommand = "serve"

// constructor makes one command.
type constructor func(p Process) *cobra.Command

// commands lists all commands, in the order of the help text.
func commands() []constructor {
	return []constructor{
		newServe,
		newDev,
		scoreCommand(offlineScorer),
		newProduce,
		newLag,
		newFind,
		newAudit,
		newVerify,
		newReplay,
		newDLQ,
		newHealth,
		newBench,
		newTopics,
		newConfig,
		newVersion,
	}
}

func newRoot(p Process, list ...constructor) *cobra.Command {
	root := &cobra.Command{
		Use:   "pulse-scorer",
		Short: "Scores signals from Kafka, exactly once",
		Long: `pulse-scorer reads signals from a Kafka topic, scores them and writes the
results to another, exactly once. It is set up by environment variables
(see 'pulse-scorer config'); without a command it serves. The completion command
writes what a shell needs to complete commands, flags and their values.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`,
		Example: `  pulse-scorer dev
  PULSE_BROKERS=localhost:9092 pulse-scorer
  source <(pulse-scorer completion bash)`,
		Version:       ops.ReadBuild(p.Version).String(),
		SilenceErrors: true, // Main reports them
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	for _, construct := range list {
		command := construct(p)
		root.AddCommand(command)
		if command.Name() == defaultCommand {
			root.RunE = command.RunE
			root.Flags().AddFlagSet(command.Flags())
		}
	}
	return root
}

// load reads the environment and shows what is doubtful in it.
func (p Process) load(need config.Need) (config.Config, error) {
	c, err := app.Load(p.Environ, need)
	if err != nil {
		return config.Config{}, err
	}
	for _, warning := range c.Warnings() {
		_, _ = fmt.Fprintf(p.Stderr, "pulse-scorer: warning: %v\n", warning)
	}
	return c, nil
}

// writeJSON is the answer of every --json.
func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

package cli

import (
	"runtime"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ops"
)

func newServe(p Process) *cobra.Command {
	return &cobra.Command{
		Use:   defaultCommand,
		Short: "Run the service (the default command)",
		Long: `serve joins the consumer group and scores what comes, until SIGTERM or SIGINT.
Then it stops fetching, commits what it has computed, leaves the group and
exits 0, at the latest after PULSE_DRAIN_TIMEOUT.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer serve
  curl -s localhost:9100/readyz?verbose`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			log, flush, err := ops.NewLogger(p.Stderr, ops.LogSettings{Level: c.LogLevel, Format: c.LogFormat})
			if err != nil {
				return err
			}
			defer flush()
			floor := boundMemory(p.Environ)
			defer runtime.KeepAlive(floor)
			ctx := command.Context()
			service, err := app.NewService(ctx, c, app.Deps{Log: log, Build: ops.ReadBuild(p.Version), Now: p.Now})
			if err != nil {
				return err
			}
			return service.Run(ctx)
		},
	}
}

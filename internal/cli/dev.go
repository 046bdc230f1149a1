package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ndjson"
	"pulse-scorer/internal/ops"
	"pulse-scorer/internal/sample"
)

type devFlags struct {
	once bool
	json bool
	data []string
	keep string
	port int
	rate float64
}

func newDev(p Process) *cobra.Command {
	var flags devFlags
	command := &cobra.Command{
		Use:   "dev",
		Short: "Try the service: embedded broker, sample data, summary",
		Long: `dev starts an embedded broker on a loopback port that real clients can use, the
topics and the service; it plays the sample data (or --data), prints a summary
and stays until Ctrl-C, so that you can look at the topics. It needs nothing
but this binary. The summary counts what an independent read_committed client
sees; if a record is lost or doubled, it exits 1.`,
		Example: `  pulse-scorer dev
  pulse-scorer dev --once --data signals.ndjson
  pulse-scorer dev --rate 1000 --keep ./state`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if flags.rate < 0 {
				return usagef("--rate: %v is negative", flags.rate)
			}
			return dev(command.Context(), p, flags)
		},
	}
	command.Flags().BoolVar(&flags.once, "once", false, "end after the summary")
	command.Flags().BoolVar(&flags.json, "json", false, "write the summary as JSON")
	command.Flags().StringArrayVar(&flags.data, "data", nil, "NDJSON `file` to play in place of the sample data (repeatable, also .gz)")
	command.Flags().StringVar(&flags.keep, "keep", "", "keep the broker's data in this `directory`")
	command.Flags().IntVar(&flags.port, "port", 0, "port of the embedded broker (default: any free one)")
	command.Flags().Float64Var(&flags.rate, "rate", 0, "most records a second (default: no limit)")
	return command
}

func dev(ctx context.Context, p Process, flags devFlags) error {
	broker, err := devbroker.Start(devbroker.Settings{Port: flags.port, DataDir: flags.keep})
	if err != nil {
		return err
	}
	err = devOn(ctx, p, flags, broker)
	if closeErr := broker.Close(); err == nil {
		err = closeErr
	}
	return err
}

func devOn(ctx context.Context, p Process, flags devFlags, broker *devbroker.Broker) error {
	c, err := devConfig(ctx, p, broker)
	if err != nil {
		return err
	}
	log, flush, err := ops.NewLogger(p.Stderr, ops.LogSettings{Level: c.LogLevel, Format: c.LogFormat})
	if err != nil {
		return err
	}
	defer flush()
	inputs, shift, err := devInputs(p, flags)
	if err != nil {
		return err
	}
	bar := progress(p.Stderr, -1, progressbar.OptionSpinnerType(14))
	demo := &app.Demo{
		Config: c, Broker: broker, Rate: flags.rate, Shift: shift, Inputs: inputs,
		Deps:     app.Deps{Log: log, Build: ops.ReadBuild(p.Version), Now: p.Now},
		Progress: func(produced, seen int) { bar.Describe(fmt.Sprintf("%d produced, %d seen", produced, seen)) },
	}
	at := devPlace{token: c.AdminToken.Reveal()}
	return demo.Run(ctx, flags.once, func(s *app.Service) { at.addr = s.Addr() }, func(s app.Summary) error {
		_ = bar.Clear()
		if err := showSummary(p.Stdout, s, flags, c, at); err != nil {
			return err
		}
		return s.Balanced()
	})
}

// devPlace is where the console is, and what opens the contents of records in it;
// browsers do not send what is behind #.
type devPlace struct{ addr, token string }

// devConfig is the environment with the embedded broker in it, and quiet logs,
// a free HTTP port and an admin token unless they are asked for.
func devConfig(ctx context.Context, p Process, broker *devbroker.Broker) (config.Config, error) {
	environ := append([]string{"PULSE_BROKERS=" + strings.Join(broker.Addrs(), ",")}, p.Environ...)
	given := func(name string) bool {
		return slices.ContainsFunc(p.Environ, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	for name, value := range map[string]string{
		"PULSE_LOG_LEVEL": "warn", "PULSE_LOG_FORMAT": "text", "PULSE_HTTP_ADDR": freeOr(ctx, "127.0.0.1:9100"),
	} {
		if !given(name) {
			environ = append(environ, name+"="+value)
		}
	}
	if !given("PULSE_ADMIN_TOKEN") && !given("PULSE_ADMIN_TOKEN_FILE") {
		environ = append(environ, "PULSE_ADMIN_TOKEN="+rand.Text())
	}
	p.Environ = environ
	return p.load(config.NeedBrokers)
}

// freeOr is addr, or any free port when something listens there already.
func freeOr(ctx context.Context, addr string) string {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = listener.Close()
	return addr
}

// devInputs is what to play. The sample's times are moved so that its newest
// signal is of now; files are played as they are.
func devInputs(p Process, flags devFlags) (inputs []app.Input, shift time.Duration, err error) {
	for _, path := range flags.data {
		inputs = append(inputs, app.Input{Name: path, Open: func() (io.ReadCloser, error) { return ndjson.Open(path, nil) }})
	}
	if len(inputs) > 0 {
		return inputs, 0, nil
	}
	var newest time.Time
	for _, f := range sample.Files() {
		open := func() (io.ReadCloser, error) { return ndjson.From(f.Name, f.Open(), f.Size()) }
		inputs = append(inputs, app.Input{Name: f.Name, Open: open})
		source, err := open()
		if err != nil {
			return nil, 0, err
		}
		at, found, err := app.Newest(source, "sample")
		if err != nil {
			return nil, 0, err
		}
		if found && at.After(newest) {
			newest = at
		}
	}
	return inputs, p.Now().Sub(newest).Truncate(time.Second), nil
}

func showSummary(out io.Writer, s app.Summary, flags devFlags, c config.Config, at devPlace) error {
	if flags.json {
		return writeJSON(out, s)
	}
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t"+format+"\t\n", append([]any{name}, args...)...)
	}
	row("in", "%d", s.In)
	row("scored", "%d", s.Scored)
	row("duplicates", "%d", s.Duplicate)
	dead := 0
	for _, n := range s.Dead {
		dead += n
	}
	row("dead letters", "%d", dead)
	for _, class := range slices.Sorted(maps.Keys(s.Dead)) {
		row(class, "%d", s.Dead[class])
	}
	row("lost", "%d", s.Lost)
	row("twice", "%d", s.Twice)
	row("records/s", "%.0f", s.PerSecond)
	row("append to visible p50", "%s", s.P50.Round(10*time.Microsecond))
	row("append to visible p99", "%s", s.P99.Round(10*time.Microsecond))
	_ = table.Flush()
	text.WriteString("\nCounted by a read_committed client of its own; one worker, embedded broker")
	if flags.rate == 0 {
		text.WriteString(",\nno rate limit (so the times to visible are those of a backlog; try --rate 1000)")
	}
	text.WriteString(".\n")
	if !flags.once {
		text.WriteString(lookAround(c, at))
	}
	if _, err := text.WriteTo(out); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// lookAround tells how to go on.
func lookAround(c config.Config, at devPlace) string {
	b := strings.Join(c.Brokers, ",")
	t := c.Topics()
	return fmt.Sprintf(`
See what happens, with what is in the records:
  http://%[5]s/#token=%[6]s

Look at the topics from another terminal:
  results       kcat -C -b %[1]s -t %[2]s -X isolation.level=read_committed -o beginning -e
  dead letters  kcat -C -b %[1]s -t %[3]s -X isolation.level=read_committed -o beginning -e -f '%%h %%s\n'
Send a signal:
  echo '{"name":"my_signal","value":1.5,"source":"me"}' | kcat -P -b %[1]s -t %[4]s -k my_signal -X partitioner=murmur2_random
Metrics and probes:
  curl -s http://%[5]s/metrics

Ctrl-C ends.
`, b, t.Output, t.DLQ, t.Input, at.addr, at.token)
}

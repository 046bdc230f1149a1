package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ndjson"
)

type produceFlags struct {
	shift string
	rate  float64
}

func newProduce(p Process) *cobra.Command {
	var flags produceFlags
	command := &cobra.Command{
		Use:   "produce FILE...",
		Short: "Produce NDJSON files to the input topic",
		Long: `produce writes one record a line to the input topic, keyed by the signal's name
with Kafka's murmur2 partitioner, idempotently. Files may be gzip-compressed;
"-" is standard input. Lines that are not signals are produced too, without a
key: the service says in its dead letters what is wrong with them.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer produce signals.ndjson.gz
  pulse-scorer produce --shift now --rate 1000 signals.ndjson
  tail -f signals.ndjson | pulse-scorer produce -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, paths []string) error {
			if flags.shift != "" && flags.shift != "now" {
				return usagef("--shift: %q is not known; the only value is now", flags.shift)
			}
			if flags.rate < 0 {
				return usagef("--rate: %v is negative", flags.rate)
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			return produce(command.Context(), p, c, flags, paths)
		},
	}
	command.Flags().StringVar(&flags.shift, "shift", "", "now: move all times so that the newest is now (not with standard input)")
	completeWith(command, "shift", "now\tthe newest signal is now")
	command.Flags().Float64Var(&flags.rate, "rate", 0, "most records a second (default: no limit)")
	return command
}

func produce(ctx context.Context, p Process, c config.Config, flags produceFlags, paths []string) error {
	shift, err := shiftOf(p, flags, paths, c)
	if err != nil {
		return err
	}
	player, err := app.NewPlayer(ctx, c, p.Now)
	if err != nil {
		return err
	}
	defer player.Close()
	player.Rate, player.Shift = flags.rate, shift
	sent := 0
	player.Produced = func(n int) { sent = n }
	began := p.Now()
	var stdin io.Reader
	if slices.Contains(paths, ndjson.Stdin) {
		// One reader, made only when it is asked for: it takes what there is.
		stdin = player.Eager(ctx, app.Until(ctx, p.Stdin))
	}
	for _, path := range paths {
		if err := produceFile(ctx, player, stdin, p.Stderr, path); err != nil {
			return fmt.Errorf("after %d records, the last of which may not be stored: %w", sent, err)
		}
	}
	took := p.Now().Sub(began)
	if _, err := fmt.Fprintf(p.Stdout, "%d records produced to %s in %v\n", sent, c.TopicInput, took.Round(time.Millisecond)); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// shiftOf is how far times are moved.
func shiftOf(p Process, flags produceFlags, paths []string, c config.Config) (time.Duration, error) {
	if flags.shift == "" {
		return 0, nil
	}
	var newest time.Time
	known := false
	for _, path := range paths {
		if path == ndjson.Stdin {
			return 0, usagef("--shift now has to read its input twice, which standard input does not allow; give a file")
		}
		source, err := ndjson.Open(path, nil)
		if err != nil {
			return 0, err
		}
		at, found, err := app.Newest(source, c.DefaultSource)
		_ = source.Close()
		if err != nil {
			return 0, err
		}
		if found && (!known || at.After(newest)) {
			newest, known = at, true
		}
	}
	if !known {
		return 0, nil
	}
	return p.Now().Sub(newest).Truncate(time.Second), nil
}

func produceFile(ctx context.Context, player *app.Player, stdin io.Reader, stderr io.Writer, path string) error {
	source, err := ndjson.Open(path, stdin)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	bar := progress(stderr, source.Size(), progressbar.OptionSetDescription(source.Name()), progressbar.OptionShowBytes(true))
	defer func() { _ = bar.Finish() }()
	return player.Play(ctx, source.Name(), io.TeeReader(source, onRead(func() { _ = bar.Set64(source.Progress()) })))
}

// onRead is told of every read that passes.
type onRead func()

// Write implements io.Writer.
func (f onRead) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

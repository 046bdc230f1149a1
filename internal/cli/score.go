package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ndjson"
	"pulse-scorer/internal/ops"
	"pulse-scorer/internal/pulse"
)

// lineScorer scores one line after the other, as one task of the service
// would.
type lineScorer interface {
	// AppendResult appends the result of a line to dst, or says why the line
	// is bad. A zero now stands for the signal's own timestamp.
	AppendResult(dst, line []byte, now time.Time) ([]byte, *pulse.Bad)
	// Skip counts a line that is not given to it.
	Skip()
}

// scorerMaker makes the scorer for an environment.
type scorerMaker func(c config.Config, p Process) (lineScorer, error)

// offlineScorer is the record path of the service.
func offlineScorer(c config.Config, p Process) (lineScorer, error) { //nolint:ireturn // a scorerMaker, which tests replace
	return app.NewScorer(c, ops.ReadBuild(p.Version).Version, p.Now)
}

// scoreCommand returns the constructor of score, on top of a scorer.
func scoreCommand(scorer scorerMaker) constructor {
	return func(p Process) *cobra.Command { return newScore(p, scorer) }
}

func newScore(p Process, scorer scorerMaker) *cobra.Command {
	var profile, at, plots string
	command := &cobra.Command{
		Use:   "score",
		Short: "Score signals from stdin without Kafka",
		Long: `score reads one signal a line (NDJSON, also gzip-compressed) from stdin and
writes one line for each to stdout, in the same order: the result, or what is
wrong with the line. It stops at the end of the input; if a line was bad, it
exits 1 then.`,
		Example: `  echo '{"name":"nyc_taxi_demand","value":10844,"timestamp":"2014-07-01T00:00:00Z"}' | pulse-scorer score
  pulse-scorer score --now 2014-07-01T01:00:00Z < signals.ndjson > results.ndjson
  gzip -dc signals.ndjson.gz | pulse-scorer score --profile parity
  pulse-scorer score --plot pictures < signals.ndjson > results.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			now, err := parseNow(at)
			if err != nil {
				return err
			}
			if profile != "" {
				// The first of repeated variables wins.
				p.Environ = append([]string{"PULSE_PROFILE=" + profile}, p.Environ...)
			}
			c, err := p.load(config.NeedNothing)
			if err != nil {
				return err
			}
			lines, err := scorer(c, p)
			if err != nil {
				return err
			}
			pictures, err := newPlotter(plots, app.Threshold(c))
			if err != nil {
				return err
			}
			return errors.Join(score(command.Context(), p, lines, pictures, int(c.MaxRecordBytes), now), pictures.write())
		},
	}
	command.Flags().StringVar(&profile, "profile", "", "scoring profile, in place of PULSE_PROFILE")
	completeWith(command, "profile", "v2\tthe default", "parity\tthe scores of the system that this one replaces")
	command.Flags().StringVar(&plots, "plot", "", "draw each series with its scores and flags into this folder, as SVG")
	command.Flags().StringVar(&at, "now", "", "the time to score at, RFC 3339 (default: each signal's own timestamp)")
	return command
}

func parseNow(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	now, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err != nil || now.IsZero() {
		return time.Time{}, usagef("--now: %q is not a time; write RFC 3339, like 2014-07-01T00:00:00Z", text)
	}
	return now, nil
}

// score answers line by line. The output is flushed whenever it would have to
// wait for more input, so that a slow producer sees its answers at once.
func score(ctx context.Context, p Process, lines lineScorer, pictures *plotter, limit int, now time.Time) error {
	out := bufio.NewWriterSize(p.Stdout, 64<<10)
	total, bad, err := scoreLines(flushing{app.Until(ctx, p.Stdin), out}, out, lines, pictures, limit, now)
	if flushed := out.Flush(); flushed != nil {
		return fmt.Errorf("write results: %w", flushed)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted after %d lines", total)
	case err != nil:
		return err
	case bad > 0:
		return fmt.Errorf("%d of %d lines were bad; the output says why at their places", bad, total)
	}
	return nil
}

// scoreLines writes one line for each line of in.
func scoreLines(in io.Reader, out io.Writer, scorer lineScorer, pictures *plotter, limit int, now time.Time) (total, bad int, err error) {
	plain, err := ndjson.From("standard input", in, -1)
	if err != nil {
		return 0, 0, err
	}
	reader := ndjson.NewReader(plain, limit)
	var buf []byte
	for {
		line, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return total, bad, nil
		}
		if err != nil {
			return total, bad, err
		}
		total++
		var why *pulse.Bad
		if line.TooLong {
			why = tooLong(line, limit)
			scorer.Skip()
		} else {
			buf, why = scorer.AppendResult(buf[:0], line.Bytes, now)
		}
		if why != nil {
			bad++
			buf = codec.AppendError(buf[:0], total, why)
		} else if err := pictures.take(buf); err != nil {
			return total, bad, err
		}
		buf = append(buf, '\n')
		if _, err := out.Write(buf); err != nil {
			return total, bad, fmt.Errorf("write results: %w", err)
		}
	}
}

func tooLong(line ndjson.Line, limit int) *pulse.Bad {
	return &pulse.Bad{
		Class:   pulse.TooLarge,
		Message: fmt.Sprintf("the line has %d bytes, more than PULSE_MAX_RECORD_BYTES (%d)", line.Size, limit),
	}
}

// flushing flushes out before it waits for more of in.
type flushing struct {
	in  io.Reader
	out *bufio.Writer
}

// Read implements io.Reader.
func (f flushing) Read(p []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, fmt.Errorf("write results: %w", err)
	}
	return f.in.Read(p)
}

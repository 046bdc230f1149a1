package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ops"
)

type replayFlags struct {
	output, group, fromTime string
	fromOffset              int64
	resume, asJSON          bool
}

func newReplay(p Process) *cobra.Command {
	var flags replayFlags
	command := &cobra.Command{
		Use:   "replay",
		Short: "Score the input again from a time or offset, to a topic of its own",
		Long: `replay scores what is in the input, from a time or an offset on up to its present
end, under a group of its own: with another profile, threshold or version, say.
It writes to --output, and has its own state, dead letters and retry tiers, whose
names follow from the group. The service and its topics are left alone.

What a series was like before the first record is not known to it. The same
records from the start of the input on, with the same settings, give the same
results as they did.

It ends when all is scored. One that was stopped goes on with --resume and the
group that it names. External enrichers are asked as the environment says;
PULSE_ENRICHERS= leaves them out.`,
		Example: `  pulse-scorer replay --output scored.v2 --from-offset 0
  PULSE_PROFILE=parity pulse-scorer replay --output scored.parity --from-time 2025-01-01T00:00:00Z
  pulse-scorer replay --output scored.v2 --group pulse-scorer-replay-20250101T000000-k3x7qa --resume`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			replay, err := newReplayOf(p, flags, command.Flags().Changed("from-offset"))
			if err != nil {
				return err
			}
			return runReplay(command.Context(), p, replay, flags.asJSON)
		},
	}
	command.Flags().StringVar(&flags.output, "output", "", "topic of the results (required)")
	command.Flags().StringVar(&flags.group, "group", "", "consumer group (default: the service's, with -replay-, the time and six random characters)")
	command.Flags().StringVar(&flags.fromTime, "from-time", "", "from records of this time on, RFC 3339")
	command.Flags().Int64Var(&flags.fromOffset, "from-offset", 0, "from this offset of each partition on")
	command.Flags().BoolVar(&flags.resume, "resume", false, "go on with a replay that was stopped")
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	return command
}

// newReplayOf checks the flags and makes the environment of the replay.
func newReplayOf(p Process, flags replayFlags, byOffset bool) (*app.Replay, error) {
	from, err := flags.from(byOffset)
	if err != nil {
		return nil, err
	}
	service, err := p.load(config.NeedBrokers)
	if err != nil {
		return nil, err
	}
	if flags.group == "" {
		flags.group = replayGroup(service.Group, p.Now())
	}
	own := p
	own.Environ = replayEnviron(p.Environ, flags)
	c, err := own.load(config.NeedBrokers)
	if err != nil {
		return nil, err
	}
	if err := app.CheckReplay(c, service); err != nil {
		return nil, usagef("%v", err)
	}
	return &app.Replay{Config: c, FromTime: from, FromOffset: flags.fromOffset, Resume: flags.resume}, nil
}

// replayGroup is a group of its own for each replay. The random part is for two that begin in the same second: the second one would be
// refused, as one that begins again what was begun (TestReplay_HasAGroupOfItsOwn).
func replayGroup(service string, now time.Time) string {
	const random = 6 // of 32 letters and digits each
	return service + "-replay-" + now.UTC().Format("20060102T150405") + "-" + strings.ToLower(rand.Text()[:random])
}

// from checks the flags, and is --from-time if there is one.
func (flags *replayFlags) from(byOffset bool) (from time.Time, err error) {
	switch {
	case flags.output == "":
		return from, usagef("--output is missing: name a topic for the results")
	case flags.fromTime != "" && byOffset:
		return from, usagef("--from-time and --from-offset: give one of them")
	case flags.fromTime == "" && !byOffset && !flags.resume:
		return from, usagef("--from-time or --from-offset is missing: from where? --from-offset 0 is all there is")
	case flags.resume && flags.group == "":
		return from, usagef("--resume needs --group: the one of the replay that was stopped")
	case flags.fromOffset < 0:
		return from, usagef("--from-offset: %d is negative", flags.fromOffset)
	case flags.fromTime != "":
		if from, err = time.Parse(time.RFC3339, strings.ToUpper(flags.fromTime)); err != nil {
			return from, usagef("--from-time: %q is not a time; write RFC 3339, like 2006-01-02T15:04:05Z", flags.fromTime)
		}
	}
	return from, nil
}

// replayEnviron is the service's environment without what is its alone: topics that
// it writes, its place in the group, its port.
func replayEnviron(environ []string, flags replayFlags) []string {
	alone := []string{
		"PULSE_GROUP", "PULSE_INSTANCE_ID", "PULSE_TOPIC_OUTPUT", "PULSE_TOPIC_RETRY", "PULSE_TOPIC_DLQ", "PULSE_TOPIC_STATE", "PULSE_TOPIC_MODELS",
		"PULSE_HTTP_ADDR",
	}
	own := []string{"PULSE_GROUP=" + flags.group, "PULSE_TOPIC_OUTPUT=" + flags.output, "PULSE_HTTP_ADDR=127.0.0.1:0"}
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !slices.Contains(alone, name) {
			own = append(own, entry)
		}
	}
	return own
}

func runReplay(ctx context.Context, p Process, replay *app.Replay, asJSON bool) error {
	c := replay.Config
	log, flush, err := ops.NewLogger(p.Stderr, ops.LogSettings{Level: quieter(c), Format: c.LogFormat})
	if err != nil {
		return err
	}
	defer flush()
	replay.Deps = app.Deps{Log: log, Build: ops.ReadBuild(p.Version), Now: p.Now}
	bar := reading(p.Stderr, "replay")
	replay.Progress = bar.progress
	done, err := replay.Run(ctx)
	bar.finish()
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(p.Stdout, done)
	}
	_, err = fmt.Fprintf(p.Stdout, "%d scored, %d duplicate, %d dead; results in %s, group %s\n",
		done.Scored, done.Duplicate, done.Dead, done.Output, done.Group)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// quieter leaves out what a service says of its life, unless it was asked for.
func quieter(c config.Config) string {
	if c.Given("PULSE_LOG_LEVEL") {
		return c.LogLevel
	}
	return "error"
}

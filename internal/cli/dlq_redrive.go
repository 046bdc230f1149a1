package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
)

type redriveFlags struct {
	letterFlags

	asJSON, dryRun bool
	rate           float64
	limit          uint64
	maxRedrives    int
}

func newDLQRedrive(p Process) *cobra.Command {
	var flags redriveFlags
	command := &cobra.Command{
		Use:   "redrive [PARTITION:OFFSET...]",
		Short: "Send dead letters back to where they failed",
		Long: `redrive sends open dead letters back: to the first retry tier, where they go on at
the stage that failed, or to the input. Each is sent once. Ctrl-C ends it after the
transaction under way; whatever ends it, the next redrive goes on where it was.

Not sent but put on hold are tombstones, values that were withheld for their size,
and records that came back --max-redrives times. A letter that is named and left alone
is told with the reason, and the exit code is 1.

A signal that was scored meanwhile is a duplicate and not scored again, as long as its
ID is remembered: for PULSE_DEDUPE_WINDOW (default 24h), or less where
PULSE_DEDUPE_MAX_IDS is reached. Letters are kept longer; how many of those sent are older
than the window of this command's environment is said, and "pulse-scorer find ID" shows
whether one was scored.

Letters of class future_timestamp fail again: the time that counts is the one at which
the record arrived first. They are scored only once PULSE_MAX_CLOCK_SKEW of the service
has been raised over what they are ahead.`,
		Example: `  pulse-scorer dlq redrive --class enricher_unavailable --dry-run
  pulse-scorer dlq redrive --class enricher_unavailable --rate 200
  pulse-scorer dlq redrive 3:17`,
		ValidArgsFunction: p.completeLetters,
		RunE: func(command *cobra.Command, args []string) error {
			filter, err := flags.filter(p.Now(), args)
			switch {
			case err != nil:
				return err
			case flags.rate < 0:
				return usagef("--rate: %v is negative", flags.rate)
			case flags.maxRedrives < 1:
				return usagef("--max-redrives: %d is not positive", flags.maxRedrives)
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			if flags.dryRun {
				return dryRun(command.Context(), p, c, flags, filter)
			}
			return runRedrive(command.Context(), p, c, flags, filter)
		},
	}
	flags.add(command)
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	command.Flags().BoolVar(&flags.dryRun, "dry-run", false, "send nothing: show how many letters would be sent or held, by class, stage and age")
	command.Flags().Float64Var(&flags.rate, "rate", 0, "most letters a second (default: no limit)")
	command.Flags().Uint64Var(&flags.limit, "limit", 0, "send at most so many (default: all)")
	command.Flags().IntVar(&flags.maxRedrives, "max-redrives", defaultMaxRedrives, "how often a record is sent back before it is held")
	return command
}

func dryRun(ctx context.Context, p Process, c config.Config, flags redriveFlags, filter deadletter.Filter) error {
	letters, err := app.NewDeadLetters(c)
	if err != nil {
		return err
	}
	defer letters.Close()
	letters.Filter = filter
	bar := reading(p.Stderr, "dlq")
	letters.Progress = bar.progress
	f, err := letters.DryRun(ctx, p.Now(), flags.maxRedrives, flags.limit)
	if err != nil {
		bar.finish()
		return err
	}
	missed := explain(ctx, letters, "redriven", whyNotRedriven)
	bar.finish()
	return errors.Join(answerDryRun(p.Stdout, f, c.DedupeWindow, flags.asJSON), missed)
}

func answerDryRun(out io.Writer, f app.DryRun, window time.Duration, asJSON bool) error {
	if asJSON {
		return writeJSON(out, f)
	}
	err := answerHistogram(out, f.Histogram, false)
	if f.Forgettable > 0 {
		_, fault := fmt.Fprintf(out, "%d %s\n", f.Forgettable, forgettable(window))
		err = errors.Join(err, written(fault))
	}
	return err
}

// forgettable says what it means that letters are older than what is remembered of IDs.
func forgettable(window time.Duration) string {
	return fmt.Sprintf("of them older than PULSE_DEDUPE_WINDOW (%v): a signal that was scored since may be forgotten, and is then scored again; "+
		"pulse-scorer find ID shows whether it was", window)
}

func runRedrive(ctx context.Context, p Process, c config.Config, flags redriveFlags, filter deadletter.Filter) error {
	redriver, err := app.NewRedriver(c, p.Now)
	if err != nil {
		return err
	}
	defer redriver.Close()
	redriver.Filter, redriver.Rate, redriver.Limit, redriver.MaxRedrives = filter, flags.rate, flags.limit, flags.maxRedrives
	bar := reading(p.Stderr, "redrive")
	redriver.Progress = bar.progress
	done, err := redriver.Run(ctx)
	if err == nil {
		err = explain(ctx, redriver.DeadLetters, "redriven", whyNotRedriven)
	}
	bar.finish()
	return errors.Join(err, answerRedriven(p.Stdout, done, c.DedupeWindow, flags.asJSON))
}

func answerRedriven(out io.Writer, done app.Redriven, window time.Duration, asJSON bool) error {
	if asJSON {
		return writeJSON(out, done)
	}
	var err error
	say := func(n uint64, what string) {
		if n > 0 {
			_, fault := fmt.Fprintf(out, "%d %s\n", n, what)
			err = errors.Join(err, fault)
		}
	}
	_, err = fmt.Fprintf(out, "%d redriven\n", done.Sent())
	say(done.ToInput, "of them to the input")
	say(done.ToTier, "of them to the first retry tier")
	say(done.Forgettable, forgettable(window))
	for _, standing := range slices.Sorted(maps.Keys(done.Held)) {
		say(done.Held[standing], standing)
	}
	say(done.Released, "released")
	say(done.Filtered, "open, and not meant")
	say(done.Before, "redriven or held before")
	say(done.Foreign, "other records in the topic")
	return written(err)
}

type holdFlags struct {
	letterFlags

	asJSON, release, all bool
}

func newDLQHold(p Process) *cobra.Command {
	var flags holdFlags
	command := &cobra.Command{
		Use:   "hold [PARTITION:OFFSET...]",
		Short: "Put dead letters on hold, so that they are not redriven",
		Long: `hold marks open dead letters: a redrive passes over them. --release makes held
letters open again, whoever has put them on hold; one that was held because it came
back too often is held again, unless --max-redrives of redrive is higher.

It ends a redrive that runs at the same time; start that again.`,
		Example: `  pulse-scorer dlq hold 3:17
  pulse-scorer dlq hold --source nyc-taxi --class stage_panic
  pulse-scorer dlq hold --release --all`,
		ValidArgsFunction: p.completeLetters,
		RunE: func(command *cobra.Command, args []string) error {
			filter, err := flags.filter(p.Now(), args)
			switch {
			case err != nil:
				return err
			case filter.Empty() && !flags.all:
				return usagef("which letters? give positions or filters, or --all")
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			redriver, err := app.NewRedriver(c, p.Now)
			if err != nil {
				return err
			}
			defer redriver.Close()
			redriver.Filter = filter
			bar := reading(p.Stderr, "hold")
			redriver.Progress = bar.progress
			done, err := redriver.Hold(command.Context(), flags.release)
			if err == nil {
				err = flags.explain(command.Context(), redriver.DeadLetters)
			}
			bar.finish()
			return errors.Join(err, answerHeld(p.Stdout, done, flags))
		},
	}
	flags.add(command)
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	command.Flags().BoolVar(&flags.release, "release", false, "make held letters open again")
	command.Flags().BoolVar(&flags.all, "all", false, "all of them")
	return command
}

func (f *holdFlags) explain(ctx context.Context, letters *app.DeadLetters) error {
	if f.release {
		return explain(ctx, letters, "released", whyNotReleased)
	}
	return explain(ctx, letters, "put on hold", whyNotHeld)
}

func answerHeld(out io.Writer, done app.Redriven, flags holdFlags) error {
	if flags.asJSON {
		return writeJSON(out, done)
	}
	n, what := done.Released, "released"
	if !flags.release {
		n, what = done.Held[deadletter.HeldByHand.String()], "put on hold"
	}
	_, err := fmt.Fprintf(out, "%d dead letters %s\n", n, what)
	return written(err)
}

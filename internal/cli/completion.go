package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// completeWith gives the shell the values of a flag, each with what it means after a tab.
func completeWith(command *cobra.Command, flag string, values ...string) {
	err := command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(fmt.Sprintf("completion of --%s: %v", flag, err)) // no such flag, or completed twice
	}
}

// letterClasses are the error classes that a dead letter can have.
func letterClasses() []string {
	var names []string
	for _, class := range []pulse.Class{
		pulse.MalformedJSON, pulse.InvalidField, pulse.TooLarge, pulse.FutureTimestamp, pulse.IDConflict, pulse.StagePanic,
		pulse.EnricherRejected, pulse.EnricherUnavailable, pulse.Unknown, pulse.RetriesExhausted,
	} {
		names = append(names, string(class))
	}
	return names
}

// letterStages are the stages that a dead letter can come from.
func letterStages() []string {
	var names []string
	for _, stage := range []pipeline.Stage{
		pipeline.StageDecode, pipeline.StageDedupe, pipeline.StageIngest, pipeline.StageEnrich, pipeline.StageScore, pipeline.StageEmit,
	} {
		names = append(names, stage.String())
	}
	return names
}

// A shell waits for its completion: what takes longer than this, or is more than fits a
// screen, is left out.
const (
	completionPatience = 2 * time.Second
	completionMost     = 50
)

// completeLetters gives the shell the positions of dead letters, asked of the brokers.
// Whatever is wrong is no letter to offer; the command itself says what it is.
func (p Process) completeLetters(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(command.Context(), completionPatience)
	defer cancel()
	quiet := p
	quiet.Stderr = io.Discard
	c, err := quiet.load(config.NeedBrokers)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	letters, err := app.NewDeadLetters(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer letters.Close()
	var found []string
	_ = letters.Each(ctx, func(_ *pipeline.Record, l *deadletter.Letter, s deadletter.Standing) error {
		position := fmt.Sprintf("%d:%d", l.Partition, l.At)
		if !slices.Contains(args, position) && strings.HasPrefix(position, begun) {
			found = append(found, fmt.Sprintf("%s\t%s, %s of %s", position, l.Class, s, orDash(l.Source)))
		}
		if len(found) == completionMost {
			return app.ErrEnough
		}
		return nil
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

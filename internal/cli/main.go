package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/config"
)

// The exit codes of the contract.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Process is what a command line touches of the process it runs in.
type Process struct {
	// Args are without the program's name.
	Args    []string
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// Now is the wall clock.
	Now func() time.Time
	// Version is the linked version of the binary, empty when there is none.
	Version string
}

// Main runs one command to its end and returns the exit code. When ctx is done
// the command stops as it would on SIGTERM.
func Main(ctx context.Context, p Process) int {
	return run(ctx, p, newRoot(p, commands()...)) //nolint:contextcheck // cobra hands the context on
}

func run(ctx context.Context, p Process, root *cobra.Command) int {
	started := false
	whenRun(root, func() { started = true })
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if _, usage := errors.AsType[*usageError](err); usage || !started {
		complain(p.Stderr, err, fmt.Sprintf("Run '%s --help' for usage.", command.CommandPath()))
		return exitUsage
	}
	if _, settings := errors.AsType[*config.Error](err); settings {
		complain(p.Stderr, err, "Run 'pulse-scorer config --markdown' for all variables.")
		return exitUsage
	}
	complain(p.Stderr, err, "")
	return exitFailed
}

// complain says what went wrong and where to look. If stderr is gone there is
// nobody to tell.
func complain(stderr io.Writer, err error, hint string) {
	_, _ = fmt.Fprintf(stderr, "pulse-scorer: %v\n", err)
	if hint != "" {
		_, _ = fmt.Fprintln(stderr, hint)
	}
}

// usageError is a mistake in the command line that only the command can see.
type usageError struct {
	err error
}

func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// Error implements error.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *usageError) Unwrap() error { return e.err }

// whenRun calls mark when a command's own code begins.
func whenRun(command *cobra.Command, mark func()) {
	if do := command.RunE; do != nil {
		command.RunE = func(c *cobra.Command, args []string) error {
			mark()
			return do(c, args)
		}
	}
	for _, child := range command.Commands() {
		whenRun(child, mark)
	}
}

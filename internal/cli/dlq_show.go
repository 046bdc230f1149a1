package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
)

type showFlags struct {
	asJSON, raw bool
	source      string
}

func newDLQShow(p Process) *cobra.Command {
	var flags showFlags
	command := &cobra.Command{
		Use:   "show PARTITION:OFFSET|ID",
		Short: "Show dead letters whole: reason, headers, key and value",
		Long: `show prints one dead letter by where it lies, or all of a signal by its ID.
--raw writes the bytes of the value as they were sent, and nothing else; it wants
one letter.`,
		Example: `  pulse-scorer dlq show 3:17
  pulse-scorer dlq show 7f3a --source nyc-taxi
  pulse-scorer dlq show 3:17 --raw > record.bin`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return p.completeLetters(command, args, begun)
		},
		RunE: func(command *cobra.Command, args []string) error {
			filter := deadletter.Filter{}
			if at, err := positionOf(args[0]); err == nil {
				filter.Positions = []deadletter.Position{at}
			} else {
				filter.IDs = []string{args[0]}
			}
			if flags.source != "" {
				filter.Sources = []string{flags.source}
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			return runDLQShow(command.Context(), p, c, flags, filter, args[0])
		},
	}
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON; texts that are no UTF-8 in base64")
	command.Flags().BoolVar(&flags.raw, "raw", false, "only the bytes of the value")
	command.Flags().StringVar(&flags.source, "source", "", "only the signal of this source")
	command.MarkFlagsMutuallyExclusive("json", "raw")
	return command
}

func runDLQShow(ctx context.Context, p Process, c config.Config, flags showFlags, filter deadletter.Filter, what string) error {
	letters, err := app.NewDeadLetters(c)
	if err != nil {
		return err
	}
	defer letters.Close()
	letters.Filter = filter
	bar := reading(p.Stderr, "dlq")
	letters.Progress = bar.progress
	defer bar.finish()
	found := []wholeLetter{}
	var raw []byte
	err = letters.Each(ctx, func(r *pipeline.Record, l *deadletter.Letter, s deadletter.Standing) error {
		if flags.raw {
			if len(found) > 0 {
				return fmt.Errorf("several dead letters are of %s: give --raw the position of one", what)
			}
			raw = append([]byte(nil), r.Value...)
		}
		found = append(found, whole(r, l, s))
		if len(filter.Positions) > 0 {
			return app.ErrEnough
		}
		return nil
	})
	bar.finish()
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return fmt.Errorf("no dead letter %s: dlq list shows what there is; what retention has deleted cannot be found", strconv.Quote(what))
	case flags.asJSON:
		return writeJSON(p.Stdout, found)
	case flags.raw:
		return writeRaw(p.Stdout, found[0], raw)
	}
	for i := range found {
		if err := found[i].write(p.Stdout); err != nil {
			return err
		}
	}
	return nil
}

func writeRaw(out io.Writer, l wholeLetter, value []byte) error {
	switch {
	case l.Tombstone:
		return errors.New("the record is a tombstone: it has no value")
	case l.Withheld:
		return errors.New("the value was withheld for its size: only its hash and its size are known")
	}
	_, err := out.Write(value)
	return written(err)
}

// wholeLetter is a letter with all it holds.
type wholeLetter struct {
	shownLetter

	InputTopic string        `json:"input_topic"`
	FirstSeen  time.Time     `json:"first_seen"`
	Key        *text         `json:"key"`
	Value      *text         `json:"value"`
	Headers    []shownHeader `json:"headers"`
}

type shownHeader struct {
	Name  string `json:"name"`
	Value *text  `json:"value"`
}

// text is bytes that may be UTF-8.
type text struct {
	Text  string `json:"text,omitempty"`
	Bytes []byte `json:"base64,omitempty"`
}

// textOf is nil for null.
func textOf(b []byte) *text {
	switch {
	case b == nil:
		return nil
	case utf8.Valid(b):
		return &text{Text: string(b)}
	}
	return &text{Bytes: append([]byte(nil), b...)}
}

func whole(r *pipeline.Record, l *deadletter.Letter, s deadletter.Standing) wholeLetter {
	w := wholeLetter{
		shownLetter: shown(l, s), InputTopic: l.Topic, FirstSeen: time.UnixMilli(max(0, l.FirstSeenMs)).UTC(),
		Key: textOf(r.Key), Value: textOf(r.Value),
	}
	for _, h := range r.Headers {
		w.Headers = append(w.Headers, shownHeader{h.Key, textOf(h.Value)})
	}
	return w
}

func (l *wholeLetter) write(out io.Writer) error {
	var err error
	say := func(format string, args ...any) {
		_, fault := fmt.Fprintf(out, format+"\n", args...)
		err = errors.Join(err, fault)
	}
	say("dead letter %d:%d, %s", l.Partition, l.Offset, l.Standing)
	say("  written     %s, first seen %s", l.Time.Format(time.RFC3339Nano), l.FirstSeen.Format(time.RFC3339Nano))
	say("  made of     %s partition %d offset %d", l.InputTopic, l.Partition, l.Input)
	say("  signal      id %s of source %s", orDash(l.ID), orDash(l.Source))
	say("  reason      %s at stage %s: %s", l.Class, l.Stage, printable(&text{Text: l.Message}))
	say("  delivered   %d times, sent back %d times", l.Deliveries, l.Redrives)
	say("headers")
	for _, h := range l.Headers {
		say("  %s: %s", printable(&text{Text: h.Name}), printable(h.Value))
	}
	say("key: %s", printable(l.Key))
	switch {
	case l.Tombstone:
		say("value: none, the record is a tombstone (null); it is never sent back")
	case l.Withheld:
		say("value: withheld for its size; headers pulse-value-size and pulse-value-sha256 describe it; it cannot be sent back")
	default:
		say("value (%d bytes): %s", l.Bytes, printable(l.Value))
	}
	say("")
	return written(err)
}

// printable is a text as a terminal can take it: quoted where it holds anything
// that could do something there.
func printable(t *text) string {
	switch {
	case t == nil:
		return "null"
	case t.Bytes != nil:
		return strconv.QuoteToASCII(string(t.Bytes))
	}
	for _, r := range t.Text {
		if !strconv.IsPrint(r) {
			return strconv.Quote(t.Text)
		}
	}
	return t.Text
}

package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/deadletter"
)

// defaultMaxRedrives is how often a record is sent back before it is held.
const defaultMaxRedrives = 3

func newDLQ(p Process) *cobra.Command {
	command := &cobra.Command{
		Use:   "dlq",
		Short: "Look into the dead letters, send them back, or hold them",
		Long: `dlq looks into the dead letters of the service and sends them back. What has been
decided about letters is written behind them into the same topic, as marks:
records with the header pulse-dlq-mark.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer dlq list --summary
  pulse-scorer dlq show 3:17
  pulse-scorer dlq redrive --class enricher_unavailable --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return usagef("one of %s is expected", strings.Join(namesOf(command.Commands()), ", "))
		},
	}
	for _, construct := range []constructor{newDLQList, newDLQShow, newDLQRedrive, newDLQHold} {
		command.AddCommand(construct(p))
	}
	return command
}

func namesOf(commands []*cobra.Command) []string {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name())
	}
	return names
}

// letterFlags are the filters that all of them have.
type letterFlags struct {
	classes, stages, sources, ids []string
	since, until                  string
}

func (f *letterFlags) add(command *cobra.Command) {
	command.Flags().StringSliceVar(&f.classes, "class", nil, "only of this error class; may be given several times")
	command.Flags().StringSliceVar(&f.stages, "stage", nil, "only those that failed at this stage")
	command.Flags().StringSliceVar(&f.sources, "source", nil, "only signals of this source")
	command.Flags().StringSliceVar(&f.ids, "id", nil, "only the signal with this ID")
	command.Flags().StringVar(&f.since, "since", "", "only letters of this age (24h) or from this time on (RFC 3339)")
	command.Flags().StringVar(&f.until, "until", "", "only letters older than this age (1h) or before this time (RFC 3339)")
	completeWith(command, "class", letterClasses()...)
	completeWith(command, "stage", letterStages()...)
	for _, flag := range []string{"source", "id", "since", "until"} {
		completeWith(command, flag) // anything but files
	}
}

// filter reads the flags, and positions among the arguments.
func (f *letterFlags) filter(now time.Time, args []string) (deadletter.Filter, error) {
	since, err := sinceOf(f.since, now)
	if err != nil {
		return deadletter.Filter{}, err
	}
	until, err := sinceOf(f.until, now)
	if err != nil {
		return deadletter.Filter{}, usagef("%s", strings.Replace(err.Error(), "--since", "--until", 1))
	}
	if err := errors.Join(known("class", f.classes, letterClasses()), known("stage", f.stages, letterStages())); err != nil {
		return deadletter.Filter{}, err
	}
	filter := deadletter.Filter{Classes: f.classes, Stages: f.stages, Sources: f.sources, IDs: f.ids, Since: since, Until: until}
	for _, arg := range args {
		at, err := positionOf(arg)
		if err != nil {
			return deadletter.Filter{}, err
		}
		filter.Positions = append(filter.Positions, at)
	}
	return filter, nil
}

// known refuses names that no letter can have: both sets are closed, and a name that is
// mistyped would find nothing, which looks like good news.
func known(flag string, given, names []string) error {
	for _, name := range given {
		if !slices.Contains(names, name) {
			return usagef("--%s: %q is not known; known are %s", flag, name, strings.Join(names, ", "))
		}
	}
	return nil
}

var positions = regexp.MustCompile(`^([0-9]+):([0-9]+)$`)

// positionOf reads PARTITION:OFFSET.
func positionOf(text string) (deadletter.Position, error) {
	parts := positions.FindStringSubmatch(text)
	if parts == nil {
		return deadletter.Position{}, usagef("%q is no position; write PARTITION:OFFSET, like 3:17", text)
	}
	partition, bad := strconv.ParseInt(parts[1], 10, 32)
	offset, worse := strconv.ParseInt(parts[2], 10, 64)
	if err := errors.Join(bad, worse); err != nil {
		return deadletter.Position{}, usagef("%q is no position: %w", text, err)
	}
	return deadletter.Position{Partition: int32(partition), Offset: offset}, nil
}

// shownLetter is a letter in answers.
type shownLetter struct {
	Partition  int32     `json:"partition"`
	Offset     int64     `json:"offset"`
	Time       time.Time `json:"time"`
	Class      string    `json:"class"`
	LastClass  string    `json:"last_class,omitempty"`
	Stage      string    `json:"stage"`
	Source     string    `json:"source"`
	ID         string    `json:"id"`
	Deliveries int       `json:"deliveries"`
	Redrives   int       `json:"redrives"`
	Standing   string    `json:"standing"`
	Held       bool      `json:"held"`
	Input      int64     `json:"input_offset"`
	Bytes      int       `json:"bytes"`
	Tombstone  bool      `json:"tombstone"`
	Withheld   bool      `json:"withheld"`
	Message    string    `json:"message"`
}

func shown(l *deadletter.Letter, s deadletter.Standing) shownLetter {
	return shownLetter{
		Partition: l.Partition, Offset: l.At, Time: time.UnixMilli(l.TimeMs).UTC(),
		Class: l.Class, LastClass: l.LastClass, Stage: l.Stage, Source: l.Source, ID: l.ID,
		Deliveries: l.Deliveries, Redrives: l.Redrives, Standing: s.String(), Held: s.Held(),
		Input: l.Offset, Bytes: l.Bytes, Tombstone: l.Tombstone, Withheld: l.Withheld, Message: l.Message,
	}
}

// orDash is what a cell shows. A text of somebody else's must not break a table
// or a terminal.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	quoted := strconv.Quote(text)
	if quoted == `"`+text+`"` && !strings.ContainsAny(text, " ") {
		return text
	}
	const most = 80
	if len(quoted) > most {
		quoted = fmt.Sprintf("%s…", strings.ToValidUTF8(quoted[:most], ""))
	}
	return quoted
}

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
)

type listFlags struct {
	letterFlags

	asJSON, summary bool
	limit           int
}

func newDLQList(p Process) *cobra.Command {
	var flags listFlags
	command := &cobra.Command{
		Use:   "list",
		Short: "List dead letters and what has been decided about them",
		Long: `list shows the dead letters, partition by partition and the oldest first: where
they lie, why they are there, which signal they are, how often they were delivered
and sent back, and whether they are open, redriven or held.`,
		Example: `  PULSE_BROKERS=localhost:9092 pulse-scorer dlq list --since 24h
  pulse-scorer dlq list --class retries_exhausted --json | jq -r .[].id
  pulse-scorer dlq list --summary`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			filter, err := flags.filter(p.Now(), nil)
			if err != nil {
				return err
			}
			if flags.limit < 0 {
				return usagef("--limit: %d is negative", flags.limit)
			}
			c, err := p.load(config.NeedBrokers)
			if err != nil {
				return err
			}
			return runDLQList(command.Context(), p, c, flags, filter)
		},
	}
	flags.add(command)
	command.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	command.Flags().BoolVar(&flags.summary, "summary", false, "only how many there are, by class, stage, age and standing")
	command.Flags().IntVar(&flags.limit, "limit", 0, "at most so many (default: all)")
	return command
}

func runDLQList(ctx context.Context, p Process, c config.Config, flags listFlags, filter deadletter.Filter) error {
	letters, err := app.NewDeadLetters(c)
	if err != nil {
		return err
	}
	defer letters.Close()
	letters.Filter = filter
	bar := reading(p.Stderr, "dlq")
	letters.Progress = bar.progress
	defer bar.finish()
	if flags.summary {
		h, err := letters.Histogram(ctx, p.Now())
		bar.finish()
		if err != nil {
			return err
		}
		return answerHistogram(p.Stdout, h, flags.asJSON)
	}
	var out rows = &letterTable{out: p.Stdout}
	if flags.asJSON {
		out = &letterJSON{out: p.Stdout}
	}
	n := 0
	err = letters.Each(ctx, func(_ *pipeline.Record, l *deadletter.Letter, s deadletter.Standing) error {
		if flags.limit > 0 && n >= flags.limit {
			return app.ErrEnough
		}
		n++
		return out.row(shown(l, s))
	})
	bar.finish()
	return errors.Join(err, out.close())
}

// rows takes letters one by one: there may be more than memory has room for.
type rows interface {
	row(l shownLetter) error
	close() error
}

// tableBlock is how many rows are aligned with each other.
const tableBlock = 500

type letterTable struct {
	out   io.Writer
	table *tabwriter.Writer
	n     int
}

func (t *letterTable) row(l shownLetter) error {
	var err error
	if t.table == nil {
		t.table = tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	}
	if t.n == 0 {
		_, err = fmt.Fprintln(t.table, "PARTITION\tOFFSET\tTIME\tCLASS\tSTAGE\tSOURCE\tID\tDELIVERIES\tREDRIVES\tSTANDING")
	}
	_, line := fmt.Fprintf(t.table, "%d\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", l.Partition, l.Offset, l.Time.Format(time.RFC3339),
		orDash(l.Class), orDash(l.Stage), orDash(l.Source), orDash(l.ID), l.Deliveries, l.Redrives, l.Standing)
	if t.n++; t.n%tableBlock == 0 {
		line = errors.Join(line, t.table.Flush())
	}
	return written(errors.Join(err, line))
}

func (t *letterTable) close() error {
	if t.n == 0 {
		_, err := fmt.Fprintln(t.out, "no dead letters")
		return written(err)
	}
	return written(t.table.Flush())
}

func written(err error) error {
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// letterJSON writes a list, one letter a line.
type letterJSON struct {
	out io.Writer
	n   int
}

func (j *letterJSON) row(l shownLetter) error {
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	before := ",\n  "
	if j.n == 0 {
		before = "[\n  "
	}
	j.n++
	_, err = fmt.Fprintf(j.out, "%s%s", before, text)
	return written(err)
}

func (j *letterJSON) close() error {
	end := "\n]\n"
	if j.n == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(j.out, end)
	return written(err)
}

func answerHistogram(out io.Writer, h *deadletter.Histogram, asJSON bool) error {
	if asJSON {
		return writeJSON(out, h)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var err error
	say := func(format string, args ...any) {
		_, fault := fmt.Fprintf(table, format, args...)
		err = errors.Join(err, fault)
	}
	most := uint64(1)
	for _, counts := range []map[string]uint64{h.Class, h.Stage, h.Age, h.Standing} {
		for _, n := range counts {
			most = max(most, n)
		}
	}
	part := func(title string, counts map[string]uint64, order []string) {
		say("%s\t\t\n", title)
		for _, name := range order {
			if n := counts[name]; n > 0 {
				const width = 40
				say("  %s\t%d\t%s\n", orDash(name), n, strings.Repeat("#", max(1, int(float64(width)*float64(n)/float64(most)))))
			}
		}
	}
	byCount := func(counts map[string]uint64) []string {
		return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
		})
	}
	part("CLASS", h.Class, byCount(h.Class))
	part("STAGE", h.Stage, byCount(h.Stage))
	part("AGE", h.Age, deadletter.Ages())
	part("STANDING", h.Standing, byCount(h.Standing))
	say("all\t%d\t\n", h.Letters)
	return written(errors.Join(err, table.Flush()))
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/deadletter"
)

// explain is an error that says of each letter that was named by its position, and with
// which nothing was done, why: an answer of 0 would leave that to be guessed.
func explain(ctx context.Context, letters *app.DeadLetters, deed string, why func(app.Untouched) string) error {
	untouched, err := letters.Untouched(ctx)
	if err != nil || len(untouched) == 0 {
		return err
	}
	lines := make([]string, 0, len(untouched))
	for _, u := range untouched {
		lines = append(lines, fmt.Sprintf("%d:%d: %s", u.Partition, u.Offset, whyUntouched(u, why)))
	}
	return fmt.Errorf("not %s:\n  %s", deed, strings.Join(lines, "\n  "))
}

// whyUntouched says what is the same for all deeds; why says the rest.
func whyUntouched(u app.Untouched, why func(app.Untouched) string) string {
	switch {
	case u.Partition >= u.Partitions:
		return fmt.Sprintf("no such partition: they are 0 to %d", u.Partitions-1)
	case !u.Letter:
		return "no letter at that offset: dlq list shows what there is; what retention has deleted cannot be found"
	case !u.Fits:
		return "the letter there does not fit the other filters"
	case u.Standing == deadletter.Redriven:
		return "already redriven"
	}
	return why(u)
}

func whyNotRedriven(u app.Untouched) string {
	switch u.Standing {
	case deadletter.HeldTombstone, deadletter.HeldWithheld:
		return u.Standing.String() + ": there is nothing that could be sent"
	case deadletter.HeldTooOften:
		return fmt.Sprintf("%s: release it first (dlq hold --release %d:%d), and give a higher --max-redrives", u.Standing, u.Partition, u.Offset)
	case deadletter.HeldByHand, deadletter.HeldRefused:
		return fmt.Sprintf("%s: release it first (dlq hold --release %d:%d)", u.Standing, u.Partition, u.Offset)
	case deadletter.Open, deadletter.Redriven:
	}
	return "still open: --limit ended the redrive before it"
}

func whyNotHeld(u app.Untouched) string { return "already " + u.Standing.String() }

func whyNotReleased(app.Untouched) string { return "not held" }

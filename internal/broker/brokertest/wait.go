package brokertest

import (
	"fmt"
	"testing"
	"time"
)

// patience is how long a condition may take that comes by itself: far over
// what a busy machine needs, so that only a fault reaches it.
const patience = 2 * time.Minute

const pollInterval = 20 * time.Millisecond

// eventually waits until holds returns "", and fails with what it returned last.
func eventually(t *testing.T, holds func() string) {
	t.Helper()
	eventuallyWithin(t, patience, holds)
}

func eventuallyWithin(t *testing.T, limit time.Duration, holds func() string) {
	t.Helper()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	deadline := time.Now().Add(limit)
	for {
		missing := holds()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, missing)
		}
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatalf("test ends: %s", missing)
		}
	}
}

// throughout watches a condition for a while, for what must not happen.
func throughout(t *testing.T, d time.Duration, holds func() string) {
	t.Helper()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-ticker.C {
		if wrong := holds(); wrong != "" {
			t.Fatal(wrong)
		}
	}
}

// await waits for a channel to be closed.
func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

// differ describes the first place where two lists are not the same.
func differ[T comparable](what string, got, want []T) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%s: number %d is %v, want %v (of %d and %d)", what, i, got[i], want[i], len(got), len(want))
		}
	}
	switch {
	case len(got) < len(want):
		return fmt.Sprintf("%s: %d, want %d; the first that is missing is %v", what, len(got), len(want), want[len(got)])
	case len(got) > len(want):
		return fmt.Sprintf("%s: %d, want %d; the first that is too much is %v", what, len(got), len(want), got[len(want)])
	}
	return ""
}

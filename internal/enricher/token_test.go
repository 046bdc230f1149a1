package enricher

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// A token that changes is used, one that cannot be read any more is kept.
func TestToken_IsReadAgain(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	file := filepath.Join(t.TempDir(), "token")
	token := tokenOf(file, func() time.Time { return now })
	if got, err := token(); err == nil {
		t.Errorf("no file: %q", got)
	}
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := token(); err == nil {
		t.Errorf("empty file: %q", got)
	}
	for _, want := range []string{"one", "two"} {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		now = now.Add(tokenAge)
		if got, err := token(); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	now = now.Add(tokenAge)
	if got, err := token(); err != nil || got != "two" {
		t.Errorf("without the file: %q, %v; want the last one", got, err)
	}
}

// A token that is not there is no fault of a signal: nothing is asked without it, and
// even one signal waits until it is there, as it does for a service that is down.
func TestAsk_WithoutItsTokenAllWaits(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2 * breakerFailures} {
		var asked atomic.Int64
		file := filepath.Join(t.TempDir(), "token")
		writeToken(t, file, "")
		d, registry := deps(), prometheus.NewRegistry()
		d.Registry = registry
		e := New(Settings{Endpoints: []Endpoint{particular(t, &asked)}, Concurrency: 8, TokenFile: file}, d)
		var batch []*pipeline.Inquiry
		for i := range n {
			batch = append(batch, inquiry(fmt.Sprint(i)))
		}
		e.Ask(t.Context(), batch)
		if got := classes(batch); asked.Load() != 0 || got[pulse.EnricherDown] != n {
			t.Errorf("%d of %d were asked about; answers %v, want all of them held", asked.Load(), n, got)
		}
		if required, _ := e.Down(); !slices.Equal(required, []string{"risk"}) || breakerOpen(t, registry) != 1 {
			t.Errorf("without a token, down: %q, pulse_breaker_open %v", required, breakerOpen(t, registry))
		}
		writeToken(t, file, "secret")
		e.Ask(t.Context(), batch)
		if got := classes(batch); asked.Load() != int64(n) || got[""] != n {
			t.Errorf("%d of %d were asked about with the token; answers %v, want one each", asked.Load(), n, got)
		}
		if required, _ := e.Down(); required != nil || breakerOpen(t, registry) != 0 {
			t.Errorf("with a token, down: %q, pulse_breaker_open %v", required, breakerOpen(t, registry))
		}
	}
}

// Without its token an optional enricher is left out, as one that is down.
func TestAsk_WithoutItsTokenAnOptionalOneIsLeftOut(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	endpoint := particular(t, &asked)
	endpoint.Required = false
	e := New(Settings{Endpoints: []Endpoint{endpoint}, Concurrency: 8, TokenFile: filepath.Join(t.TempDir(), "token")}, deps())
	q := inquiry("1")
	e.Ask(t.Context(), []*pipeline.Inquiry{q})
	if q.Err != nil || q.Answers != nil || asked.Load() != 0 {
		t.Errorf("answers %q, %v, after %d calls", q.Answers, q.Err, asked.Load())
	}
	if _, optional := e.Down(); !slices.Equal(optional, []string{"risk"}) {
		t.Errorf("down: %q", optional)
	}
}

func writeToken(t *testing.T, file, token string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

// breakerOpen is what pulse_breaker_open shows of the only enricher.
func breakerOpen(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "pulse_breaker_open" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no pulse_breaker_open")
	return 0
}

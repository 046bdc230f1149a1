//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/app"
)

// frozenFor is how long the broker is frozen; 30 s is what is promised for.
var frozenFor = flag.Duration("frozen", 0, "least time for which TestHealth_ABrokerThatStops freezes the broker; 0 is until it shows")

// readyWithin is what is promised: as long for readiness to fall as to come back.
const readyWithin = 45 * time.Second

// probed asks all three probes once.
func (s *service) probed(ctx context.Context, t *testing.T) (ready, live int, text string) {
	t.Helper()
	ready, text = get(ctx, t, "http://"+s.Addr()+"/readyz?verbose")
	live, _ = get(ctx, t, "http://"+s.Addr()+"/livez")
	return ready, live, text
}

// awaitReadiness waits until /readyz has a status; the service lives all the time.
func (s *service) awaitReadiness(ctx context.Context, t *testing.T, want int) (took time.Duration, text string) {
	t.Helper()
	began := time.Now()
	awaitThat(ctx, t, func() string {
		ready, live, now := s.probed(ctx, t)
		if text = now; live != http.StatusOK {
			t.Fatalf("/livez is %d: a restart would be no help", live)
		}
		if ready != want {
			return fmt.Sprintf("/readyz is %d, want %d: %s", ready, want, now)
		}
		return ""
	})
	took = time.Since(began)
	if *timed && took > readyWithin {
		t.Errorf("/readyz is %d after %v, promised are %v", want, took, readyWithin)
	}
	return took, text
}

// signalNode sends a signal to a node's process.
func (n *nodes) signalNode(t *testing.T, node int, s syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, fmt.Sprintf("node-%d", node), "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		t.Fatalf("signal %v to node %d: %v", s, node, err)
	}
}

// The only broker freezes, and later is killed and started again. The service is not
// ready meanwhile, says why in probe, metric, log and /status, lives all the time, and
// goes on without a restart; no signal is lost.
func TestHealth_ABrokerThatStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	n := startSomeNodes(ctx, t, 1)
	l := newLab(ctx, t, n.addresses(), kafkatest.Name("health"), 2)
	s := l.startService(ctx, t)
	s.awaitReadiness(ctx, t, http.StatusOK)
	sent := 0
	work := func() {
		l.produceFresh(ctx, t, sent, 100)
		sent += 100
		s.awaitValue(ctx, t, float64(sent), "pulse_records_total", "scored")
		for _, check := range []string{"broker", "group", "topics", "state", "input_retention", "dead_letter_retention"} {
			s.awaitValue(ctx, t, 1, "pulse_health", check)
		}
	}
	work()
	n.signalNode(t, 0, syscall.SIGSTOP)
	frozen := time.Now()
	down, text := s.awaitReadiness(ctx, t, http.StatusServiceUnavailable)
	if !strings.Contains(text, "[-] broker: no answer") {
		t.Errorf("/readyz does not say why: %s", text)
	}
	s.awaitValue(ctx, t, 0, "pulse_health", "broker")
	s.awaitSaid(ctx, t, "health check failed", "check=broker")
	found := app.Status{}
	s.status(ctx, t, &found)
	if found.Ready || !found.Live || found.Health == nil || found.Health.Checks[0].OK {
		t.Errorf("/status says %+v, want not ready, alive, and a check of the broker that failed", found)
	}
	for again := time.NewTicker(100 * time.Millisecond); time.Since(frozen) < *frozenFor; <-again.C {
		if ready, live, _ := s.probed(ctx, t); ready != http.StatusServiceUnavailable || live != http.StatusOK {
			t.Fatalf("while the broker is frozen /readyz is %d, /livez %d", ready, live)
		}
	}
	n.signalNode(t, 0, syscall.SIGCONT)
	back, _ := s.awaitReadiness(ctx, t, http.StatusOK)
	stood := time.Since(frozen)
	work()

	if _, err := n.kill(ctx, 0); err != nil {
		t.Fatal(err)
	}
	gone, _ := s.awaitReadiness(ctx, t, http.StatusServiceUnavailable)
	if err := n.start(ctx); err != nil {
		t.Fatal(err)
	}
	again, _ := s.awaitReadiness(ctx, t, http.StatusOK)
	work()
	s.stop(t)
	l.expectAudit(ctx, t)
	t.Logf("frozen for %v: not ready after %v, ready %v after its return; killed: not ready after %v, ready %v after the broker was up",
		stood.Round(time.Second), down.Round(100*time.Millisecond), back.Round(100*time.Millisecond), gone.Round(100*time.Millisecond), again.Round(100*time.Millisecond))
}

// status is what /status has.
func (s *service) status(ctx context.Context, t *testing.T, into *app.Status) {
	t.Helper()
	_, text := get(ctx, t, "http://"+s.Addr()+"/status")
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("/status: %v in %s", err, text)
	}
}

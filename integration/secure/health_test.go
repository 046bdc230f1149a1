//go:build integration

package secure_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// checked are the checks of a service without enrichers. Each asks the brokers something
// that the list of ACLs has to allow.
var checked = []string{"broker", "dead_letter_retention", "group", "input_retention", "state", "topics"}

// wellCheck is a line of pulse_health of a check that has found all well.
var wellCheck = regexp.MustCompile(`(?m)^pulse_health\{check="([a-z_]+)"\} 1$`)

// awaitAllWell waits until the periodic checks have found all well, every one of them.
func (r *running) awaitAllWell(ctx context.Context, t *testing.T) {
	t.Helper()
	r.awaitMetrics(ctx, t, func(metrics string) bool {
		var well []string
		for _, found := range wellCheck.FindAllStringSubmatch(metrics, -1) {
			well = append(well, found[1])
		}
		slices.Sort(well)
		return slices.Equal(well, checked)
	})
}

// awaitDead waits until so many dead letters are committed.
func (r *running) awaitDead(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	line := fmt.Sprintf("\npulse_records_total{outcome=%q} %d\n", "dead", n)
	r.awaitMetrics(ctx, t, func(metrics string) bool { return strings.Contains(metrics, line) })
}

// metricsGuard is for the checks of a second's interval; a page that never has what is
// waited for is shown then.
const metricsGuard = time.Minute

func (r *running) awaitMetrics(ctx context.Context, t *testing.T, good func(metrics string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, metricsGuard)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		metrics := r.metrics(ctx, t)
		if good(metrics) {
			return
		}
		select {
		case <-again.C:
		case code := <-r.code:
			t.Fatalf("%s: exit %d with metrics\n%s", r.site.name, code, metrics)
		case <-ctx.Done():
			t.Fatalf("%s: metrics are still\n%s", r.site.name, metrics)
		}
	}
}

// awaitReady waits until the readiness probe answers with a code.
func (r *running) awaitReady(ctx context.Context, t *testing.T, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, metricsGuard)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		got, said := r.page(ctx, t, "/readyz?verbose")
		if got == code {
			return
		}
		select {
		case <-again.C:
		case ended := <-r.code:
			t.Fatalf("%s: exit %d before /readyz is %d", r.site.name, ended, code)
		case <-ctx.Done():
			t.Fatalf("%s: /readyz is still %d, want %d\n%s", r.site.name, got, code, said)
		}
	}
}

// metrics is what the service's page has.
func (r *running) metrics(ctx context.Context, t *testing.T) string {
	t.Helper()
	_, text := r.page(ctx, t, "/metrics")
	return text
}

// page asks the service, at the address that its log has told.
func (r *running) page(ctx context.Context, t *testing.T, path string) (code int, content string) {
	t.Helper()
	text, _ := r.log.since(0)
	_, text, _ = strings.Cut(text, "msg=starting ")
	_, addr, _ := strings.Cut(text, "http=")
	addr, _, _ = strings.Cut(addr, "\n")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+strings.TrimSpace(addr)+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// at is the address of the worker's HTTP server.
func (w *worker) at(ctx context.Context, t *testing.T) string {
	t.Helper()
	for {
		w.mu.Lock()
		addr, changed := w.addr, w.changed
		w.mu.Unlock()
		if addr != "" {
			return addr
		}
		select {
		case <-changed:
		case <-w.done:
			t.Fatalf("worker %s has ended: %v", w.name, w.cmd.ProcessState)
		case <-ctx.Done():
			t.Fatalf("worker %s does not say where it listens", w.name)
		}
	}
}

// value sums the series of a metric that have all these labels, written as the text
// format has them.
func (w *worker) value(ctx context.Context, t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	_, text := get(ctx, t, "http://"+w.at(ctx, t)+"/metrics")
	sum := 0.0
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, label := range labels {
			ok = ok && strings.Contains(rest, label)
		}
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			t.Fatalf("metric %s: %v", line, err)
		}
		sum += v
	}
	return sum
}

// awaitValue waits until a metric has at least a value.
func (w *worker) awaitValue(ctx context.Context, t *testing.T, want float64, name string, labels ...string) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		if got := w.value(ctx, t, name, labels...); got < want {
			return fmt.Sprintf("%s of worker %s is %v, want %v", name, w.name, got, want)
		}
		return ""
	})
}

// residentMB is how much memory the worker's process has, in MB.
func (w *worker) residentMB(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kb float64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}

func get(ctx context.Context, t *testing.T, url string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(content)
}

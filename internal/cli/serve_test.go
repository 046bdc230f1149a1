package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulse-scorer/internal/devbroker"
)

// promptly is how long Ctrl-C may take where there is nothing to drain: less than
// PULSE_DRAIN_TIMEOUT's 15 s, which a command that hangs sits out.
const promptly = 14 * time.Second

// addr is where the HTTP server of serve listens, from its log.
func (r *running) addr(t *testing.T) string {
	t.Helper()
	r.await(t, `"starting"`)
	for line := range strings.Lines(r.stderr.String()) {
		var entry struct{ Msg, HTTP string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "starting" {
			return entry.HTTP
		}
	}
	t.Fatalf("no address in %s", r.stderr)
	return ""
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// awaitCode asks until the answer has this code.
func awaitCode(t *testing.T, url string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		got, body := get(t, url)
		if got == code {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s answers %d: %s", url, got, body)
		}
	}
}

// clean fails when a person would see a stack trace.
func clean(t *testing.T, stderr string) {
	t.Helper()
	for _, trace := range []string{"goroutine ", "panic", ".go:"} {
		if strings.Contains(stderr, trace) {
			t.Errorf("stderr holds %q: %s", trace, stderr)
		}
	}
}

func TestServe_ReportsEveryFaultOfTheEnvironment(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PULSE_COMPRESSION=gzip", "PULSE_SESSION_TIMEOUT=soon", "PULSE_GRUOP=x", "PULSE_CELERY_BROKER=redis://",
		"PULSE_ENRICHERS=a=ftp://x", "PULSE_HTTP_ADDR=nowhere", "PULSE_MAX_RECORD_BYTES=-1", "PULSE_DEDUPE_WINDOW=1s", "PULSE_GROUP=" + strings.Repeat("g", 2000),
	}
	for _, args := range [][]string{{"serve"}, nil} {
		got := runWith(t.Context(), nil, environ, commands(), args...)
		for _, variable := range append(environ, "PULSE_BROKERS") {
			name, _, _ := strings.Cut(variable, "=")
			if !strings.Contains(got.stderr, name+": ") {
				t.Errorf("%s is not reported", name)
			}
		}
		if got.code != 2 || got.stdout != "" || t.Failed() {
			t.Errorf("exit %d, stderr %s", got.code, got.stderr)
		}
		clean(t, got.stderr)
	}
}

// Before Kafka is there, serve waits: alive, not ready, and Ctrl-C ends it.
// When Kafka comes, it works.
func TestServe_WaitsForABroker(t *testing.T) {
	t.Parallel()
	door := openDoor(t)
	gone := start(t, []string{"PULSE_BROKERS=127.0.0.1:1", "PULSE_HTTP_ADDR=127.0.0.1:0"}, "serve")
	stays := start(t, []string{"PULSE_BROKERS=" + door.listener.Addr().String(), "PULSE_HTTP_ADDR=127.0.0.1:0"}, "serve")
	for _, r := range []*running{gone, stays} {
		r.await(t, "no broker answers")
		awaitCode(t, "http://"+r.addr(t)+"/livez", 200)
		awaitCode(t, "http://"+r.addr(t)+"/readyz", 503)
		if out := r.stderr.String(); !strings.Contains(out, "127.0.0.1:") || !strings.Contains(out, "PULSE_BROKERS") {
			t.Errorf("stderr %s", out)
		}
	}
	if code, took := gone.interrupt(t); code != 0 || took > promptly {
		t.Errorf("exit %d after %v", code, took)
	}
	clean(t, gone.stderr.String())
	b := startBroker(t)
	door.behind.Store(&b.Addrs()[0])
	awaitCode(t, "http://"+stays.addr(t)+"/readyz", 200)
	produceAll(t, b, `{"name":"a","value":1}`)
	read(t, b, "pulse.signals.scored", 1)
	if code, took := stays.interrupt(t); code != 0 || took > promptly {
		t.Errorf("exit %d after %v: %s", code, took, stays.stderr)
	}
	clean(t, stays.stderr.String())
}

// door is an address that leads nowhere until there is something behind it. It
// keeps its port, which an address that was free a moment ago does not.
type door struct {
	listener net.Listener
	behind   atomic.Pointer[string]
}

func openDoor(t *testing.T) *door {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{listener: listener}
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			passing.Go(func() { d.pass(t.Context(), conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		passing.Wait()
	})
	return d
}

// pass joins a connection with what is behind the door, until one of them or
// the test ends.
func (d *door) pass(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	address := d.behind.Load()
	if address == nil {
		return
	}
	var dialer net.Dialer
	broker, err := dialer.DialContext(ctx, "tcp", *address)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _, _ = conn.Close(), broker.Close() })
	defer stop()
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{conn, broker}, {broker, conn}} {
		copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = conn.Close(), broker.Close()
		})
	}
	copying.Wait()
}

func produceAll(t *testing.T, b *devbroker.Broker, lines ...string) {
	t.Helper()
	if got := runWith(t.Context(), strings.NewReader(strings.Join(lines, "\n")), at(b), commands(), "produce", "-"); got.code != 0 {
		t.Fatalf("produce: %+v", got)
	}
}

func TestServe_PortInUse(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	got := runWith(t.Context(), nil, []string{"PULSE_BROKERS=127.0.0.1:1", "PULSE_HTTP_ADDR=" + taken.Addr().String()}, commands(), "serve")
	if got.code != 1 || !strings.Contains(got.stderr, taken.Addr().String()) || !strings.Contains(got.stderr, "PULSE_HTTP_ADDR") {
		t.Errorf("%+v", got)
	}
	clean(t, got.stderr)
}

func TestServe_ProfilesWantTheToken(t *testing.T) {
	t.Parallel()
	b := startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: 1})
	token := file(t, "token", "a token of twenty-six bytes")
	for _, c := range []struct {
		environ        []string
		without, right int
	}{
		{nil, http.StatusNotFound, http.StatusNotFound},
		{[]string{"PULSE_ADMIN_TOKEN=a token of twenty-six bytes"}, http.StatusUnauthorized, http.StatusOK},
		{[]string{"PULSE_ADMIN_TOKEN_FILE=" + token}, http.StatusUnauthorized, http.StatusOK},
	} {
		r := start(t, at(b, c.environ...), "serve")
		url := "http://" + r.addr(t) + "/debug/pprof/goroutine?debug=1"
		for authorization, want := range map[string]int{"": c.without, "Bearer wrong": c.without, "Bearer a token of twenty-six bytes": c.right} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", authorization)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%v, %q: %d, want %d", c.environ, authorization, answer.StatusCode, want)
			}
		}
		if code, _ := r.interrupt(t); code != 0 || strings.Contains(r.stderr.String(), "twenty-six") {
			t.Errorf("%v: exit %d\n%s", c.environ, code, r.stderr)
		}
	}
}

// The metrics of the contract that this release feeds.
var contractMetrics = []string{
	"pulse_signal_ingest_total", "pulse_signal_trust_score", "pulse_records_total", "pulse_stage_duration_seconds",
	"pulse_stage_failures_total", "pulse_dead_letters_total", "pulse_consumer_lag_records", "pulse_consumer_lag_seconds",
	"pulse_end_to_end_seconds", "pulse_transaction_duration_seconds", "pulse_rebalances_total", "pulse_fenced_total",
	"pulse_assigned_partitions", "pulse_state_restore_seconds", "pulse_dedupe_ids", "pulse_dedupe_window_seconds",
	"pulse_dedupe_evictions_total", "pulse_misplaced_keys_total", "pulse_build_info",
}

func TestServe_ProbesAndMetrics(t *testing.T) {
	t.Parallel()
	b := startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: 2})
	r := start(t, at(b), "serve")
	url := "http://" + r.addr(t)
	awaitCode(t, url+"/readyz", 200)
	produceAll(t, b, `{"name":"a","value":1,"source":"s"}`, `{"name":"b","value":1,"source":"s","timestamp":1}`, `{"name":"b","value":1,"source":"s","timestamp":1}`, `nonsense`)
	read(t, b, "pulse.signals.scored", 2)
	read(t, b, "pulse.signals.pulse-scorer.dlq", 1)
	awaitMetric(t, url, `pulse_records_total{outcome="duplicate"} 1`)
	awaitMetric(t, url, `pulse_consumer_lag_records{partition="0",topic="pulse.signals"} 0`)
	for _, probe := range []string{"/livez", "/readyz", "/startupz"} {
		awaitCode(t, url+probe, 200)
	}
	_, body := get(t, url+"/metrics")
	for _, name := range contractMetrics {
		if !strings.Contains(body, "\n# TYPE "+name+" ") && !strings.HasPrefix(body, "# TYPE "+name+" ") {
			t.Errorf("no metric %s", name)
		}
	}
	for _, line := range []string{
		`pulse_signal_ingest_total{source="s"} 2`, `pulse_records_total{outcome="scored"} 2`, `pulse_records_total{outcome="dead"} 1`,
		`pulse_dead_letters_total{class="malformed_json"} 1`, `pulse_stage_failures_total{class="malformed_json",stage="decode"} 1`,
		`pulse_assigned_partitions 2`, `pulse_dedupe_ids 2`, `pulse_dedupe_window_seconds 86400`, `pulse_dedupe_evictions_total{reason="time"} 0`,
		`pulse_state_restore_seconds_count 2`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
	if code, took := r.interrupt(t); code != 0 || took > promptly {
		t.Errorf("exit %d after %v: %s", code, took, r.stderr)
	}
	clean(t, r.stderr.String())
}

func awaitMetric(t *testing.T, url, line string) {
	t.Helper()
	awaitMetrics(t, url, line, func(body string) bool { return strings.Contains(body, "\n"+line+"\n") })
}

func awaitMetrics(t *testing.T, url, what string, ok func(body string) bool) (body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if _, body = get(t, url+"/metrics"); ok(body) {
			return body
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("no %s in %s", what, body)
		}
	}
}

// A task that goes to another worker takes its lag and its IDs along.
func TestServe_MetricsOfATaskGoWithIt(t *testing.T) {
	t.Parallel()
	b := startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: 2})
	first := start(t, at(b), "serve")
	one := "http://" + first.addr(t)
	awaitCode(t, one+"/readyz", 200)
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf(`{"name":"s%d","value":1}`, i))
	}
	produceAll(t, b, lines...)
	awaitMetric(t, one, "pulse_dedupe_ids 40")
	second := start(t, at(b), "serve")
	two := "http://" + second.addr(t)
	awaitMetric(t, two, "pulse_assigned_partitions 1")
	awaitCode(t, two+"/readyz", 200)
	awaitMetric(t, one, "pulse_assigned_partitions 1")
	oneLag := func(body string) bool { return strings.Count(body, "\npulse_consumer_lag_records{") == 1 }
	body := awaitMetrics(t, two, "lag of one partition", oneLag)
	var moved int
	for line := range strings.Lines(body) {
		_, _ = fmt.Sscanf(line, "pulse_dedupe_ids %d", &moved)
	}
	if moved == 0 || moved == 40 {
		t.Errorf("the second has %d IDs", moved)
	}
	awaitMetric(t, one, fmt.Sprintf("pulse_dedupe_ids %d", 40-moved))
	awaitMetrics(t, one, "lag of one partition", oneLag)
	for _, r := range []*running{first, second} {
		if code, _ := r.interrupt(t); code != 0 {
			t.Errorf("exit %d: %s", code, r.stderr)
		}
	}
}

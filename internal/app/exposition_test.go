package app

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ops"
)

var update = flag.Bool("update", false, "write the golden files")

// The metrics of the public contract, with their labels.
var contractMetrics = map[string]string{
	"pulse_signal_ingest_total": "source", "pulse_signal_trust_score": "", "pulse_records_total": "outcome",
	"pulse_stage_duration_seconds": "stage", "pulse_stage_failures_total": "class,stage", "pulse_dead_letters_total": "class",
	"pulse_retry_pending": "tier", "pulse_parked_records": "", "pulse_retry_lateness_seconds": "",
	"pulse_consumer_lag_records": "partition,topic", "pulse_consumer_lag_seconds": "partition,topic", "pulse_end_to_end_seconds": "",
	"pulse_transaction_duration_seconds": "result", "pulse_rebalances_total": "", "pulse_fenced_total": "", "pulse_assigned_partitions": "",
	"pulse_state_restore_seconds": "", "pulse_dedupe_ids": "", "pulse_dedupe_window_seconds": "", "pulse_dedupe_evictions_total": "reason",
	"pulse_misplaced_keys_total": "reason", "pulse_enricher_duration_seconds": "enricher", "pulse_breaker_open": "enricher",
	"pulse_model_mae": "", "pulse_model_naive_mae": "predictor", "pulse_health": "check", "pulse_build_info": "goversion,revision,version",
}

// What senders and operators would not like to find in a log.
const (
	payload = "payload-nobody-may-log"
	secret  = "secret-nobody-may-log"
)

// everyOutcome runs a service through everything that gives its metrics a series: a
// signal is scored, repeated, refused, tried again; an optional enricher fails; what
// the service is sent, and what it is told of secrets, has marks in it.
func everyOutcome(t *testing.T, log *bytes.Buffer, during func(s *Service)) {
	t.Helper()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	var asked atomic.Bool // about signal 2: the first call fails
	risk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "2" && !asked.Swap(true) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintf(w, `{"answer":%q}`, payload)
	}))
	t.Cleanup(risk.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load([]string{
		"PULSE_BROKERS=" + b.Addrs()[0], "PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_HEALTH_INTERVAL=1s", "PULSE_RETRY_DELAYS=100ms,200ms",
		"PULSE_ENRICHERS=risk=" + risk.URL + "/?key=" + secret + "&required=true,geo=http://user:" + secret + "@127.0.0.1:1/", "PULSE_ENRICHER_TOKEN_FILE=" + token,
	}, config.NeedBrokers)
	if err != nil {
		t.Fatal(err)
	}
	logger, flush, err := ops.NewLogger(&locked{out: log}, ops.LogSettings{Level: "debug", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewService(t.Context(), c, Deps{Log: logger, Build: ops.Build{Version: "1.2.3", Revision: "abc", Go: "go1.26"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	stop := runService(t, s)
	produceMarked(t, b)
	during(s)
	stop()
	flush()
}

// runService runs a service until stop, which fails the test when it ends otherwise.
func runService(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("service: %v", err)
		}
	}
}

func produceMarked(t *testing.T, b *devbroker.Broker) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("pulse.signals"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	values := []string{
		`{"id":"1","name":"n","value":1,"source":"s","note":"` + payload + `"}`, `{"id":"1","name":"n","value":1,"source":"s"}`,
		`{"id":"1","name":"n","value":2,"source":"s","note":"` + payload + `"}`, `{"name":"` + payload, payload,
		`{"name":"n","value":"` + payload + `"}`, `{"id":"2","name":"n","value":3,"source":"s","forecast":{"symbolic_tag":"` + payload + `"}}`,
	}
	for i := range 2 { // with a second forecast of a stream the model and the naive predictors have an error
		values = append(values, fmt.Sprintf(`{"id":"forecast %d","name":"f","value":1,"source":"s","trace_id":"%d","overlays":{"hope":0.5},"forecast":{"symbolic_change":{"hope":0.1}}}`, i, i))
	}
	for i := range 20 { // enough for the optional enricher to be known to be down
		values = append(values, fmt.Sprintf(`{"id":"more %d","name":"n","value":1,"source":"s"}`, i))
	}
	for _, value := range values {
		record := &kgo.Record{Key: []byte(payload), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "x", Value: []byte(payload)}}}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// Names, types, labels and helps of every metric of a service that has had everything to
// do. Dashboards and alerts depend on them; look twice before the golden changes. It is
// written by go test -update.
func TestExposition_Golden(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "exposition.txt")
	var log bytes.Buffer
	everyOutcome(t, &log, func(s *Service) {
		families := awaitSeries(t, s)
		if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
			t.Errorf("promtool check metrics would say: %v %v", problems, err)
		}
		var got strings.Builder
		for _, f := range families {
			fmt.Fprintf(&got, "%s %s {%s}\n    %s\n", f.GetName(), strings.ToLower(f.GetType().String()), labelsOf(f), f.GetHelp())
		}
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("exposition differs from %s; run with -update and review\n%s", golden, got.String())
		}
	})
}

// Every metric answers a question in the README.
func TestExposition_TheREADMENamesEveryMetric(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile(filepath.Join("testdata", "exposition.txt"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, name := range regexp.MustCompile("`(pulse_[a-z_]+)").FindAllStringSubmatch(string(readme), -1) {
		named[name[1]] = true
	}
	for line := range strings.Lines(string(golden)) {
		if name, _, _ := strings.Cut(line, " "); name != "" && !named[name] {
			t.Errorf("the README does not say what %s is good for", name)
		}
	}
}

// awaitSeries waits until every metric of the contract has a series, and gives all of
// the service's own.
func awaitSeries(t *testing.T, s *Service) []*dto.MetricFamily {
	t.Helper()
	patience := time.After(hangGuard)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		all, err := s.Registry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		all = slices.DeleteFunc(all, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "pulse_") })
		missing := maps.Clone(contractMetrics)
		for _, f := range all {
			if labels, ok := missing[f.GetName()]; ok && labels == labelsOf(f) {
				delete(missing, f.GetName())
			}
		}
		if len(missing) == 0 && sampled(all, "pulse_retry_lateness_seconds") && sampled(all, "pulse_enricher_failures_total") {
			return all
		}
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("no series, or other labels, of %v", slices.Sorted(maps.Keys(missing)))
		}
	}
}

// sampled tells whether a metric has seen anything.
func sampled(all []*dto.MetricFamily, name string) bool {
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (m.GetHistogram().GetSampleCount() > 0 || m.GetCounter().GetValue() > 0) {
				return true
			}
		}
	}
	return false
}

func labelsOf(f *dto.MetricFamily) string {
	var names []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		names = append(names, l.GetName())
	}
	return strings.Join(names, ",")
}

// Log lines are JSON, and neither what senders send nor what operators keep secret is in
// them, whatever the level. Their keys are held by internal/archtest.
func TestLogs_HaveNeitherPayloadsNorSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	everyOutcome(t, &log, func(s *Service) { awaitSeries(t, s) })
	lines := 0
	for line := range bytes.Lines(log.Bytes()) {
		lines++
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Errorf("no JSON: %s", line)
		}
	}
	for _, mark := range []string{payload, secret} {
		if i := bytes.Index(log.Bytes(), []byte(mark)); i >= 0 {
			t.Errorf("the log has %q: …%s", mark, log.Bytes()[max(0, i-300):])
		}
	}
	if lines < 5 || !bytes.Contains(log.Bytes(), []byte("an external enricher is down")) {
		t.Errorf("%d lines, and none about the enricher: the test looked at nothing\n%s", lines, log.Bytes())
	}
}

// locked is a writer for several goroutines.
type locked struct {
	mu  sync.Mutex // guards out
	out *bytes.Buffer
}

// Write implements io.Writer.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ops"
)

// hangGuard ends a test that would never end by itself.
const hangGuard = 2 * time.Minute

// exposition is what a service exposes that has seen every outcome; it is made once
// for all tests.
var exposition = sync.OnceValues(expose)

// exposed returns it, and fails the test when it could not be made.
func exposed(t *testing.T) string {
	t.Helper()
	text, err := exposition()
	if err != nil {
		t.Fatalf("expose metrics: %v", err)
	}
	return text
}

// signals bring one record of each kind that has metrics of its own: scored, repeated,
// not JSON, failing for good in the enricher, failing in every retry tier, and two forecasts
// of a stream, because the first has nothing that a naive predictor could go by.
var signals = []string{
	`{"id":"1","name":"a","value":1,"source":"s"}`,
	`{"id":"1","name":"a","value":1,"source":"s"}`,
	`nonsense`,
	`{"id":"2","name":"refused","value":1,"source":"s"}`,
	`{"id":"3","name":"failing","value":1,"source":"s"}`,
	`{"id":"4","name":"f","value":0.7,"source":"s","trace_id":"4","overlays":{"hope":0.5},"forecast":{"symbolic_change":{"hope":0.1}}}`,
	`{"id":"5","name":"f","value":0.8,"source":"s","trace_id":"5","overlays":{"hope":0.5},"forecast":{"symbolic_change":{"hope":0.2}}}`,
}

// expected are lines that show that all of them have gone through.
var expected = []string{
	`pulse_dead_letters_total{class="malformed_json"} 1`,
	`pulse_dead_letters_total{class="enricher_rejected"} 1`,
	`pulse_dead_letters_total{class="retries_exhausted"} 1`,
	`pulse_records_total{outcome="scored"} 3`,
	`# TYPE pulse_model_naive_mae gauge`,
	`pulse_records_total{outcome="duplicate"} 1`,
	`pulse_health{check="topics"} 1`,
	`pulse_retry_pending{tier="1"} 0`,
	`pulse_consumer_lag_records{partition="0",topic="pulse.signals"} 0`,
}

// answer is the enricher: the name of a signal says what it does.
func answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case strings.Contains(string(body), `"refused"`):
		w.WriteHeader(http.StatusBadRequest)
	case strings.Contains(string(body), `"failing"`):
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		_, _ = io.WriteString(w, `{}`)
	}
}

func expose() (text string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), hangGuard)
	defer cancel()
	// As in the chart, so that the limit is exposed; it is far above what is used.
	debug.SetMemoryLimit(1 << 40)
	enricher := httptest.NewServer(http.HandlerFunc(answer))
	defer enricher.Close()
	broker, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: 1}}})
	if err != nil {
		return "", fmt.Errorf("start a broker: %w", err)
	}
	defer func() { _ = broker.Close() }()
	settings, err := config.Load([]string{
		"PULSE_BROKERS=" + strings.Join(broker.Addrs(), ","), "PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_RETRY_DELAYS=10ms",
		"PULSE_HEALTH_INTERVAL=1s", "PULSE_ENRICHERS=risk=" + enricher.URL + "?required=true",
	}, config.NeedBrokers)
	if err != nil {
		return "", fmt.Errorf("load the configuration: %w", err)
	}
	service, err := app.NewService(ctx, settings, app.Deps{
		Log: slog.New(slog.DiscardHandler), Build: ops.Build{Version: "1.2.3"}, Now: time.Now,
	})
	if err != nil {
		return "", fmt.Errorf("make the service: %w", err)
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- service.Run(serving) }()
	defer func() {
		stop()
		if end := <-ended; err == nil {
			err = end
		}
	}()
	if err := send(ctx, broker.Addrs()); err != nil {
		return "", err
	}
	return await(ctx, "http://"+service.Addr()+"/metrics", expected)
}

func send(ctx context.Context, brokers []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer client.Close()
	for _, value := range signals {
		var signal struct{ Name string }
		_ = json.Unmarshal([]byte(value), &signal) // what is no signal has no key
		record := &kgo.Record{Topic: "pulse.signals", Key: []byte(signal.Name), Value: []byte(value)}
		if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
	}
	return nil
}

// await asks until an answer has all lines.
func await(ctx context.Context, url string, lines []string) (string, error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		text, err := get(ctx, url)
		if err == nil {
			err = lacking(text, lines)
		}
		if err == nil {
			return text, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return "", fmt.Errorf("%w, in\n%s", err, text)
		}
	}
}

func lacking(text string, lines []string) error {
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			return fmt.Errorf("no line %s", line)
		}
	}
	return nil
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", url, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", url, err)
	}
	return string(text), nil
}

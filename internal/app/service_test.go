package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ops"
)

// hangGuard ends a test that would never end by itself; it is no measure of
// speed.
const hangGuard = 3 * time.Minute

// A thousand signals, a tenth of them twice, in ten series, go through a whole
// service: each has one result, and those of a series come in the order of the
// input.
func TestService_ScoresWhatIsProduced(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: 4}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	c, err := config.Load([]string{"PULSE_BROKERS=" + b.Addrs()[0], "PULSE_HTTP_ADDR=127.0.0.1:0"}, config.NeedBrokers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewService(t.Context(), c, Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Build: ops.ReadBuild("test"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	produceTwice(t, b, 1000)
	awaitOutcomes(t, s, Outcomes{Scored: 1000, Duplicate: 100})
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	requireOnceInOrder(t, b, 1000)
}

// With as many records parked as may be, the input of a task stands still. That is no
// fault of the service, and it says so.
func TestService_SaysThatItsInputWaits(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	risk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "fails" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(risk.Close)
	s := running(t, b, "PULSE_ENRICHERS=risk="+risk.URL+"?required=true", "PULSE_RETRY_DELAYS=1h", "PULSE_RETRY_ORDER=key", "PULSE_RETRY_MAX_PARKED=1")
	awaitPage(t, s, "/readyz?verbose", "", "joined, 1 tasks")
	if code, body := ask(t, s, "/readyz?verbose", ""); strings.Contains(body, "PULSE_RETRY_MAX_PARKED") {
		t.Errorf("with room: %d %s", code, body)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("pulse.signals"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for _, id := range []string{"fails", "answered", "parked", "waits"} {
		name := "behind"
		if id == "answered" {
			name = "other" // the enricher is up
		}
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprintf(`{"id":%q,"name":%q,"value":1,"source":"t"}`, id, name))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	awaitPage(t, s, "/readyz?verbose", "", "PULSE_RETRY_MAX_PARKED")
	if code, body := ask(t, s, "/readyz", ""); code != http.StatusOK {
		t.Errorf("readyz %d: %s", code, body)
	}
	awaitPage(t, s, "/status", "", `"input_held": true`)
}

// produceTwice produces n signals, every tenth again at once.
func produceTwice(t *testing.T, b *devbroker.Broker, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("pulse.signals"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for i := range n {
		name := fmt.Sprintf("s%d", i%10)
		value := fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%d,"source":"t"}`, i, name, i)
		for range 1 + btoi(i%10 == i/10%10) {
			records = append(records, &kgo.Record{Key: []byte(name), Value: value})
		}
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func awaitOutcomes(t *testing.T, s *Service, want Outcomes) {
	t.Helper()
	patience := time.After(hangGuard)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for s.Outcomes() != want {
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("outcomes %+v, want %+v", s.Outcomes(), want)
		}
	}
}

// requireOnceInOrder reads all there is: a transaction's marker is the last
// record of each partition that has any.
func requireOnceInOrder(t *testing.T, b *devbroker.Broker, n int) {
	t.Helper()
	left := 0
	ends := b.EndOffsets("pulse.signals.scored")
	for _, end := range ends {
		left += btoi(end > 0)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.ConsumeTopics("pulse.signals.scored"), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	seen := make(map[string]int)
	last := make(map[string]float64)
	for left > 0 {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left -= btoi(r.Offset == ends[r.Partition]-1)
			var result struct {
				ID, Name string
				Value    float64
			}
			if r.Attrs.IsControl() {
				return
			}
			if err := json.Unmarshal(r.Value, &result); err != nil || result.Name != string(r.Key) {
				t.Errorf("result %s of key %s: %v", r.Value, r.Key, err)
			}
			if before, ok := last[result.Name]; ok && result.Value <= before {
				t.Errorf("series %s: %v after %v", result.Name, result.Value, before)
			}
			last[result.Name] = result.Value
			seen[result.ID]++
		})
	}
	for i := range n {
		if got := seen[fmt.Sprint(i)]; got != 1 {
			t.Errorf("signal %d has %d results", i, got)
		}
	}
	if len(seen) != n {
		t.Errorf("%d signals have results, want %d", len(seen), n)
	}
}

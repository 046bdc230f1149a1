//go:build integration

package console_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ops"
)

const token = "token-of-the-console-tests"

// lab is a service on an embedded broker.
type lab struct {
	broker *devbroker.Broker
	url    string
	stop   func()
	client *kgo.Client
}

func newLab(t *testing.T, partitions int, environ ...string) *lab {
	t.Helper()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: partitions}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	l := &lab{broker: b}
	l.url, l.stop = l.serve(t, environ...)
	if l.client, err = kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("pulse.signals"), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	return l
}

// serve starts a worker of the lab's group, and tells its page and how to stop it; the test's end does, too.
func (l *lab) serve(t *testing.T, environ ...string) (url string, stop func()) {
	t.Helper()
	c, err := config.Load(append([]string{
		"PULSE_BROKERS=" + l.broker.Addrs()[0], "PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_ADMIN_TOKEN=" + token, "PULSE_HEALTH_INTERVAL=1s",
	}, environ...), config.NeedBrokers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := app.NewService(t.Context(), c, app.Deps{Log: slog.New(slog.DiscardHandler), Build: ops.Build{Version: "1.2.3"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("service: %v", err)
		}
	})
	t.Cleanup(stop)
	return "http://" + s.Addr() + "/", stop
}

func (l *lab) produce(t *testing.T, partition int32, values ...string) {
	t.Helper()
	for _, v := range values {
		r := &kgo.Record{Partition: partition, Key: []byte("k"), Value: []byte(v)}
		if err := l.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// enricher answers, but to names that ask for trouble.
func enricher(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") == "later" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"seen":true}`)
	}))
	t.Cleanup(server.Close)
	return "PULSE_ENRICHERS=risk=" + server.URL + "?required=true"
}

func temperature(id string, partition int32, value int) string {
	return fmt.Sprintf(`{"id":%q,"name":"air_temperature_%d","value":%d.5,"source":"station"}`, id, partition, value)
}

// What busy sends: raw signals, forecasts, and three that are bad; one waits, one is a duplicate.
const (
	busyRaw       = 160 + 96
	busyForecasts = 40
	busyRecords   = busyRaw + busyForecasts + 5
)

// busy has had something of everything. One of its series is long enough for its detector to know what is usual.
func (l *lab) busy(t *testing.T) {
	t.Helper()
	for i := range 160 {
		p := int32(i % 8)
		l.produce(t, p, temperature(strconv.Itoa(i), p, 12+i%9))
		if i%4 == 0 {
			l.produce(t, p, fmt.Sprintf(`{"id":"f%d","name":"index_%d","value":%d,"source":"desk","forecast":{"confidence":0.%d,"symbolic_tag":"hope"}}`, i, p, i, 3+i%7))
		}
	}
	for i := range 96 {
		l.produce(t, 1, temperature("more "+strconv.Itoa(i), 1, 12+i%9))
	}
	l.produce(t, 0, temperature("0", 0, 12))
	l.produce(t, 2, `{"id":"bad","name":"secret_name","value":"secret ten"}`, `secret, no JSON`, `{"id":"bad 2","name":"","value":1}`)
	l.produce(t, 3, `{"id":"later","name":"secret_later","value":1,"source":"desk"}`)
}

//go:build integration

package console_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	broker  *devbroker.Broker
	service *app.Service
	url     string
	stop    func()
	client  *kgo.Client
}

func newLab(t *testing.T, partitions int, environ ...string) *lab {
	t.Helper()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: partitions}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	c, err := config.Load(append([]string{
		"PULSE_BROKERS=" + b.Addrs()[0], "PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_ADMIN_TOKEN=" + token, "PULSE_HEALTH_INTERVAL=1s",
	}, environ...), config.NeedBrokers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := app.NewService(t.Context(), c, app.Deps{Log: slog.New(slog.DiscardHandler), Build: ops.Build{Version: "1.2.3"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{broker: b, service: s, url: "http://" + s.Addr() + "/"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("service: %v", err)
		}
	})
	t.Cleanup(l.stop)
	if l.client, err = kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("pulse.signals"), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	return l
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

// busy has had something of everything.
func (l *lab) busy(t *testing.T) {
	t.Helper()
	for i := range 160 {
		p := int32(i % 8)
		l.produce(t, p, fmt.Sprintf(`{"id":"%d","name":"air_temperature_%d","value":%d.5,"source":"station"}`, i, p, 12+i%9))
		if i%4 == 0 {
			l.produce(t, p, fmt.Sprintf(`{"id":"f%d","name":"index_%d","value":%d,"source":"desk","forecast":{"confidence":0.%d,"symbolic_tag":"hope"}}`, i, p, i, 3+i%7))
		}
	}
	l.produce(t, 1, `{"id":"high","name":"air_temperature_1","value":9000,"source":"station"}`,
		`{"id":"0","name":"air_temperature_0","value":12.5,"source":"station"}`)
	l.produce(t, 2, `{"id":"bad","name":"secret_name","value":"secret ten"}`, `secret, no JSON`, `{"id":"bad 2","name":"","value":1}`)
	l.produce(t, 3, `{"id":"later","name":"secret_later","value":1,"source":"desk"}`)
}

package app

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ops"
	"pulse-scorer/internal/pipeline"
)

// collector is an OpenTelemetry collector that keeps what it is sent.
type collector struct {
	collectorpb.UnimplementedTraceServiceServer

	mu    sync.Mutex // guards spans
	spans []*tracepb.Span
}

// ServeHTTP implements http.Handler.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.keep(&request)
}

// Export implements collectorpb.TraceServiceServer.
func (c *collector) Export(_ context.Context, request *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	c.keep(request)
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

func (c *collector) keep(request *collectorpb.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

// listen starts the collector for a protocol, and gives its endpoint.
func (c *collector) listen(t *testing.T, protocol string) string {
	t.Helper()
	if protocol != "grpc" {
		server := httptest.NewServer(c)
		t.Cleanup(server.Close)
		return server.URL
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collectorpb.RegisterTraceServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("collector: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func attributesOf(s *tracepb.Span) map[string]any {
	all := make(map[string]any)
	for _, a := range s.GetAttributes() {
		if text := a.GetValue().GetStringValue(); text != "" {
			all[a.GetKey()] = text
		} else {
			all[a.GetKey()] = a.GetValue().GetIntValue()
		}
	}
	return all
}

// The sender's trace, as its record has it.
const (
	senderTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	senderSpan  = "00f067aa0ba902b7"
)

// A signal that fails once is tried twice: two spans, each a trace of its own that links
// to the sender, and the enricher is handed the trace of the try. A signal whose sender
// does not sample, and one without a trace, have none.
func TestTracing_EachTryLinksToTheSender(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	for _, protocol := range []string{"", "http/protobuf", "grpc"} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			var got collector
			endpoint := got.listen(t, protocol)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
			got.followTries(t, protocol, endpoint)
		})
	}
}

// followTries has a service trace to the collector.
func (c *collector) followTries(t *testing.T, protocol, endpoint string) {
	t.Helper()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	var mu sync.Mutex
	var handed []string
	risk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Idempotency-Key") != "traced" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if handed = append(handed, r.Header.Get("Traceparent")); len(handed) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(risk.Close)
	set, err := config.Load([]string{
		"PULSE_BROKERS=" + b.Addrs()[0], "PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_RETRY_DELAYS=100ms", "OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint,
		"OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
		"PULSE_ENRICHERS=risk=" + risk.URL + "?required=true",
	}, config.NeedBrokers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewService(t.Context(), set, Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Build: ops.Build{Version: "1.2.3"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	stop := runService(t, s)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("pulse.signals"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for id, traceparent := range map[string]string{
		"traced": "00-" + senderTrace + "-" + senderSpan + "-01", "unsampled": "00-" + senderTrace + "-" + senderSpan + "-00", "odd": "nonsense", "plain": "",
	} {
		record := &kgo.Record{Key: []byte("n"), Value: []byte(`{"id":"` + id + `","name":"n","value":1,"source":"s"}`)}
		if traceparent != "" {
			record.Headers = []kgo.RecordHeader{{Key: headerTraceparent, Value: []byte(traceparent)}}
		}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	awaitScored(t, s, 4)
	stop() // sends the last spans
	c.expectTries(t)
	for i, traceparent := range handed {
		if trace := hex.EncodeToString(c.spans[i].GetTraceId()); !strings.HasPrefix(traceparent, "00-"+trace+"-") {
			t.Errorf("try %d: the enricher was handed %q, want the try's own trace %s", i+1, traceparent, trace)
		}
	}
}

func awaitScored(t *testing.T, s *Service, n int) {
	t.Helper()
	patience := time.After(hangGuard)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for s.Outcomes().Scored != n {
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("outcomes %+v, want %d scored", s.Outcomes(), n)
		}
	}
}

// expectTries compares the two spans, in their order.
func (c *collector) expectTries(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans) != 2 {
		t.Fatalf("%d spans, want one a try: %v", len(c.spans), c.spans)
	}
	if c.spans[0].GetStartTimeUnixNano() > c.spans[1].GetStartTimeUnixNano() {
		c.spans[0], c.spans[1] = c.spans[1], c.spans[0]
	}
	for i, want := range []map[string]any{
		{
			"messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process",
			"messaging.destination.name": "pulse.signals", "messaging.destination.partition.id": "0", "messaging.consumer.group.name": "pulse-scorer",
			"messaging.message.id": "traced", "pulse.outcome": "retried", "pulse.attempt": int64(1), "error.type": "enricher_unavailable", "pulse.stage": "enrich",
		},
		{
			"messaging.destination.name": "pulse.signals.pulse-scorer.retry.1", "messaging.message.id": "traced", "pulse.outcome": "scored",
			"pulse.attempt": int64(2), "messaging.kafka.offset": int64(0),
		},
	} {
		span := c.spans[i]
		if span.GetName() != fmt.Sprint("process ", want["messaging.destination.name"]) || span.GetKind() != tracepb.Span_SPAN_KIND_CONSUMER || len(span.GetParentSpanId()) > 0 {
			t.Errorf("try %d: span %v, want a consumer's without a parent", i+1, span)
		}
		links := span.GetLinks()
		if len(links) != 1 || hex.EncodeToString(links[0].GetTraceId()) != senderTrace || hex.EncodeToString(links[0].GetSpanId()) != senderSpan {
			t.Errorf("try %d: links %v, want one to the sender", i+1, links)
		}
		if hex.EncodeToString(span.GetTraceId()) == senderTrace {
			t.Errorf("try %d is in the sender's trace", i+1)
		}
		has := attributesOf(span)
		for key, value := range want {
			if has[key] != value {
				t.Errorf("try %d: %s is %v, want %v", i+1, key, has[key], value)
			}
		}
		if _, failed := want["error.type"]; failed != (span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR) {
			t.Errorf("try %d: status %v", i+1, span.GetStatus())
		}
	}
}

// Where tracing is on, a record without a trace still costs nothing.
func TestTracing_ARecordWithoutATraceAllocatesNothing(t *testing.T) {
	tr := newTracer(noop.NewTracerProvider(), "g")
	in := &pipeline.Record{Topic: "t", Value: []byte("{}"), Headers: []pipeline.Header{{Key: "x", Value: []byte("y")}}}
	allocations := testing.AllocsPerRun(1000, func() {
		if tr.Follow(in) != nil {
			t.Error("followed")
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations, want 0", allocations)
	}
}

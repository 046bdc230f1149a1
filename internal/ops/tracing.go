package ops

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Tracing is where spans go.
type Tracing struct {
	Provider *trace.TracerProvider

	log *slog.Logger
}

// NewTracing returns what the standard variables ask for (OpenTelemetry environment
// variable specification: OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER, OTEL_BSP_*,
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES), which the libraries read themselves.
// Spans go by OTLP, over the protocol that config.Config.Tracing has chosen, which decides
// too whether tracing is wanted. It connects when there is something to send, and
// whatever fails then is a warning: nothing waits for it.
func NewTracing(ctx context.Context, protocol string, build Build, group string, log *slog.Logger) (*Tracing, error) {
	exporter, err := newExporter(ctx, protocol)
	if err != nil {
		return nil, err
	}
	// What the environment says comes last and wins.
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(
			semconv.ServiceName("pulse-scorer"), semconv.ServiceVersion(build.Version), attribute.String("pulse.group", group),
		),
		resource.WithFromEnv(),
	)
	if err != nil {
		log.Warn("tracing: the resource is not described in full (OTEL_RESOURCE_ATTRIBUTES)", slog.Any("err", err))
	}
	return &Tracing{
		Provider: trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about)), log: log,
	}, nil
}

// How spans are sent, as OTEL_EXPORTER_OTLP_PROTOCOL names it.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

func newExporter(ctx context.Context, protocol string) (exporter *otlptrace.Exporter, err error) {
	switch protocol {
	case protocolGRPC:
		exporter, err = otlptracegrpc.New(ctx)
	case protocolHTTP:
		exporter, err = otlptracehttp.New(ctx)
	default:
		err = fmt.Errorf("protocol %q is not spoken: %s and %s are", protocol, protocolGRPC, protocolHTTP)
	}
	if err != nil {
		return nil, fmt.Errorf("tracing (OTEL_EXPORTER_OTLP_*): %w", err)
	}
	return exporter, nil
}

// Shutdown sends what is left, until ctx ends.
func (t *Tracing) Shutdown(ctx context.Context) {
	if err := t.Provider.Shutdown(ctx); err != nil {
		t.log.Warn("tracing: the last spans were not sent", slog.Any("err", err))
	}
}

package app

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"pulse-scorer/internal/ops"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// tracer makes a span of each record that comes with a sampled traceparent. Which records
// are followed is so decided by who sends them: one span a record would be the greater
// part of the work at a hundred thousand a second.
//
// A span links to the context in the record's header and is no child of it, as the
// conventions ask of messages that are processed in batches (OpenTelemetry semantic
// conventions 1.43, messaging spans). The header stays as it is in retry tiers, so that
// each try is a span of its own that links to the same sender
// (TestTracing_EachTryLinksToTheSender).
type tracer struct {
	spans trace.Tracer
	group string
	w3c   propagation.TraceContext
}

var _ pipeline.Tracer = (*tracer)(nil)

func newTracer(provider trace.TracerProvider, group string) *tracer {
	return &tracer{spans: provider.Tracer("pulse-scorer", trace.WithSchemaURL(semconv.SchemaURL)), group: group}
}

const (
	headerTraceparent = "traceparent"
	headerTracestate  = "tracestate"
)

// Follow implements pipeline.Tracer.
func (t *tracer) Follow(in *pipeline.Record) pipeline.Followed { //nolint:ireturn // nil is nobody
	carrier := propagation.MapCarrier(nil)
	for _, h := range in.Headers {
		if h.Key == headerTraceparent || h.Key == headerTracestate {
			if carrier == nil {
				carrier = make(propagation.MapCarrier, 2)
			}
			carrier[h.Key] = string(h.Value)
		}
	}
	if carrier == nil {
		return nil
	}
	sender := trace.SpanContextFromContext(t.w3c.Extract(context.Background(), carrier))
	if !sender.IsValid() || !sender.IsSampled() {
		return nil
	}
	attributes := []attribute.KeyValue{
		semconv.MessagingSystemKafka, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
		semconv.MessagingDestinationName(in.Topic), semconv.MessagingDestinationPartitionID(strconv.Itoa(int(in.Partition))),
		semconv.MessagingConsumerGroupName(t.group), semconv.MessagingKafkaOffset(int(in.Offset)),
		semconv.MessagingMessageBodySize(len(in.Value)),
	}
	if in.Value == nil {
		attributes = append(attributes, semconv.MessagingKafkaMessageTombstone(true))
	}
	_, span := t.spans.Start( //nolint:spancheck // it ends with the batch (Committed)
		context.Background(), "process "+in.Topic, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: sender}), trace.WithAttributes(attributes...))
	return &followed{span: span} //nolint:spancheck // as above
}

// followed is one record's span. It ends when the record's outcome is visible.
type followed struct{ span trace.Span }

var _ pipeline.Followed = (*followed)(nil)

// Traceparent implements pipeline.Followed.
func (f *followed) Traceparent() string {
	carrier := make(propagation.MapCarrier, 1)
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), f.span), carrier)
	return carrier[headerTraceparent]
}

// Decided implements pipeline.Followed.
func (f *followed) Decided(o pipeline.Outcome, class pulse.Class, id string, attempt int) {
	attributes := []attribute.KeyValue{attribute.String("pulse.outcome", o.Kind.String()), attribute.Int("pulse.attempt", attempt)}
	if id != "" {
		// Its bytes are the record's, which are used again.
		attributes = append(attributes, semconv.MessagingMessageID(strings.Clone(id)))
	}
	if class != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(string(class)), attribute.String("pulse.stage", o.Stage.String()))
		f.span.SetStatus(codes.Error, string(class))
	}
	f.span.SetAttributes(attributes...)
}

// Committed implements pipeline.Followed.
func (f *followed) Committed() { f.span.End() }

// lastSpans is how long the end of the process waits for spans to be sent.
const lastSpans = 3 * time.Second

// startTracing begins to trace if the environment asks for it. stop sends what is left.
func (s *Service) startTracing(ctx context.Context) (t *tracer, stop func(), err error) {
	protocol := s.config.Tracing()
	if protocol == "" {
		return nil, func() {}, nil
	}
	tracing, err := ops.NewTracing(ctx, protocol, s.deps.Build, s.config.Group, s.deps.Log)
	if err != nil {
		return nil, nil, err
	}
	// The library's own word for what it cannot send; it has no other way to say it.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		s.deps.Log.Warn("tracing: spans are not sent; is there a collector at OTEL_EXPORTER_OTLP_ENDPOINT?", slog.Any("err", err))
	}))
	return newTracer(tracing.Provider, s.config.Group), func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		tracing.Shutdown(last)
	}, nil
}

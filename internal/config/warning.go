package config

import (
	"fmt"
	"strings"
	"time"
)

// minBrokerSession is the broker's default for group.min.session.timeout.ms.
const minBrokerSession = 6 * time.Second

// minTokenLength: 16 hexadecimal digits are 64 bits.
const minTokenLength = 16

// Warnings lists what is allowed and likely not meant.
func (c Config) Warnings() []Fault {
	var w faultList
	if c.SessionTimeout < minBrokerSession {
		w.addf("PULSE_SESSION_TIMEOUT", "%s is less than %s, the least that brokers accept by default (group.min.session.timeout.ms)",
			formatDuration(c.SessionTimeout), formatDuration(minBrokerSession))
	}
	if c.SASLMechanism == "PLAIN" && !c.TLS {
		w.addf("PULSE_SASL_MECHANISM", "PLAIN without PULSE_TLS=true sends the password in the clear")
	}
	if c.SASLMechanism == "OAUTHBEARER" && !c.TLS {
		w.addf("PULSE_SASL_MECHANISM", "OAUTHBEARER without PULSE_TLS=true sends the token in the clear")
	}
	if c.given["PULSE_ADMIN_TOKEN"] && len(c.AdminToken) < minTokenLength {
		w.addf("PULSE_ADMIN_TOKEN", "has fewer than %d characters, so that it may be guessed; take one from: openssl rand -hex 32", minTokenLength)
	}
	if c.unmet != nil {
		w.addf(c.unmet.Variable, "%s", c.unmet.Message)
	}
	return w.list
}

// tracing is the protocol by which the OpenTelemetry variables ask for spans, empty when
// they do not, and the variable that asks for what there is not. These are set for whole
// clusters, so they are no reason not to start.
func tracing(values map[string]string) (protocol string, unmet *Fault) {
	if strings.EqualFold(values["OTEL_SDK_DISABLED"], "true") {
		return "", nil
	}
	exporter := values["OTEL_TRACES_EXPORTER"]
	switch {
	case exporter == "none":
		return "", nil
	case exporter != "" && exporter != "otlp":
		return "", &Fault{"OTEL_TRACES_EXPORTER", "only otlp and none are known; there are no spans"}
	case exporter == "" && values["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == "" && values["OTEL_EXPORTER_OTLP_ENDPOINT"] == "":
		return "", nil
	}
	// The first one that is set counts.
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch protocol := values[name]; protocol {
		case "":
			continue
		case traceGRPC, traceHTTP:
			return protocol, nil
		default:
			return "", &Fault{name, fmt.Sprintf(
				"only %s (port 4317) and %s (port 4318) are spoken; there are no spans: set one of them, with the collector's port",
				traceGRPC, traceHTTP,
			)}
		}
	}
	return traceHTTP, nil
}

// The protocols of OTEL_EXPORTER_OTLP_PROTOCOL that are spoken; OpenTelemetry recommends
// the second as the default (its exporter specification, "Specify Protocol").
const (
	traceGRPC = "grpc"
	traceHTTP = "http/protobuf"
)

// String is the fault in one line.
func (f Fault) String() string {
	return fmt.Sprintf("%s: %s", f.Variable, strings.TrimSpace(f.Message))
}

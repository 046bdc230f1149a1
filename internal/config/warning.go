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
	if c.tracing != "" {
		w.addf(c.tracing, "tracing is not available in this release; it has no effect")
	}
	return w.list
}

// tracing returns the OpenTelemetry variable that asks for an exporter. These
// are set for whole clusters, so they are no reason not to start.
func tracing(values map[string]string) string {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER"} {
		if value := values[name]; value != "" && value != "none" {
			return name
		}
	}
	return ""
}

// String is the fault in one line.
func (f Fault) String() string {
	return fmt.Sprintf("%s: %s", f.Variable, strings.TrimSpace(f.Message))
}

package app

import (
	"strings"
	"testing"

	"pulse-scorer/internal/config"
)

func TestEnvironment_HasWhatARedriveNeeds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given  []string
		change func(*config.Config)
		want   string
	}{
		"nothing but defaults": {[]string{"PULSE_RETRY_DELAYS=5s,30s,2m,10m", "PULSE_TOPIC_DLQ=pulse.signals.pulse-scorer.dlq"}, func(*config.Config) {}, ""},
		"topics, group and tiers": {
			[]string{
				"PULSE_GROUP=my.group", "PULSE_TOPIC_INPUT=in", "PULSE_TOPIC_OUTPUT=out", "PULSE_TOPIC_DLQ=dead",
				"PULSE_TOPIC_RETRY=later", "PULSE_RETRY_DELAYS=1m, 90s",
			},
			func(*config.Config) {},
			" PULSE_GROUP=my.group PULSE_TOPIC_INPUT=in PULSE_TOPIC_OUTPUT=out PULSE_TOPIC_DLQ=dead PULSE_TOPIC_RETRY=later PULSE_RETRY_DELAYS=1m,1m30s",
		},
		"a password": {
			[]string{"PULSE_TLS=true", "PULSE_SASL_MECHANISM=SCRAM-SHA-512", "PULSE_SASL_USERNAME=o'neil", "PULSE_SASL_PASSWORD=unspoken"},
			func(*config.Config) {},
			` PULSE_TLS=true PULSE_SASL_MECHANISM=SCRAM-SHA-512 PULSE_SASL_USERNAME='o'\''neil'`,
		},
		// Load wants the files to be there, so their paths are set behind its back.
		"files": {
			[]string{"PULSE_TLS=true"},
			func(c *config.Config) {
				c.TLSCA, c.TLSCert, c.TLSKey = "/tls/ca.crt", "/tls/my cert", "/tls/key"
				c.SASLPasswordFile, c.SASLTokenFile = "/sasl/password", "/sasl/token"
			},
			" PULSE_TLS=true PULSE_TLS_CA=/tls/ca.crt PULSE_TLS_CERT='/tls/my cert' PULSE_TLS_KEY=/tls/key" +
				" PULSE_SASL_PASSWORD_FILE=/sasl/password PULSE_SASL_TOKEN_FILE=/sasl/token",
		},
	} {
		loaded, err := config.Load(append(c.given, "PULSE_BROKERS=a:1,b:2", "PULSE_ADMIN_TOKEN=unspoken"), config.NeedBrokers)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.change(&loaded)
		if got, want := environment(loaded), "PULSE_BROKERS=a:1,b:2"+c.want; got != want || strings.Contains(got, "unspoken") {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestQuoted_IsOneWordForAShell(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"kafka-1:9092,kafka_2:9092": "kafka-1:9092,kafka_2:9092", "/a/b.c": "/a/b.c",
		"a b": "'a b'", "$(x)": "'$(x)'", "a;b": "'a;b'", `a"b\c`: `'a"b\c'`, "it's": `'it'\''s'`, "ä": "'ä'", "a\nb": "'a\nb'", "~": "'~'",
	} {
		if got := quoted(value); got != want {
			t.Errorf("%q is quoted as %s, want %s", value, got, want)
		}
	}
}

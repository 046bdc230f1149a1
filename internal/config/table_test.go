package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// configurationHead stands before the table in its file.
const configurationHead = `# Configuration

Every variable of the environment, made from the code (` + "`go generate ./internal/config`" + `):
do not edit it here. ` + "`pulse-scorer config`" + ` shows what is in effect, without secrets.
Wrong values, and names that nobody knows, are all reported at once, and the service
does not start.

`

// The table that operators read is what the code has: it is made by Markdown itself
// (go generate, which is this test with -update) and read against the contract's.
func TestMarkdown_IsTheTableThatOperatorsRead(t *testing.T) {
	t.Parallel()
	const path = "../../deploy/configuration.md"
	got := configurationHead + Markdown()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the code has; run go generate ./internal/config and review", path)
	}
}

// The names and the defaults that the contract fixes.
func TestVariables_AreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`BROKERS= GROUP=pulse-scorer INSTANCE_ID= TOPIC_INPUT=pulse.signals
		TOPIC_OUTPUT=pulse.signals.scored TOPIC_RETRY=<input>.<group>.retry TOPIC_DLQ=<input>.<group>.dlq
		TOPIC_STATE=<input>.<group>.state TOPIC_MODELS=<input>.<group>.models TOPICS_CREATE=true
		TOPICS_PARTITIONS=8 TOPICS_REPLICATION=-1 START_OFFSET=earliest COMMIT_INTERVAL=100ms
		TRANSACTION_TIMEOUT=10s SESSION_TIMEOUT=10s HEARTBEAT_INTERVAL=500ms STALL_TIMEOUT=30s
		DRAIN_TIMEOUT=15s HEALTH_INTERVAL=60s MAX_RECORD_BYTES=1048576 MAX_INFLIGHT_BYTES=67108864
		COMPRESSION=lz4 RETRY_DELAYS=5s,30s,2m,10m RETRY_JITTER=0.1 RETRY_ORDER=none RETRY_OVERRIDES=
		RETRY_MAX_PARKED=10000 DEDUPE_WINDOW=24h DEDUPE_MAX_IDS=1000000 PROFILE=v2 LICENSE=true
		ASSETS=nvda,msft,ibit,spy DEFAULT_SOURCE=unknown MAX_CLOCK_SKEW=5m ENRICHERS= ENRICHER_CONCURRENCY=128
		ENRICHER_TOKEN_FILE= HTTP_ADDR=:9100 ADMIN_TOKEN= ADMIN_TOKEN_FILE= TLS=false TLS_CA= TLS_CERT=
		TLS_KEY= SASL_MECHANISM= SASL_USERNAME= SASL_PASSWORD= SASL_PASSWORD_FILE= SASL_TOKEN_FILE=
		LOG_LEVEL=info LOG_FORMAT=json`)
	got := map[string]string{}
	for _, s := range mustLoad(t).Redacted() {
		got[s.Variable] = s.Default
	}
	for _, pair := range want {
		name, deflt, _ := strings.Cut(pair, "=")
		if value, ok := got["PULSE_"+name]; !ok || value != deflt {
			t.Errorf("PULSE_%s: default %q (known: %v), want %q", name, value, ok, deflt)
		}
		delete(got, "PULSE_"+name)
	}
	delete(got, "PULSE_ANOMALY_THRESHOLD")
	if len(got) > 0 {
		t.Errorf("variables beyond the contract: %v", got)
	}
}

func TestRedacted_TellsValueAndSource(t *testing.T) {
	t.Parallel()
	got := map[string]Setting{}
	for _, s := range mustLoad(t, "PULSE_GROUP=g", "PULSE_DEDUPE_WINDOW=90m").Redacted() {
		got[s.Variable] = s
	}
	for variable, want := range map[string][2]string{
		"PULSE_GROUP":             {"g", "environment"},
		"PULSE_DEDUPE_WINDOW":     {"1h30m", "environment"},
		"PULSE_SESSION_TIMEOUT":   {"10s", "default"},
		"PULSE_TOPIC_DLQ":         {"pulse.signals.g.dlq", "default"},
		"PULSE_ANOMALY_THRESHOLD": {"the profile's", "default"},
	} {
		if s := got[variable]; s.Value != want[0] || s.Source != want[1] {
			t.Errorf("%s = %q from %q, want %q", variable, s.Value, s.Source, want)
		}
	}
}

// Wherever a Config or its errors can be printed, no secret is in it.
func TestSecrets_ShowNowhere(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-and-more"
	c := mustLoad(t, "PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=u", "PULSE_SASL_PASSWORD="+secret)
	if c.SASLPassword.Reveal() != secret {
		t.Fatal("the password was not taken")
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%v %+v %#v %s %q %v\n", c, c, c, c.SASLPassword, c.SASLPassword, c.Redacted())
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", slog.Any("config", c), slog.Any("password", c.SASLPassword))
	slog.New(slog.NewJSONHandler(&text, nil)).Info("x", slog.Any("config", c), slog.Any("password", c.SASLPassword))
	for _, v := range []any{c, c.Redacted()} {
		if err := json.NewEncoder(&text).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range variables() {
		if !v.secret {
			continue
		}
		if _, err := Load([]string{v.name + "=" + secret}, NeedNothing); err != nil {
			text.WriteString(err.Error())
		}
		if _, err := Load([]string{v.name + "=a,," + secret}, NeedNothing); err != nil {
			text.WriteString(err.Error())
		}
	}
	_, err := Load([]string{"PULSE_SASL_PASSWROD=" + secret}, NeedNothing)
	fmt.Fprint(&text, err)
	if strings.Contains(text.String(), secret) {
		t.Errorf("the secret shows:\n%s", text.String())
	}
	if !strings.Contains(text.String(), redacted) {
		t.Error("no placeholder anywhere: the test looked at nothing")
	}
}

func FuzzLoad(f *testing.F) {
	for _, v := range variables() {
		f.Add(v.name, v.deflt)
	}
	// No value panics; a refused one names a PULSE_ variable.
	f.Fuzz(func(t *testing.T, name, value string) {
		if strings.HasPrefix(name, "PULSE_TLS") || strings.HasSuffix(name, "_FILE") {
			t.Skip("reads files")
		}
		_, err := Load([]string{name + "=" + value}, NeedNothing)
		if err != nil && !strings.Contains(err.Error(), "PULSE_") {
			t.Errorf("Load(%s=%q) = %v, no variable named", name, value, err)
		}
	})
}

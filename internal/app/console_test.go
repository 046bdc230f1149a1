package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ops"
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

// Dead letters are shown by a whole service to who has the token; without one there is no
// such page.
func TestService_ShowsDeadLettersToTheTokenAlone(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "pulse.signals", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic("pulse.signals"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("what a sender wrote")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	const token = "token-of-the-app-tests"
	open, closed := running(t, b, "PULSE_ADMIN_TOKEN="+token), running(t, b, "PULSE_GROUP=without")
	awaitOutcomes(t, closed, Outcomes{Dead: 1})
	awaitPage(t, open, "/api/dlq", "Bearer "+token, "what a sender wrote") // a moment after it is counted
	for _, c := range []struct {
		of            *Service
		authorization string
		code          int
		shown         bool
	}{
		{open, "Bearer " + token, http.StatusOK, true},
		{open, "Bearer not it", http.StatusUnauthorized, false},
		{open, "", http.StatusUnauthorized, false},
		{closed, "Bearer " + token, http.StatusNotFound, false},
		{closed, "", http.StatusNotFound, false},
	} {
		code, body := ask(t, c.of, "/api/dlq", c.authorization)
		if shown := strings.Contains(body, "what a sender wrote") && strings.Contains(body, `"class":"malformed_json"`); code != c.code || shown != c.shown {
			t.Errorf("with %q: %d %s; want %d, shown: %v", c.authorization, code, body, c.code, c.shown)
		}
	}
}

// running is a service on a broker until the test ends.
func running(t *testing.T, b *devbroker.Broker, environ ...string) *Service {
	t.Helper()
	c, err := config.Load(append([]string{"PULSE_BROKERS=" + b.Addrs()[0], "PULSE_HTTP_ADDR=127.0.0.1:0"}, environ...), config.NeedBrokers)
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
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func awaitPage(t *testing.T, s *Service, path, authorization, part string) {
	t.Helper()
	patience := time.After(hangGuard)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		code, body := ask(t, s, path, authorization)
		if strings.Contains(body, part) {
			return
		}
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("%s never has %q: %d %s", path, part, code, body)
		}
	}
}

// ask gets a page.
func ask(t *testing.T, s *Service, path, authorization string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", authorization)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

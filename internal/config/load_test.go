package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

const brokers = "PULSE_BROKERS=kafka-1:9092"

// faultsOf loads an environment that must be refused.
func faultsOf(t *testing.T, need Need, environ ...string) []Fault {
	t.Helper()
	_, err := Load(environ, need)
	var all *Error
	if !errors.As(err, &all) {
		t.Fatalf("Load(%q) = %v, want an *Error", environ, err)
	}
	return all.Faults
}

func mustLoad(t *testing.T, environ ...string) Config {
	t.Helper()
	c, err := Load(environ, NeedNothing)
	if err != nil {
		t.Fatalf("Load(%q): %v", environ, err)
	}
	return c
}

func TestLoad_DefaultsAreValid(t *testing.T) {
	t.Parallel()
	c := mustLoad(t)
	if c.CommitInterval != 100*time.Millisecond || c.MaxRecordBytes != 1<<20 || c.TopicsReplication != -1 || !c.License {
		t.Errorf("defaults not taken: %+v", c)
	}
	if len(c.Warnings()) != 0 {
		t.Errorf("defaults warn: %v", c.Warnings())
	}
	if got := c.Assets.String(); got != "nvda,msft,ibit,spy" {
		t.Errorf("assets = %q", got)
	}
}

func TestLoad_BrokersAreRequiredOnlyWhereNeeded(t *testing.T) {
	t.Parallel()
	got := faultsOf(t, NeedBrokers)
	if len(got) != 1 || got[0].Variable != "PULSE_BROKERS" {
		t.Errorf("faults = %v, want PULSE_BROKERS alone", got)
	}
	if _, err := Load([]string{brokers}, NeedBrokers); err != nil {
		t.Errorf("with brokers: %v", err)
	}
}

func TestLoad_EmptyCountsAsNotSet(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "PULSE_GROUP=", "PULSE_COMMIT_INTERVAL=  ", "PULSE_ADMIN_TOKEN=")
	if c.Group != "pulse-scorer" || c.CommitInterval != 100*time.Millisecond || c.Given("PULSE_GROUP") {
		t.Errorf("empty variables taken as values: %+v", c)
	}
}

func TestLoad_TakesWhatIsSet(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "PULSE_BROKERS= a:1 , [::1]:2", "PULSE_MAX_RECORD_BYTES=2MiB", "PULSE_PROFILE=parity", "PULSE_ANOMALY_THRESHOLD=2.5",
		"PULSE_SESSION_TIMEOUT=45s", "PULSE_TOPICS_CREATE=false", "PULSE_HEALTH_INTERVAL=1m", "OTHER=1")
	if !reflect.DeepEqual(c.Brokers, List{"a:1", "[::1]:2"}) || c.MaxRecordBytes != 2<<20 || *c.AnomalyThreshold != 2.5 ||
		c.SessionTimeout != 45*time.Second || c.TopicsCreate || !c.Given("PULSE_BROKERS") {
		t.Errorf("values not taken: %+v", c)
	}
}

func TestLoad_ReportsEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	got := faultsOf(t, NeedBrokers, "PULSE_SESSION_TIMEOUT=abc", "PULSE_COMPRESSION=gzip", "PULSE_GRUOP=x", "PULSE_KAFKA_TOPIC=y")
	want := []string{"PULSE_SESSION_TIMEOUT", "PULSE_COMPRESSION", "PULSE_BROKERS", "PULSE_GRUOP", "PULSE_KAFKA_TOPIC"}
	var names []string
	for _, fault := range got {
		names = append(names, fault.Variable)
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("faults = %q, want %q", names, want)
	}
}

// Every variable has a value that it refuses, or it takes any text.
func TestLoad_RefusesBadValues(t *testing.T) {
	t.Parallel()
	anyText := map[string]bool{
		"PULSE_SASL_USERNAME": true, "PULSE_SASL_PASSWORD": true, "PULSE_ADMIN_TOKEN": true,
		"PULSE_ENRICHERS": true, // package enricher reads it (app: TestLoad_ReportsEnrichersWithTheOthers)
	}
	bad := map[string][]string{
		"PULSE_BROKERS":              {"kafka", "kafka:0", "kafka:99999", "a:1,,b:2", "http://a:1", ":9092", "a b:1"},
		"PULSE_GROUP":                {"a\x01b"},
		"PULSE_INSTANCE_ID":          {"a/b", "..", strings.Repeat("x", 250)},
		"PULSE_TOPIC_INPUT":          {"a b", ".", strings.Repeat("x", 250)},
		"PULSE_TOPIC_OUTPUT":         {"pulse.signals", "pulse_signals", "ä"},
		"PULSE_TOPIC_DLQ":            {"a/b", "pulse.signals"},
		"PULSE_TOPIC_STATE":          {"a/b"},
		"PULSE_TOPIC_MODELS":         {"a/b", "pulse.signals"},
		"PULSE_TOPICS_CREATE":        {"yes"},
		"PULSE_TOPICS_PARTITIONS":    {"0", "eight", "010", "1.5", "99999999999999999999"},
		"PULSE_TOPICS_REPLICATION":   {"-2", "x"},
		"PULSE_START_OFFSET":         {"now", "EARLIEST"},
		"PULSE_COMMIT_INTERVAL":      {"100", "0s", "-1s", "2s"},
		"PULSE_TRANSACTION_TIMEOUT":  {"x", "1ms"},
		"PULSE_SESSION_TIMEOUT":      {"x", "0s"},
		"PULSE_HEARTBEAT_INTERVAL":   {"x", "4s", "0s"},
		"PULSE_STALL_TIMEOUT":        {"x", "0s"},
		"PULSE_DRAIN_TIMEOUT":        {"x", "0s"},
		"PULSE_MAX_RECORD_BYTES":     {"1MB", "-1", "1", "99999GiB", "9999999999999999999GiB", ""},
		"PULSE_MAX_INFLIGHT_BYTES":   {"x", "1048576"},
		"PULSE_COMPRESSION":          {"gzip"},
		"PULSE_DEDUPE_WINDOW":        {"x", "1s"},
		"PULSE_DEDUPE_MAX_IDS":       {"0", "many"},
		"PULSE_PROFILE":              {"V2", "v3"},
		"PULSE_LICENSE":              {"maybe"},
		"PULSE_ASSETS":               {"a,,b"},
		"PULSE_DEFAULT_SOURCE":       {"a\x02"},
		"PULSE_ANOMALY_THRESHOLD":    {"x", "NaN", "Inf", "-1", "1.5"},
		"PULSE_HTTP_ADDR":            {"9100", "a:b", ":70000"},
		"PULSE_TLS":                  {"x"},
		"PULSE_TLS_CA":               {"/no/such/file", t.TempDir()},
		"PULSE_TLS_CERT":             {"/no/such/file"},
		"PULSE_TLS_KEY":              {"/no/such/file"},
		"PULSE_SASL_MECHANISM":       {"plain", "GSSAPI"},
		"PULSE_SASL_PASSWORD_FILE":   {"/no/such/file"},
		"PULSE_SASL_TOKEN_FILE":      {"/no/such/file"},
		"PULSE_LOG_LEVEL":            {"INFO"},
		"PULSE_LOG_FORMAT":           {"xml"},
		"PULSE_RETRY_DELAYS":         {"x", "5s,", "0s"},
		"PULSE_RETRY_JITTER":         {"x", "2"},
		"PULSE_RETRY_OVERRIDES":      {"x", "=1", "stage_panic=9", "stage_panic=-1", "stage_panic=one", "too_large=1", "nonsense=0"},
		"PULSE_TOPIC_RETRY":          {"a/b", strings.Repeat("x", 248)},
		"PULSE_RETRY_ORDER":          {"x"},
		"PULSE_RETRY_MAX_PARKED":     {"0"},
		"PULSE_HEALTH_INTERVAL":      {"x"},
		"PULSE_MAX_CLOCK_SKEW":       {"x", "-1s"},
		"PULSE_ENRICHER_CONCURRENCY": {"0"},
		"PULSE_ENRICHER_TOKEN_FILE":  {"/no/such/file"},
		"PULSE_ADMIN_TOKEN_FILE":     {"/no/such/file"},
	}
	for _, v := range variables() {
		if v.later == "" && !anyText[v.name] && len(bad[v.name]) == 0 {
			t.Errorf("%s: no bad value in the table", v.name)
		}
		for _, value := range bad[v.name] {
			if value == "" {
				continue
			}
			got := faultsOf(t, NeedNothing, v.name+"="+value)
			if !(&faultList{list: got}).has(v.name) {
				t.Errorf("%s=%q: faults = %v, none names the variable", v.name, value, got)
			}
			for _, fault := range got {
				if strings.ContainsAny(fault.Message, "\n") || len(fault.Message) > 400 {
					t.Errorf("%s=%q: message is not one line: %q", v.name, value, fault.Message)
				}
			}
		}
	}
}

// A threshold that was written for the other profile would flag nothing, or a third of all
// values: it is refused, and the message says what it would mean.
func TestLoad_ThresholdIsOfTheProfile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profile, threshold, says string
	}{
		{"v2", "0", ""},
		{"v2", "1", ""},
		{"v2", "1.01", "no signal reaches"},
		{"parity", "1.01", ""},
		{"parity", "1", "standard deviations"},
		{"parity", "0.999", "further than 0.999 standard deviations"},
		{"parity", "0", "write more than 1"},
	} {
		_, err := Load([]string{"PULSE_PROFILE=" + c.profile, "PULSE_ANOMALY_THRESHOLD=" + c.threshold}, NeedNothing)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s with %s: %v, want %q", c.profile, c.threshold, err, c.says)
		}
	}
}

func TestLoad_RefusesWhatTheReleaseLacks(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"PULSE_TOPIC_RETRY": "r", "PULSE_TOPIC_MODELS": "m",
		"PULSE_RETRY_DELAYS": "1s", "PULSE_RETRY_JITTER": "0.2", "PULSE_RETRY_ORDER": "key",
		"PULSE_RETRY_OVERRIDES": "stage_panic=1", "PULSE_RETRY_MAX_PARKED": "5", "PULSE_MAX_CLOCK_SKEW": "1m",
		"PULSE_ENRICHERS": "risk=http://user:pw@risk:8080", "PULSE_ENRICHER_CONCURRENCY": "1", "PULSE_ENRICHER_TOKEN_FILE": "t",
	}
	for _, v := range variables() {
		if v.later == "" {
			continue
		}
		got := faultsOf(t, NeedNothing, v.name+"="+values[v.name])
		if len(got) != 1 || got[0].Variable != v.name || !strings.Contains(got[0].Message, "not available in this release") {
			t.Errorf("%s: faults = %v", v.name, got)
		}
		if v.deflt != "" {
			mustLoad(t, v.name+"="+v.deflt)
		}
	}
}

func TestLoad_UnknownVariable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, entry string
		want        string // part of the message, empty: accepted
	}{
		{"typo", "PULSE_BROKER=a:1", "did you mean PULSE_BROKERS?"},
		{"swapped letters", "PULSE_TOPIC_INPTU=a", "did you mean PULSE_TOPIC_INPUT?"},
		{"nothing near", "PULSE_QUUX_FROBNICATION=1", "lists them"},
		{"a port that is no link", "PULSE_HTTP_PORT=9100", "not a variable"},
		{"old broker", "PULSE_CELERY_BROKER=redis://x", "PULSE_BROKERS"},
		{"old result store", "PULSE_CELERY_BACKEND=redis://x", "PULSE_TOPIC_OUTPUT"},
		{"old metrics port", "PULSE_PROMETHEUS_PORT=9100", "PULSE_HTTP_ADDR"},
		{"old topic", "PULSE_KAFKA_TOPIC=x", "PULSE_TOPIC_INPUT"},
		{"old bootstrap", "PULSE_KAFKA_BOOTSTRAP=x", "PULSE_BROKERS"},
		{"old group", "PULSE_KAFKA_GROUP=x", "PULSE_GROUP"},
		{"service link host", "PULSE_SCORER_SERVICE_HOST=10.0.0.1", ""},
		{"service link port", "PULSE_SCORER_SERVICE_PORT=9100", ""},
		{"service link named port", "PULSE_SCORER_SERVICE_PORT_HTTP=9100", ""},
		{"docker link", "PULSE_SCORER_PORT=tcp://10.0.0.1:9100", ""},
		{"docker link port", "PULSE_SCORER_PORT_9100_TCP=tcp://10.0.0.1:9100", ""},
		{"docker link proto", "PULSE_SCORER_PORT_9100_TCP_PROTO=tcp", ""},
		{"docker link address", "PULSE_SCORER_PORT_9100_TCP_ADDR=10.0.0.1", ""},
		{"link of another service", "PULSE_PROMETHEUS_PORT=tcp://10.0.0.1:9090", ""},
		{"test brokers", "PULSE_TEST_BROKERS=x", ""},
		{"vectors", "PULSE_PARITY_DIR=x", ""},
		{"no prefix", "PULSEX=1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.want == "" {
				mustLoad(t, tt.entry)
				return
			}
			got := faultsOf(t, NeedNothing, tt.entry)
			name, _, _ := strings.Cut(tt.entry, "=")
			if len(got) != 1 || got[0].Variable != name || !strings.Contains(got[0].Message, tt.want) {
				t.Errorf("faults = %v, want one on %s with %q", got, name, tt.want)
			}
		})
	}
}

func TestLoad_SecurityCombinations(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pem")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		environ []string
		want    []string // variables at fault
	}{
		{"TLS with a client certificate", []string{
			"PULSE_TLS=true", "PULSE_TLS_CA=" + file, "PULSE_TLS_CERT=" + file, "PULSE_TLS_KEY=" + file,
		}, nil},
		{"certificate without key", []string{"PULSE_TLS=true", "PULSE_TLS_CERT=" + file}, []string{"PULSE_TLS_KEY"}},
		{"key without certificate", []string{"PULSE_TLS=true", "PULSE_TLS_KEY=" + file}, []string{"PULSE_TLS_CERT"}},
		{"CA without TLS", []string{"PULSE_TLS_CA=" + file}, []string{"PULSE_TLS_CA"}},
		{"PLAIN", []string{"PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=u", "PULSE_SASL_PASSWORD=p"}, nil},
		{"SCRAM, password in a file", []string{"PULSE_SASL_MECHANISM=SCRAM-SHA-512", "PULSE_SASL_USERNAME=u", "PULSE_SASL_PASSWORD_FILE=" + file}, nil},
		{"SCRAM alone", []string{"PULSE_SASL_MECHANISM=SCRAM-SHA-256"}, []string{"PULSE_SASL_USERNAME", "PULSE_SASL_PASSWORD"}},
		{"two passwords", []string{
			"PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=u", "PULSE_SASL_PASSWORD=p", "PULSE_SASL_PASSWORD_FILE=" + file,
		}, []string{"PULSE_SASL_PASSWORD_FILE"}},
		{"user without mechanism", []string{"PULSE_SASL_USERNAME=u"}, []string{"PULSE_SASL_USERNAME"}},
		{"token", []string{"PULSE_SASL_MECHANISM=OAUTHBEARER", "PULSE_SASL_TOKEN_FILE=" + file}, nil},
		{"OAUTHBEARER without token", []string{"PULSE_SASL_MECHANISM=OAUTHBEARER"}, []string{"PULSE_SASL_TOKEN_FILE"}},
		{"OAUTHBEARER with user", []string{
			"PULSE_SASL_MECHANISM=OAUTHBEARER", "PULSE_SASL_TOKEN_FILE=" + file, "PULSE_SASL_USERNAME=u",
		}, []string{"PULSE_SASL_USERNAME"}},
		{"admin token", []string{"PULSE_ADMIN_TOKEN=t"}, nil},
		{"admin token in a file", []string{"PULSE_ADMIN_TOKEN_FILE=" + file}, nil},
		{"two admin tokens", []string{"PULSE_ADMIN_TOKEN=t", "PULSE_ADMIN_TOKEN_FILE=" + file}, []string{"PULSE_ADMIN_TOKEN_FILE"}},
		{"all at once", []string{
			"PULSE_TLS_CA=" + file, "PULSE_SASL_MECHANISM=SCRAM-SHA-256", "PULSE_SASL_TOKEN_FILE=" + file,
			"PULSE_ADMIN_TOKEN=t", "PULSE_ADMIN_TOKEN_FILE=" + file,
		}, []string{"PULSE_TLS_CA", "PULSE_SASL_TOKEN_FILE", "PULSE_SASL_USERNAME", "PULSE_SASL_PASSWORD", "PULSE_ADMIN_TOKEN_FILE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(tt.environ, NeedNothing)
			var all *Error
			errors.As(err, &all)
			var names []string
			if all != nil {
				for _, fault := range all.Faults {
					names = append(names, fault.Variable)
				}
			}
			if !reflect.DeepEqual(names, tt.want) {
				t.Errorf("faults on %q, want %q (%v)", names, tt.want, err)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "PULSE_SESSION_TIMEOUT=3s", "PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=u",
		"PULSE_SASL_PASSWORD=p", "OTEL_TRACES_EXPORTER=zipkin")
	var names []string
	for _, w := range c.Warnings() {
		names = append(names, w.Variable)
	}
	want := []string{"PULSE_SESSION_TIMEOUT", "PULSE_SASL_MECHANISM", "OTEL_TRACES_EXPORTER"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("warnings on %q, want %q", names, want)
	}
}

func TestTopics_DeriveFromInputAndGroup(t *testing.T) {
	t.Parallel()
	got := mustLoad(t, "PULSE_TOPIC_INPUT=in", "PULSE_GROUP=g", "PULSE_TOPIC_DLQ=dead").Topics()
	want := Topics{
		Input: "in", Output: "pulse.signals.scored", DLQ: "dead", State: "in.g.state", Models: "in.g.models",
		Retry: []string{"in.g.retry.1", "in.g.retry.2", "in.g.retry.3", "in.g.retry.4"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Topics() = %+v, want %+v", got, want)
	}
}

// A group is a free text for Kafka; the names derived from it are not.
func TestTopics_IllegalDerivedNameTellsItsOrigin(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"my group", strings.Repeat("g", 240)} {
		got := faultsOf(t, NeedNothing, "PULSE_GROUP="+group)
		if len(got) == 0 || !strings.Contains(got[0].Message, "PULSE_GROUP") {
			t.Errorf("group %q: faults = %v, want the origin named", group, got)
		}
	}
}

func TestLoad_ParityHasASourceOfItsOwn(t *testing.T) {
	t.Parallel()
	for source, environ := range map[string][]string{
		"unknown": nil,
		"celery":  {"PULSE_PROFILE=parity"},
		"mine":    {"PULSE_PROFILE=parity", "PULSE_DEFAULT_SOURCE=mine"},
	} {
		if got := mustLoad(t, environ...).DefaultSource; got != source {
			t.Errorf("%v: source %s, want %s", environ, got, source)
		}
	}
	mustLoad(t, "PULSE_PROFILE=parity", "PULSE_ANOMALY_THRESHOLD=3.5")
}

// Tracing is on when the standard variables name an exporter that there is.
func TestTracing_AsTheStandardVariablesSay(t *testing.T) {
	t.Parallel()
	const endpoint, http = "OTEL_EXPORTER_OTLP_ENDPOINT=http://x", "http/protobuf"
	for _, tt := range []struct {
		environ []string
		by      string
		warns   string
	}{
		{nil, "", ""},
		{[]string{endpoint}, http, ""},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://x"}, http, ""},
		{[]string{"OTEL_TRACES_EXPORTER=otlp"}, http, ""},
		{[]string{endpoint, "OTEL_TRACES_EXPORTER=none"}, "", ""},
		{[]string{endpoint, "OTEL_SDK_DISABLED=TRUE"}, "", ""},
		{[]string{endpoint, "OTEL_TRACES_EXPORTER=console"}, "", "OTEL_TRACES_EXPORTER"},
		{[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "grpc", ""},
		{[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc"}, "grpc", ""},
		{[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=http/json"}, "", "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json"}, "", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"},
		{[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"}, http, ""},
		{[]string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "", ""},
	} {
		c := mustLoad(t, tt.environ...)
		warns := ""
		for _, w := range c.Warnings() {
			warns += w.Variable
		}
		if c.Tracing() != tt.by || warns != tt.warns {
			t.Errorf("%q: tracing by %q with warning %q, want %q with %q", tt.environ, c.Tracing(), warns, tt.by, tt.warns)
		}
	}
}

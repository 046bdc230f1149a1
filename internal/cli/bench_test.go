package cli

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/bench"
	"pulse-scorer/internal/devbroker"
)

// asProgram makes the test binary the program that it tests, in processes that bench
// starts.
const asProgram = "BENCH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return Main(ctx, Process{Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now})
}

// streams stands for the comparison on Kafka Streams, which needs a Java.
const streams = "testdata/streams.sh"

// withStreams is the environment in which it does something.
func withStreams(t *testing.T, b *devbroker.Broker, what string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append(at(b, asProgram+"=1"), "BENCH_TEST_PROGRAM="+self, "BENCH_TEST_STREAMS="+what, "PATH="+os.Getenv("PATH"))
}

func TestBench_MeasuresAllAndLeavesNothing(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	got := runWith(t.Context(), nil, withStreams(t, b, "works"), commands(),
		"bench", "--json", "--streams", streams, "--records", "3000", "--series", "20", "--partitions", "2", "--rounds", "2", "--rates", "100", "--seconds", "1",
		"--latency-rounds", "1", "--warm-up", "100ms")
	var report bench.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	if len(report.Rounds) != 2 || len(report.Felt) != 1 || len(report.Felt[0].Rounds) != 1 {
		t.Fatalf("report %+v", report)
	}
	for _, c := range []bench.Contestant{bench.Meter, bench.Service, bench.Transact, bench.Streams} {
		if one := report.Felt[0].Rounds[0][c]; one.P50 <= 0 || c != bench.Meter && one.Usage.User <= 0 {
			t.Errorf("latency of %s: %+v", c, one)
		}
	}
	requireRounds(t, &report)
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"service / copy", "service / transact", "100/s, meter", "service / streams",
		"100/s, service", "100/s, transact", "100/s, streams", "rounds: 2",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	if left := topicsOf(t, b); len(left) > 0 {
		t.Errorf("topics are left: %v", left)
	}
}

func requireRounds(t *testing.T, report *bench.Report) {
	t.Helper()
	for _, round := range report.Rounds {
		for _, c := range bench.Contestants() {
			if m := round[c]; m.Records != 3000 || m.Took <= 0 || m.Usage.User <= 0 || runtime.GOOS == "linux" && m.Usage.PeakBytes < 1<<20 {
				t.Errorf("%s: %+v", c, m)
			}
		}
	}
}

func TestBench_HasNoFigureWithoutAllTheResults(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{
		"loses": "results are not complete and unique: 0 of 990 are there",
		"ends":  "a process has ended before its work was done",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t)
			makeTopic(t, b, "elsewhere")
			got := runWith(t.Context(), nil, withStreams(t, b, what), commands(), "bench", "--streams", streams,
				"--without", "copy,service,transact", "--records", "1000", "--partitions", "2", "--rounds", "1", "--seconds", "0", "--warm-up", "0s")
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "round 1: streams: "+want) {
				t.Errorf("%+v, want %q", got, want)
			}
		})
	}
}

func makeTopic(t *testing.T, b *devbroker.Broker, name string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, name); err != nil {
		t.Fatal(err)
	}
}

func TestBench_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no such flag":           {[]string{"--fast"}, 2, "unknown flag"},
		"a stranger is left out": {[]string{"--without", "nobody"}, 2, `"nobody" is none of`},
		"too few records":        {[]string{"--records", "5"}, 2, "--records: 5 is less than 100"},
		"an impossible rate":     {[]string{"--rates", "0"}, 2, "--rates: 0 is less than 1"},
		"no such program":        {[]string{"--streams", "testdata/none.sh"}, 2, "--streams: exec: \"testdata/none.sh\": "},
		"no time":                {[]string{"--seconds", "-1"}, 2, "--seconds: -1s is less than a second"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runWith(t.Context(), nil, []string{"PULSE_BROKERS=127.0.0.1:1"}, commands(), append([]string{"bench"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.stderr, c.want) {
				t.Errorf("%+v, want %d and %q", got, c.code, c.want)
			}
		})
	}
}

func TestBench_RefusesASecuredCluster(t *testing.T) {
	t.Parallel()
	got := runWith(t.Context(), nil, []string{"PULSE_BROKERS=127.0.0.1:1", "PULSE_TLS=true"}, commands(), "bench")
	if got.code != 2 || !strings.Contains(got.stderr, "plain text only") {
		t.Errorf("%+v", got)
	}
}

func topicsOf(t *testing.T, b *devbroker.Broker) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return topics.Names()
}

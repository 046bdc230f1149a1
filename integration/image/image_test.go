//go:build integration && image

package image_test

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
)

const (
	// hangGuard covers the build of the binary with empty caches.
	hangGuard = 8 * time.Minute
	httpPort  = "9100/tcp"
	tag       = "pulse-scorer:integration"
	// nobody is the user of the image.
	nobody = "65532:65532"
)

// The image scores records beside a broker, without root and on a read-only file system, says by /readyz when it is ready, and ends
// with 0 when it is stopped.
func TestImage_ScoresWithoutRootOnAReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	build(ctx, t)
	kafka := kafkatest.Start(t)
	service := start(ctx, t, kafka)
	expectConfined(ctx, t, service)
	expectScored(ctx, t, kafka.Outside)
	expectStops(ctx, t, service)
}

func build(ctx context.Context, t *testing.T) {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, "../../deploy/image.sh", tag)
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("build the image: %v\n%s", err, stderr.String())
	}
}

// start runs the image as the chart and the compose file do.
func start(ctx context.Context, t *testing.T, kafka kafkatest.Network) *testcontainers.DockerContainer {
	t.Helper()
	service, err := testcontainers.Run(ctx, tag, kafka.Join("worker"),
		testcontainers.WithEnv(map[string]string{"PULSE_BROKERS": kafka.Inside}),
		testcontainers.WithExposedPorts(httpPort),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) {
			host.ReadonlyRootfs = true
			host.CapDrop = []string{"ALL"}
			host.SecurityOpt = []string{"no-new-privileges:true"}
		}),
		testcontainers.WithWaitStrategyAndDeadline(hangGuard, wait.ForAll(
			wait.ForHTTP("/readyz").WithPort(httpPort).WithStartupTimeout(hangGuard),
			wait.ForHealthCheck(), // the image's own
		)),
	)
	testcontainers.CleanupContainer(t, service)
	if err != nil {
		t.Fatalf("start the image: %v\n%s", err, logs(ctx, service))
	}
	return service
}

func logs(ctx context.Context, service *testcontainers.DockerContainer) string {
	if service == nil {
		return ""
	}
	reader, err := service.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func expectConfined(ctx context.Context, t *testing.T, service *testcontainers.DockerContainer) {
	t.Helper()
	is, err := service.Inspect(ctx)
	if err != nil {
		t.Fatalf("inspect the container: %v", err)
	}
	if is.Config.User != nobody || !is.HostConfig.ReadonlyRootfs || is.HostConfig.Privileged {
		t.Errorf("user %q, read-only %v, privileged %v", is.Config.User, is.HostConfig.ReadonlyRootfs, is.HostConfig.Privileged)
	}
	for command, want := range map[string]string{
		"/pulse-scorer version":               "pulse-scorer ",
		"/pulse-scorer lag":                   "pulse.signals",
		"/pulse-scorer dev --once --keep /in": "read-only file system",
		"/bin/sh -c true":                     "no such file or directory",
	} {
		if _, output, err := service.Exec(ctx, strings.Fields(command)); err != nil || !strings.Contains(text(t, output), want) {
			t.Errorf("%s: no %q: %v", command, want, err)
		}
	}
}

func text(t *testing.T, output io.Reader) string {
	t.Helper()
	all, err := io.ReadAll(output)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func expectScored(ctx context.Context, t *testing.T, brokers string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics("pulse.signals.scored"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const signals = 100
	records := make([]*kgo.Record, signals)
	for i := range records {
		value := []byte(`{"name":"a","value":` + strings.Repeat("1", i%9+1) + `,"id":"` + strings.Repeat("x", i+1) + `","source":"s"}`)
		records[i] = &kgo.Record{Topic: "pulse.signals", Key: []byte("a"), Value: value}
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	for n := 0; n < signals; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d results: %v", n, signals, err)
		}
		for _, r := range fetches.Records() {
			if n++; !strings.Contains(string(r.Value), `"schema":"pulse.result/1"`) {
				t.Errorf("result %s", r.Value)
			}
		}
	}
}

func expectStops(ctx context.Context, t *testing.T, service *testcontainers.DockerContainer) {
	t.Helper()
	grace := 30 * time.Second
	if err := service.Stop(ctx, &grace); err != nil {
		t.Fatalf("stop the container: %v", err)
	}
	is, err := service.Inspect(ctx)
	if err != nil || is.State.ExitCode != 0 || is.State.OOMKilled {
		t.Errorf("ended with %+v: %v\n%s", is.State, err, logs(ctx, service))
	}
}

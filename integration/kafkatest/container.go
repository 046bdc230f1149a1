//go:build integration

package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	// clientPort is where the broker listens for clients inside the container.
	clientPort = "9092/tcp"
	// startTimeout covers the pull of the official image (about 400 MB) on a slow line; the start itself takes seconds.
	startTimeout = 10 * time.Minute
	// readyTimeout covers the broker's start on two busy cores; 4 s is usual.
	readyTimeout = 90 * time.Second
	// logTail is how much of the broker's log a failed test shows.
	logTail = 8 << 10
)

// The port under which the host reaches a container is known only when the container runs, but a broker must be told it before
// it starts. So the container's first process waits for a file with the address and then becomes the broker.
const (
	addressFile = "/tmp/pulse-advertised"
	waitAndRun  = `until [ -f ` + addressFile + ` ]; do sleep 0.05; done
KAFKA_ADVERTISED_LISTENERS="CLIENT://$(cat ` + addressFile + `),BROKER://${` + envInside + `:-localhost}:9094" exec /etc/kafka/docker/run`
	// envInside tells it the broker's name in a network of containers, when it has one.
	envInside = "PULSE_INSIDE_NAME"
)

// startContainer starts one broker and returns the address for clients on this machine.
func startContainer(t testing.TB, image string, options ...testcontainers.ContainerCustomizer) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if err := engineAnswers(ctx); err != nil {
		t.Fatalf("no container engine: %v\nstart one (integration/kafka/dockerd.sh up DIR does it by hand), "+
			"or name a running cluster in %s=host:port,…", err, envBrokers)
	}
	container, err := testcontainers.Run(ctx, image, append(options,
		testcontainers.WithExposedPorts(clientPort),
		testcontainers.WithEnv(settings()),
		testcontainers.WithEntrypoint("/bin/sh", "-c", waitAndRun),
	)...)
	testcontainers.CleanupContainer(t, container)
	if err != nil {
		t.Fatalf("start a container of %s: %v\nwhere the image cannot be pulled, build one with integration/kafka/image.sh "+
			"and name it in %s", image, err, envImage)
	}
	t.Cleanup(func() { showLogOfFailure(t, container) })
	address, err := advertise(ctx, container)
	if err != nil {
		t.Fatalf("start Kafka in %s: %v", image, err)
	}
	return address
}

// settings are the broker's, as the official image takes them: KAFKA_FOO_BAR sets foo.bar.
func settings() map[string]string {
	return map[string]string{
		"KAFKA_PROCESS_ROLES":             "broker,controller",
		"KAFKA_NODE_ID":                   "1",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":  "1@localhost:9093",
		"KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
		"KAFKA_LISTENERS":                 "CLIENT://:9092,CONTROLLER://:9093,BROKER://:9094",
		// A listener of its own for the broker's calls to itself: transaction markers go out over it, and the clients'
		// address, which is the host's, leads nowhere inside the container. TestBroker_CommitsATransaction holds this.
		"KAFKA_INTER_BROKER_LISTENER_NAME":                       "BROKER",
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":                   "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":                 "1",
		"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":                     "4",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":                    "1",
		"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":             "4",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR":         "1",
		"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR":            "1",
		"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":                 "0",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                        "false",
		"KAFKA_HEAP_OPTS":                                        "-Xms128m -Xmx512m",
	}
}

// engineAnswers tells whether a container engine can be used; without one the library reports it in a panic or an error.
func engineAnswers(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("find the container engine: %v", p)
		}
	}()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return fmt.Errorf("find the container engine: %w", err)
	}
	if err := errors.Join(provider.Health(ctx), provider.Close()); err != nil {
		return fmt.Errorf("ask the container engine: %w", err)
	}
	return nil
}

// advertise tells the waiting container its address and returns when the broker is up.
func advertise(ctx context.Context, container *testcontainers.DockerContainer) (string, error) {
	address, err := container.PortEndpoint(ctx, clientPort, "")
	if err != nil {
		return "", fmt.Errorf("ask for the published port: %w", err)
	}
	// Written aside and renamed: the container must never read half an address.
	write := fmt.Sprintf("printf %%s '%s' >%s.new && mv %s.new %s", address, addressFile, addressFile, addressFile)
	code, output, err := container.Exec(ctx, []string{"/bin/sh", "-c", write})
	if err != nil {
		return "", fmt.Errorf("write the address into the container: %w", err)
	}
	if code != 0 {
		text, _ := io.ReadAll(output)
		return "", fmt.Errorf("write the address into the container: exit %d: %s", code, text)
	}
	// The broker says this after the controller has let it in, so it takes requests from here on.
	ready := wait.ForLog("Kafka Server started").WithStartupTimeout(readyTimeout)
	if err := ready.WaitUntilReady(ctx, container); err != nil {
		return "", fmt.Errorf("wait for the broker: %w", err)
	}
	return address, nil
}

// showLogOfFailure puts the end of the broker's log into the output of a test that failed.
func showLogOfFailure(t testing.TB, container *testcontainers.DockerContainer) {
	t.Helper()
	if !t.Failed() {
		return
	}
	// The test's own context has ended by now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	logs, err := container.Logs(ctx)
	if err != nil {
		t.Logf("the broker's log cannot be read: %v", err)
		return
	}
	text, err := io.ReadAll(logs)
	if err := errors.Join(err, logs.Close()); err != nil {
		t.Logf("the broker's log cannot be read: %v", err)
	}
	t.Logf("end of the broker's log:\n%s", text[max(0, len(text)-logTail):])
}

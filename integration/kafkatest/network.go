//go:build integration

package kafkatest

import (
	"cmp"
	"os"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

// inside is the broker's name in a network of containers.
const inside = "kafka"

// Network is a broker in a network of its own, for tests that put other containers beside it.
type Network struct {
	// Inside is the broker's address for containers of the network, Outside for this machine.
	Inside, Outside string
	network         *testcontainers.DockerNetwork
}

// Start starts a broker in a container, in a new network; both end with the test. It always needs a container engine, whatever
// PULSE_TEST_BROKERS says.
func Start(t testing.TB) Network {
	t.Helper()
	image := cmp.Or(os.Getenv(envImage), defaultImage)
	if err := engineAnswers(t.Context()); err != nil {
		t.Fatalf("no container engine: %v; start one (integration/kafka/dockerd.sh up DIR does it by hand)", err)
	}
	made, err := network.New(t.Context())
	testcontainers.CleanupNetwork(t, made)
	if err != nil {
		t.Fatalf("make a network: %v", err)
	}
	outside := startContainer(t, image, network.WithNetwork([]string{inside}, made), testcontainers.WithEnv(map[string]string{envInside: inside}))
	t.Logf("real Kafka: %s from %s, in a network of its own", outside, image)
	return Network{Inside: inside + ":9094", Outside: outside, network: made}
}

// Join puts a container into the network, under a name.
func (n Network) Join(name string) testcontainers.CustomizeRequestOption {
	return network.WithNetwork([]string{name}, n.network)
}

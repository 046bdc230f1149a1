//go:build integration

package kafkatest

import (
	"cmp"
	"crypto/rand"
	"os"
	"strings"
	"testing"
)

// The variables of the environment that choose the Kafka; part of the public contract.
const (
	envBrokers = "PULSE_TEST_BROKERS"
	envImage   = "PULSE_TEST_KAFKA_IMAGE"
)

// defaultImage is the official image of the version whose jars integration/kafka/common.sh names.
const defaultImage = "apache/kafka:4.3.1"

// Brokers returns the bootstrap addresses (host:port) of a real Kafka. With PULSE_TEST_BROKERS they are that cluster's;
// otherwise each call starts a broker of its own in a container, which ends with the test, so call it once in a
// top-level test and share the answer with the subtests. Where neither is possible the test fails.
func Brokers(t testing.TB) []string {
	t.Helper()
	image := cmp.Or(os.Getenv(envImage), defaultImage)
	addresses, origin := splitAddresses(os.Getenv(envBrokers)), envBrokers
	if len(addresses) == 0 {
		addresses, origin = []string{startContainer(t, image)}, image
	}
	// make integration looks for this line: it is the proof that the suite had a Kafka.
	t.Logf("real Kafka: %s from %s", strings.Join(addresses, ","), origin)
	return addresses
}

// Name returns a name for a topic or a group that no other test run has used, because a cluster given from outside keeps
// what earlier runs left.
func Name(prefix string) string {
	return prefix + "-" + strings.ToLower(rand.Text()[:10])
}

// splitAddresses splits a comma-separated list and drops blanks and empty parts.
func splitAddresses(list string) []string {
	var addresses []string
	for part := range strings.SplitSeq(list, ",") {
		if address := strings.TrimSpace(part); address != "" {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

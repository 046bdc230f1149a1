//go:build integration

package controls_test

import (
	"slices"
	"strings"
	"testing"

	"pulse-scorer/integration/kafkatest"
)

// Every guard that a broker can tell from its absence is missed on a real Kafka,
// too: there fencing is for good, and stable offsets are each partition's own.
func TestControls_OnARealKafka(t *testing.T) { //nolint:tparallel // a gate decides how many run at once (prove)
	t.Parallel()
	brokers := kafkatest.Brokers(t)
	b := &bench{
		broker: "a real Kafka", dir: "integration", env: []string{"PULSE_TEST_BROKERS=" + strings.Join(brokers, ",")},
		tests: func(c control) []string {
			return slices.Concat(under("TestEngine_OnARealKafka", c.cases), under("TestFaults_EachRequest", c.faults))
		},
	}
	b.build(t, "integration,controls")
	b.prove(t)
}

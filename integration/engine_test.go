//go:build integration

package integration_test

import (
	"testing"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/broker/brokertest"
)

// The engine's suite on a real Kafka with the broker's default transaction time-outs, where every promise must hold.
func TestEngine_OnARealKafka(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, brokertest.Cluster{
		Brokers:       kafkatest.Brokers(t),
		FencesForGood: true, KeepsStaticMembers: true, AnswersConcurrentTransactions: true,
	})
}

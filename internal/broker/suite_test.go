package broker_test

import (
	"testing"

	"pulse-scorer/internal/broker/brokertest"
	"pulse-scorer/internal/devbroker"
)

// The suite on the embedded broker. What that one cannot tell is left to the
// real one (integration).
func TestEngine_OnTheEmbeddedBroker(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	brokertest.Run(t, brokertest.Cluster{Brokers: b.Addrs()})
}

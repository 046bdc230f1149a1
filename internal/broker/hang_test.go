package broker_test

import (
	"context"
	"testing"

	"pulse-scorer/internal/broker/faultnet"
)

// A heartbeat without answer used to wait for the whole session, so that its
// repetition came to a group that had just given the tasks away.
func TestMember_StaysWhenAHeartbeatHangs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	lab := newFaultLab(t)
	network := faultnet.New(faultnet.Fault{API: faultnet.Heartbeat, Occurrence: 3, Kind: faultnet.StallAnswer})
	stop := lab.serve(ctx, t, network)
	lab.produce(ctx, t, network)
	lab.awaitCommitted(ctx, t)
	if !network.Over() {
		t.Fatal("the fault did not happen")
	}
	families, err := lab.registry.Gather()
	if err != nil {
		t.Fatalf("gather metrics: %v", err)
	}
	for _, family := range families {
		if got := family.GetMetric()[0].GetCounter().GetValue(); family.GetName() == "pulse_rebalances_total" && got != 1 {
			t.Errorf("%v assignments after a heartbeat that hung, want the first one only", got)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("engine ended with %v, want nil", err)
	}
}

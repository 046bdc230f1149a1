package broker_test

import (
	"context"
	"testing"

	"pulse-scorer/internal/broker/faultnet"
)

// A backlog gives transactions whose outputs fill more than one batch a
// partition, which go out in several Produce requests on one connection. The
// second once overwrote the first: the broker got one request, the engine waited
// for two answers, and a partition with a backlog stood still for good.
func TestProduce_SeveralBatchesForAPartition(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	lab := newFaultLab(t)
	ids := make(map[string]bool)
	for round := range 200 {
		if err := lab.client.ProduceSync(ctx, lab.round(round, ids)...).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
	}
	stop := lab.serve(ctx, t, faultnet.New(faultnet.Fault{API: -1}))
	lab.awaitCommitted(ctx, t)
	if err := stop(); err != nil {
		t.Errorf("engine ended with %v, want nil", err)
	}
	lab.expectOnceEach(ctx, t, ids)
}

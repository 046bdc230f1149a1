package broker_test

import (
	"context"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// EndTxn had to be sent twice. The broker may work off the one that it refused at
// first once more, when the next transaction is open already: the producer gets a
// new epoch before it opens one, so that a late EndTxn is refused.
func TestCommitter_GetsANewEpochAfterARepeatedEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lab, cluster := newControlledLab(t)
	var mu sync.Mutex
	var order []string // of requests since the refusal
	refuse := false
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		if len(order) > 0 {
			order = append(order, what)
		}
	}
	cluster.ControlKey(kmsg.EndTxn.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		note("end")
		mu.Lock()
		defer mu.Unlock()
		if !refuse {
			return nil, nil, false //nolint:nilnil // kfake: not handled here
		}
		refuse, order = false, []string{"refused"}
		res, _ := r.ResponseKind().(*kmsg.EndTxnResponse)
		res.ErrorCode = kerr.ConcurrentTransactions.Code
		return res, nil, true
	})
	for name, api := range map[string]kmsg.Key{"init": kmsg.InitProducerID, "add": kmsg.AddPartitionsToTxn} {
		cluster.ControlKey(api.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			note(name)
			return nil, nil, false //nolint:nilnil // kfake: not handled here
		})
	}
	lab.run(ctx, t)
	ids := make(map[string]bool)
	for round := range 3 {
		lab.send(ctx, t, lab.round(round, ids)...)
		lab.awaitCommitted(ctx, t)
		mu.Lock()
		refuse = round == 0 // the transaction of the second round
		mu.Unlock()
	}
	mu.Lock()
	defer mu.Unlock()
	if len(order) < 4 || order[1] != "end" || order[2] != "init" || order[3] != "add" {
		t.Errorf("requests after an EndTxn that was refused: %q, want it again, then InitProducerID, then AddPartitionsToTxn", order)
	}
}

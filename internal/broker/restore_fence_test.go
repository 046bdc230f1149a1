package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker"
)

// Somebody's open transaction holds a state back while it is restored, and we are
// not allowed to fence whoever it is. That was logged every two seconds for ever;
// it needs a person, as it does wherever else it happens.
func TestRestore_EndsWhenItIsNotAllowedToFence(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	lab, cluster := newControlledLab(t)
	first, stop := context.WithCancel(ctx)
	ended := lab.run(first, t)
	lab.send(ctx, t, lab.round(0, make(map[string]bool))...)
	lab.awaitCommitted(ctx, t)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	const holder = faultGroup + "-holder"
	open, err := kgo.NewClient(kgo.SeedBrokers(lab.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(holder))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	record := &kgo.Record{
		Topic: lab.topics.State, Key: []byte("\x00claim"),
		Value: fmt.Appendf(nil, `{"v":1,"owner":%q,"next":{%q:0}}`, holder, lab.topics.Input),
	}
	if err := open.ProduceSync(ctx, record).FirstErr(); err != nil {
		t.Fatalf("open a transaction on the state: %v", err)
	}
	// Until the state is read, its holder seems to be fenced; the transaction stays
	// open all the same.
	var restoring, refused atomic.Bool
	state := lab.topicIDs(ctx, t)[lab.topics.State]
	cluster.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, _ := r.(*kmsg.FetchRequest)
		if len(req.Topics) == 1 && req.Topics[0].TopicID == state && req.IsolationLevel == 1 {
			restoring.Store(true)
		}
		return nil, nil, false //nolint:nilnil // kfake: not handled here
	})
	cluster.ControlKey(kmsg.InitProducerID.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, _ := r.(*kmsg.InitProducerIDRequest)
		if req.TransactionalID == nil || *req.TransactionalID != holder {
			return nil, nil, false //nolint:nilnil // kfake: not handled here
		}
		res, _ := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		if restoring.Load() {
			refused.Store(true)
			res.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		}
		return res, nil, true
	})
	err = <-lab.run(ctx, t)
	if !refused.Load() {
		t.Fatalf("ended with %v before the restore had to fence anybody: the fault has not fired", err)
	}
	if !errors.Is(err, broker.ErrFatal) || !strings.Contains(err.Error(), kerr.TransactionalIDAuthorizationFailed.Message) {
		t.Errorf("ended with %v, want a fatal %s", err, kerr.TransactionalIDAuthorizationFailed.Message)
	}
}

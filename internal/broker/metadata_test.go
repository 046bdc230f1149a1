package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/batch"
)

// hide has a cluster answer questions about leaders as one does whose ACLs for a topic
// were taken away.
func hide(t *testing.T, cluster *kfake.Cluster, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	known, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	cluster.ControlKey(kmsg.Metadata.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		res, _ := r.ResponseKind().(*kmsg.MetadataResponse)
		res.Brokers, res.ControllerID = known.Brokers, known.ControllerID
		for _, one := range known.Topics {
			if *one.Topic == topic {
				one = kmsg.MetadataResponseTopic{Topic: one.Topic, ErrorCode: kerr.TopicAuthorizationFailed.Code}
			}
			res.Topics = append(res.Topics, one)
		}
		return res, nil, true
	})
}

// A topic that we may not look at any more has no leader that is away for a while: whoever
// waits for one, to find out what became of a transaction, would wait for ever.
func TestLeader_OfATopicThatIsDenied(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in", "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := newCluster(Connection{Brokers: fake.ListenAddrs()}, "g", Topology{Input: "in", Results: "out"}, mem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.close)
	out := topicPartition{"out", 0}
	if s, err := cl.spanOf(t.Context(), out); err != nil || s == leaderless {
		t.Fatalf("before: %v, %v", s, err)
	}
	hide(t, fake, "out")
	if err := cl.lookUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := cl.leader("in", 0); err != nil {
		t.Errorf("a topic that is not denied: %v", err)
	}
	if _, err := cl.leaderNow(t.Context(), "out", 0); !denied(err) {
		t.Errorf("the leader of a topic that is denied: %v, want what is not allowed", err)
	}
	if s, err := cl.spanOf(t.Context(), out); !denied(err) {
		t.Errorf("what is open in it: %v, %v, want what is not allowed", s, err)
	}
}

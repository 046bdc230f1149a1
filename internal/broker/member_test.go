package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/devbroker"
)

// guard is far over what a busy machine needs: only what hangs reaches it.
const guard = 3 * time.Minute

// longSession is the longest that brokers allow by default.
const longSession = 5 * time.Minute

// holes are connections that swallow what they are told to.
type holes struct {
	mu      sync.Mutex
	swallow map[wire.APIKey]int // how many more requests of it
	seen    map[wire.APIKey]int
	fired   int
}

type holedConn struct {
	net.Conn

	holes *holes
}

func (h *holes) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return &holedConn{Conn: conn, holes: h}, err
}

// Write loses a request without a word: the connection stays open and silent.
func (c *holedConn) Write(b []byte) (int, error) {
	const apiAt = 4
	if len(b) >= apiAt+2 {
		api := wire.APIKey(binary.BigEndian.Uint16(b[apiAt:]))
		c.holes.mu.Lock()
		c.holes.seen[api]++
		lose := c.holes.swallow[api] > 0
		if lose {
			c.holes.swallow[api]--
			c.holes.fired++
		}
		c.holes.mu.Unlock()
		if lose {
			return len(b), nil
		}
	}
	return c.Conn.Write(b)
}

// embeddedCluster is a cluster of the group "g" on an embedded broker. A nil dial is
// the usual one.
func embeddedCluster(t *testing.T, topology Topology, dial func(ctx context.Context, network, address string) (net.Conn, error),
	topics ...devbroker.Topic,
) (*cluster, []string) {
	t.Helper()
	b, err := devbroker.Start(devbroker.Settings{Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	mem, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCluster(Connection{Brokers: b.Addrs(), ClientID: "test", Dial: dial}, "g", topology, mem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c, b.Addrs()
}

// newMemberLab is a member of the group "g" on an embedded broker. Its session is
// far longer than the guard: what waits for it hangs.
func newMemberLab(t *testing.T, h *holes) (*member, *kgo.Client) {
	t.Helper()
	c, addrs := embeddedCluster(t, Topology{Input: "in"}, h.dial, devbroker.Topic{Name: "in", Partitions: 4})
	m := newMember(c, Settings{Group: "g", SessionTimeout: longSession, HeartbeatInterval: 20 * time.Millisecond},
		slog.New(slog.NewTextHandler(t.Output(), nil)), newMetrics(prometheus.NewRegistry()), time.Now)
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return m, client
}

func newHoles() *holes {
	return &holes{swallow: make(map[wire.APIKey]int), seen: make(map[wire.APIKey]int)}
}

func (h *holes) set(api wire.APIKey, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.swallow[api] = n
}

func (h *holes) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fired
}

func awaitGeneration(ctx context.Context, t *testing.T, m *member) *generation {
	t.Helper()
	select {
	case g := <-m.generations:
		return g
	case <-ctx.Done():
		t.Fatal("no assignment: the member waits for an answer that cannot come")
		return nil
	}
}

// strangerJoins has another member join the group, which makes everybody join.
func strangerJoins(ctx context.Context, t *testing.T, client *kgo.Client) (id string) {
	t.Helper()
	sub := wire.Subscription{Topics: []string{"in"}, UserData: encodeMetadata(memberMetadata{Version: 1, TxnID: "g-stranger"})}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "g", "consumer", 300_000, 300_000
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: protocolName, Metadata: sub.Append(nil)}}
	for {
		res, err := req.RequestWith(ctx, client)
		if err != nil {
			t.Fatalf("stranger: %v", err)
		}
		req.MemberID = res.MemberID
		if res.ErrorCode == 0 {
			return res.MemberID
		}
		if code := wire.ErrorCode(res.ErrorCode); code != wire.MemberIDRequired {
			t.Fatalf("stranger: %v", code)
		}
	}
}

// Requests of a join, and their answers, were lost in a connection that hung. The
// member waited for each as long as for a session and more, and so did everybody
// else in the group, and the takeover of its tasks.
func TestMember_JoinsAnewWhenAJoinIsLost(t *testing.T) {
	t.Parallel()
	for _, api := range []wire.APIKey{wire.JoinGroup, wire.FindCoordinator} {
		t.Run(api.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), guard)
			defer cancel()
			h := newHoles()
			m, client := newMemberLab(t, h)
			h.set(api, 1)
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() { _ = m.run(ctx) })
			if g := awaitGeneration(ctx, t, m); len(g.tasks) != 4 || h.count() != 1 {
				t.Fatalf("tasks %v after %d lost requests, want all after 1", g.tasks, h.count())
			}
			h.set(wire.JoinGroup, 2)
			running.Go(func() { strangerJoins(ctx, t, client) })
			// The stranger never syncs, so the assignment comes from the member itself,
			// which leads.
			if g := awaitGeneration(ctx, t, m); len(g.tasks) != 2 || h.count() != 3 {
				t.Errorf("tasks %v after %d lost requests, want two after 3", g.tasks, h.count())
			}
		})
	}
}

// The service was stopped while its first join waited for others. It was a member
// all the same, and its tasks were with nobody until its session was over.
func TestMember_LeavesWhileItJoins(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), guard)
	defer cancel()
	h := newHoles()
	m, client := newMemberLab(t, h)
	id := strangerJoins(ctx, t, client)
	if err := syncStranger(ctx, client, id); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- m.run(ctx) }()
	awaitMembers(ctx, t, client, 2) // the stranger does not join again, so the join waits
	if err := m.leave(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the member ended with %v, want nil", err)
	}
	if m.generation() != nil {
		t.Fatal("the join was answered: this test shows nothing")
	}
	awaitMembers(ctx, t, client, 1)
}

func syncStranger(ctx context.Context, client *kgo.Client, id string) error {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = "g", id, 1
	req.ProtocolType, req.Protocol = new("consumer"), new(protocolName)
	req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: id}}
	res, err := req.RequestWith(ctx, client)
	if err == nil {
		err = wire.ErrorCode(res.ErrorCode).Err()
	}
	return err
}

func awaitMembers(ctx context.Context, t *testing.T, client *kgo.Client, want int) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for got := -1; got != want; {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{"g"}
		res, err := req.RequestWith(ctx, client)
		if err != nil {
			t.Fatalf("describe the group: %v; it has %d members, want %d", err, got, want)
		}
		got = len(res.Groups[0].Members)
		<-ticker.C
	}
}

// A static member was expelled and has joined again under another member ID, while
// a heartbeat of its own for the first one hung in a connection. FENCED_INSTANCE_ID
// is the answer, as if another process had replaced it, and the service stopped.
func TestMember_OwnLateHeartbeatDoesNotReplaceIt(t *testing.T) {
	t.Parallel()
	first, second := &generation{id: 4, memberID: "i-1"}, &generation{id: 6, memberID: "i-2"}
	for _, c := range []struct {
		name  string
		after *generation // in hand when the answer comes
		want  error
	}{
		{"joined again meanwhile", second, errNotJoined},
		{"joining again", nil, errNotJoined},
		{"replaced", first, wire.FencedInstanceID},
		{"replaced, in a later generation of the same member", &generation{id: 5, memberID: "i-1"}, wire.FencedInstanceID},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMember(&cluster{}, Settings{Group: "g", InstanceID: "i", SessionTimeout: guard}, slog.New(slog.DiscardHandler), nil, time.Now)
			m.publish(first)
			m.beat = func(context.Context, fence) error {
				m.publish(c.after)
				return wire.FencedInstanceID
			}
			if err := m.check(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// What changes nothing is asked again on another connection after a short while.
func TestCluster_LookUpsAreShort(t *testing.T) {
	t.Parallel()
	for _, api := range []wire.APIKey{wire.FindCoordinator, wire.Metadata, wire.ListOffsets, wire.OffsetFetch} {
		for _, limit := range []time.Duration{time.Second, time.Hour} {
			isShort(t, api, limit)
		}
	}
	patient, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if ctx, end := bounded(patient, int16(wire.JoinGroup)); ctx != patient {
		end()
		t.Error("a request that waits for others is cut short")
	}
}

func isShort(t *testing.T, api wire.APIKey, limit time.Duration) {
	t.Helper()
	given, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	short, end := bounded(given, int16(api))
	defer end()
	if at, ok := short.Deadline(); !ok || time.Until(at) > lookUpTimeout {
		t.Errorf("%v with a context of %v: the deadline is in %v, want %v at most", api, limit, time.Until(at), lookUpTimeout)
	}
}

// The count comes from the member (simulation, seed 233: it did not, and three
// members asked in turn for ever).
func TestMember_CountsJoinsThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	c, _ := embeddedCluster(t, Topology{Input: "in"}, newHoles().dial, devbroker.Topic{Name: "in", Partitions: 1})
	m := newMember(c, Settings{Group: "g", SessionTimeout: time.Millisecond}, slog.New(slog.DiscardHandler),
		newMetrics(prometheus.NewRegistry()), time.Now)
	ended, end := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), errJoinTimeout)
	defer end()
	for want := range 3 {
		if got := m.request().unanswered; got != want {
			t.Fatalf("after %d unanswered joins the request says %d", want, got)
		}
		if err := m.join(ended); !unanswered(err) {
			t.Fatalf("the join was not to be answered: %v", err)
		}
	}
}

func TestJoinPatience_DoublesWhileNobodyAnswers(t *testing.T) {
	t.Parallel()
	const session = 10 * time.Second
	last := func(unanswered int) time.Duration { return joinPatience(joinTries, unanswered, session) }
	for unanswered, want := range []time.Duration{12 * time.Second, 22 * time.Second, 42 * time.Second, 82 * time.Second, 82 * time.Second} {
		if got := last(unanswered); got != want {
			t.Errorf("after %d unanswered joins the last try waits %s, want %s", unanswered, got, want)
		}
		if got := joinPatience(1, unanswered, session); got != 2*time.Second {
			t.Errorf("after %d unanswered joins the first try waits %s, want 2s", unanswered, got)
		}
	}
}

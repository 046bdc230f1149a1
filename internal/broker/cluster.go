package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/pipeline"
)

// cluster speaks to the brokers. kafka-go's Transport keeps connections, which
// package auth secures, and routes by broker ID; requests and answers are our own (exchange).
// Its coordinators and leaders are looked up once and kept until an answer
// says that they have moved: kafka-go asks again for every request.
type cluster struct {
	transport *kafka.Transport
	addr      net.Addr
	clientID  string
	group     string
	topology  Topology
	memory    *memory
	parks     bool // see Settings
	// onAnswer is called whenever a broker has answered.
	onAnswer func()

	// stale asks for the leaders to be looked up again.
	stale chan struct{}

	correlation atomic.Int32

	// view are the brokers that the client knew at its last request: the ones that
	// it can reach. The map is kafka-go's, which makes a new one at each look.
	view atomic.Pointer[map[int32]protocol.Broker]

	mu           sync.Mutex // guards the caches
	leaders      map[topicPartition]int32
	epochs       map[topicPartition]int32 // of the leaders
	counts       map[string]int32         // partitions by topic
	denied       map[string]error         // topics that we may not look at
	ids          map[string]wire.TopicID  // by topic, of those that exist now
	coordinators map[coordinatorKey]int32
}

type coordinatorKey struct {
	kind wire.CoordinatorType
	key  string
}

// metadataTTL is how long kafka-go keeps its own view of the brokers, which it
// needs for routing. Leaders are looked up by us, when an answer says that
// they have moved.
const metadataTTL = time.Second

func newCluster(conn Connection, group string, topology Topology, m *memory) (*cluster, error) {
	if len(conn.Brokers) == 0 {
		return nil, errors.New("PULSE_BROKERS: is empty: give host:port of at least one broker")
	}
	return &cluster{
		transport: &kafka.Transport{
			Dial: conn.Dial, ClientID: conn.ClientID,
			DialTimeout: dialTimeout, MetadataTTL: metadataTTL,
			// Without it the periodic refresh decodes every topic there is.
			MetadataTopics: []string{topology.Input},
		},
		addr:     kafka.TCP(conn.Brokers...),
		clientID: conn.ClientID, group: group, topology: topology, memory: m, onAnswer: func() {},
		stale:        make(chan struct{}, 1),
		leaders:      make(map[topicPartition]int32),
		epochs:       make(map[topicPartition]int32),
		counts:       make(map[string]int32),
		denied:       make(map[string]error),
		ids:          make(map[string]wire.TopicID),
		coordinators: make(map[coordinatorKey]int32),
	}, nil
}

const dialTimeout = 5 * time.Second

// requestTimeout is for a broker that has stopped answering; a context may have
// less patience, or, for JoinGroup, more.
const requestTimeout = 10 * time.Second

// lookUpTimeout is for requests that change nothing and that a broker answers
// from what it has at hand. A connection that hangs costs no more than that
// before the question is asked on another (TestCluster_LookUpsAreShort).
const lookUpTimeout = 3 * time.Second

// patience is how long an answer may take.
func patience(api int16) time.Duration {
	if slices.Contains([]wire.APIKey{wire.FindCoordinator, wire.Metadata, wire.ListOffsets, wire.OffsetFetch}, wire.APIKey(api)) {
		return lookUpTimeout
	}
	return requestTimeout
}

var errRequestTimeout = errors.New("not answered within")

// bounded makes sure that ctx has a deadline.
func bounded(ctx context.Context, api int16) (context.Context, context.CancelFunc) {
	limit := patience(api)
	if _, ok := ctx.Deadline(); ok && limit == requestTimeout {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w %v", errRequestTimeout, limit))
}

func (c *cluster) close() { c.transport.CloseIdleConnections() }

// topic names the topic of a destination.
func (t Topology) topic(to pipeline.Destination) string {
	switch to {
	case pipeline.Results:
		return t.Results
	case pipeline.DeadLetters:
		return t.DeadLetters
	case pipeline.State:
		return t.State
	case pipeline.Destinations: // is none
	}
	if tier := to.Tier(); tier > 0 && tier <= len(t.Retry) {
		return t.Retry[tier-1].Topic
	}
	panic(fmt.Sprintf("destination %d has no topic", to))
}

// usualFrame is room for most requests but Produce, so that they need not grow.
const usualFrame = 512

// do sends one request to one broker and decodes the answer. An error of type
// wire.ErrorCode comes from the callers, which look into the answer; every
// error from here means that nobody knows what the broker has done.
func (c *cluster) do(ctx context.Context, node int32, req wire.Request, res wire.Response) error {
	id := c.correlation.Add(1)
	answers, err := c.send(ctx, &exchange{
		api: int16(req.API()), node: node, count: 1,
		frames: [][]byte{req.Append(make([]byte, 0, usualFrame), id, c.clientID)},
	})
	if err == nil {
		err = res.Decode(id, answers[0])
	}
	if err != nil {
		return fmt.Errorf("%v: %w", req.API(), err)
	}
	return nil
}

// send sends request frames to one broker and returns the payloads of the
// answers. It never waits without end (TestCluster_EveryRequestHasADeadline).
func (c *cluster) send(ctx context.Context, x *exchange) ([][]byte, error) {
	ctx, cancel := bounded(ctx, x.api)
	defer cancel()
	var err error
	if x.node == anyNode {
		_, err = c.transport.RoundTrip(ctx, c.addr, x)
	} else {
		_, err = c.transport.RoundTrip(ctx, c.addr, routed{x, &c.view})
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
			return nil, cause
		}
		return nil, bare(fmt.Errorf("exchange: %w", err))
	}
	c.onAnswer()
	return x.answers, nil
}

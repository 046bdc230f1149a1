//go:build integration

package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// nodes are a cluster of brokers, each a controller too, started from their jars on
// this machine (kafka/up.sh): three replicas of everything, two in sync needed,
// all time-outs the broker's defaults.
type nodes struct {
	dir         string
	port, count int
	client      *kgo.Client
}

const (
	brokerNodes  = 3
	linksPerNode = 4
)

// startNodes starts a cluster that ends with the test. It fails where that cannot
// be done; the script says what is missing. The brokers' data of a red test are among
// its artifacts (go test -artifacts): what became of a lost record is told by them.
func startNodes(ctx context.Context, t *testing.T) *nodes {
	t.Helper()
	return startSomeNodes(ctx, t, brokerNodes)
}

// startSomeNodes starts a cluster of so many nodes.
func startSomeNodes(ctx context.Context, t *testing.T, count int) *nodes {
	t.Helper()
	n := &nodes{dir: filepath.Join(t.ArtifactDir(), "nodes"), port: freePorts(t), count: count}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		down := []string{n.dir}
		if !t.Failed() {
			down = append(down, "--wipe")
		}
		out, err := exec.CommandContext(context.WithoutCancel(ctx), "kafka/down.sh", down...).CombinedOutput()
		if err != nil {
			t.Errorf("stop the cluster: %v\n%s", err, out)
		}
	})
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		t.Fatalf("directory of the cluster: %v", err)
	}
	if err := n.start(ctx); err != nil {
		t.Fatalf("start a cluster of %d nodes: %v", n.count, err)
	}
	// make integration looks for this line: it is the proof that the test had a Kafka.
	t.Logf("real Kafka: %s, %d nodes from their jars", strings.Join(n.addresses(), ","), n.count)
	var err error
	if n.client, err = kgo.NewClient(kgo.SeedBrokers(n.addresses()...)); err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(n.client.Close)
	return n
}

// nextPorts is where freePorts goes on: a block is given to one test only, which
// stops and starts its brokers.
var nextPorts atomic.Int64

// freePorts finds a block of ports for a cluster. They are outside of the kernel's
// ephemeral range: a client that dials a broker that is down could get the very port.
func freePorts(t *testing.T) int {
	t.Helper()
	const first, step, last = 20400, 200, 30000
	for {
		port := first + step*int(nextPorts.Add(1)-1)
		if port >= last {
			t.Fatalf("no free block of ports from %d to %d", first, last)
		}
		if slices.IndexFunc([]int{0, 1, 2, 10, 11, 12, 20, 30, 40, 50, 51, 52, 60, 70, 80, 100, 101, 102}, func(i int) bool {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i))) //nolint:noctx // closed at once
			if err == nil {
				_ = l.Close()
			}
			return err != nil
		}) < 0 {
			return port
		}
	}
}

func (n *nodes) at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port+port)) }

// The addresses are as kafka/up.sh lays them out.
func (n *nodes) listening(slot, node int) string  { return n.at(10 + 10*slot + node) }
func (n *nodes) advertised(slot, node int) string { return n.at(50 + 10*slot + node) }

// addresses are the brokers' own, without a link between.
func (n *nodes) addresses() []string {
	var all []string
	for i := range n.count {
		all = append(all, n.at(i))
	}
	return all
}

// start starts the nodes that do not run, and returns when all are up.
func (n *nodes) start(ctx context.Context) error {
	up := exec.CommandContext(ctx, "kafka/up.sh", n.dir, strconv.Itoa(n.port), strconv.Itoa(n.count))
	up.Env = append(os.Environ(), "KAFKA_LINKS="+strconv.Itoa(linksPerNode))
	// Into a file: the brokers outlive the script and would keep a pipe open.
	log, err := os.Create(filepath.Join(n.dir, "up.log"))
	if err != nil {
		return fmt.Errorf("log of kafka/up.sh: %w", err)
	}
	defer func() { _ = log.Close() }()
	up.Stdout, up.Stderr = log, log
	if err := up.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("kafka/up.sh: %w\n%s", err, said)
	}
	return nil
}

// kill ends a node without a chance to clean up, and returns when it is gone.
func (n *nodes) kill(ctx context.Context, node int) (pid int, err error) {
	text, err := os.ReadFile(filepath.Join(n.dir, fmt.Sprintf("node-%d", node), "pid"))
	if err == nil {
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		return 0, fmt.Errorf("process of node %d: %w", node, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return 0, fmt.Errorf("kill node %d, process %d: %w", node, pid, err)
	}
	return pid, n.awaitGone(ctx, node, pid)
}

// awaitGone returns when a node's process has ended.
func (n *nodes) awaitGone(ctx context.Context, node, pid int) error {
	return until(ctx, "the broker is gone", func() error {
		// Who waits to be reaped has no command line any more.
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(line) > 0 {
			return fmt.Errorf("process %d still runs", pid)
		}
		// A process that ends loses its command line before its sockets, and the next
		// start would find the port taken.
		if c, err := net.Dial("tcp", n.at(node)); err == nil { //nolint:noctx // loopback answers at once
			_ = c.Close()
			return fmt.Errorf("node %d still listens", node)
		}
		return nil
	})
}

// until asks again and again until there is no error; then, or when ctx has ended,
// it returns.
func until(ctx context.Context, what string, ask func() error) error {
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), err)
		}
	}
}

// place is where a partition is.
type place struct {
	topic     string
	partition int32
}

type placing struct {
	leader, epoch int32
	replicas, isr []int32
}

// internal topics of the broker, which have leaders that matter as well: they are
// the coordinators.
var internal = []string{"__consumer_offsets", "__transaction_state"}

// placings asks where all partitions of topics are.
func (n *nodes) placings(ctx context.Context, topics []string) (map[place]placing, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = &topic
		req.Topics = append(req.Topics, one)
	}
	res, err := req.RequestWith(ctx, n.client)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	found := make(map[place]placing)
	for _, topic := range res.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, fmt.Errorf("metadata of %s: %w", *topic.Topic, err)
		}
		for _, p := range topic.Partitions {
			found[place{*topic.Topic, p.Partition}] = placing{leader: p.Leader, epoch: p.LeaderEpoch, replicas: p.Replicas, isr: p.ISR}
		}
	}
	return found, nil
}

// awaitInSync waits until every partition has a leader and all replicas are in
// sync: only then the cluster can lose a node again.
func (n *nodes) awaitInSync(ctx context.Context, topics []string) error {
	return until(ctx, "all replicas in sync", func() error {
		found, err := n.placings(ctx, topics)
		if err != nil {
			return err
		}
		for at, p := range found {
			if p.leader < 0 || len(p.isr) < n.count {
				return fmt.Errorf("%s-%d: leader %d, in sync %v", at.topic, at.partition, p.leader, p.isr)
			}
		}
		return nil
	})
}

// coordinator asks for the node that is responsible for a group or a transactional
// ID.
func (n *nodes) coordinator(ctx context.Context, kind int8, key string) (node int, err error) {
	err = until(ctx, "coordinator of "+key, func() error {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = kind, key, []string{key}
		res, err := req.RequestWith(ctx, n.client)
		switch {
		case err != nil:
			return err
		case len(res.Coordinators) != 1:
			return fmt.Errorf("%d coordinators", len(res.Coordinators))
		}
		node = int(res.Coordinators[0].NodeID)
		return kerr.ErrorForCode(res.Coordinators[0].ErrorCode)
	})
	return node, err
}

// moveLeaders gives all partitions of some topics another leader, with the order of
// the replicas changed and a preferred election. It returns how many have moved,
// which it has seen.
func (n *nodes) moveLeaders(ctx context.Context, topics []string, by int) (int, error) {
	before, err := n.placings(ctx, topics)
	if err != nil {
		return 0, err
	}
	wanted := make(map[place]int32)
	order := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	elect := kmsg.NewPtrElectLeadersRequest()
	order.TimeoutMillis, elect.TimeoutMillis = 10_000, 10_000
	for at, p := range before {
		i := slices.Index(p.replicas, p.leader)
		turn := (max(i, 0) + 1 + by%(len(p.replicas)-1)) % len(p.replicas)
		replicas := slices.Concat(p.replicas[turn:], p.replicas[:turn])
		wanted[at] = replicas[0]
		part := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		part.Partition, part.Replicas = at.partition, replicas
		topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		topic.Topic, topic.Partitions = at.topic, append(topic.Partitions, part)
		order.Topics = append(order.Topics, topic)
		elected := kmsg.NewElectLeadersRequestTopic()
		elected.Topic, elected.Partitions = at.topic, []int32{at.partition}
		elect.Topics = append(elect.Topics, elected)
	}
	if res, err := order.RequestWith(ctx, n.client); err != nil {
		return 0, fmt.Errorf("reorder replicas: %w", err)
	} else if err := kerr.ErrorForCode(res.ErrorCode); err != nil {
		return 0, fmt.Errorf("reorder replicas: %w", err)
	}
	return len(wanted), until(ctx, "leaders have moved", func() error {
		res, err := elect.RequestWith(ctx, n.client)
		if err == nil {
			err = kerr.ErrorForCode(res.ErrorCode)
		}
		now, placeErr := n.placings(ctx, topics)
		if placeErr != nil {
			return errors.Join(err, placeErr)
		}
		for at, leader := range wanted {
			if now[at].leader != leader {
				return errors.Join(err, fmt.Errorf("%s-%d: leader %d, want %d", at.topic, at.partition, now[at].leader, leader))
			}
		}
		return nil
	})
}

// ledBy counts the partitions that some nodes led, and how many of them have gone on
// under a new leader's epoch since.
func ledBy(nodes []int, before, now map[place]placing) (led, moved int) {
	for at, p := range before {
		if !slices.Contains(nodes, int(p.leader)) {
			continue
		}
		led++
		if now[at].leader >= 0 && now[at].epoch > p.epoch {
			moved++
		}
	}
	return led, moved
}

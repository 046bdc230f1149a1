//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
)

// restarts is how often the broker goes down and up under load.
const restarts = 2

// A cluster of one broker is rolled: the broker ends in order and comes back with
// its data while two services work under load. Nothing is lost, nothing comes
// twice, and the services stay. Rolling three brokers, and killing them, is the
// cluster's chaos.
func TestChanges_BrokerIsRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*changesHangGuard)
	defer cancel()
	node := startNode(ctx, t)
	lab := newLab(ctx, t, []string{node.address()}, kafkatest.Name("rolled"), 4)
	a, b := lab.startService(ctx, t), lab.startService(ctx, t)
	for _, s := range []*service{a, b} {
		s.awaitValue(ctx, t, 2, "pulse_assigned_partitions")
	}
	load := lab.startSteady(ctx, 0)
	for n := range restarts {
		lab.awaitMore(ctx, t, load)
		node.script(ctx, t, "kafka/down.sh", node.dir)
		down := load.produced()
		node.script(ctx, t, "kafka/up.sh", node.dir, strconv.Itoa(node.port))
		t.Logf("restart %d: the broker is back, %d records had been produced when it was down", n+1, down)
		lab.awaitMore(ctx, t, load)
	}
	if err := load.stop(); err != nil {
		t.Fatalf("load: %v", err)
	}
	lab.awaitEnd(ctx, t)
	a.stop(t)
	b.stop(t)
	book := lab.account(ctx, t)
	book.expectBalanced(t)
	t.Logf("%d records over %d restarts, committed as a whole", book.total().in, restarts)
}

// node is a broker of the test's own.
type node struct {
	dir  string
	port int
}

func (n *node) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }

// startNode starts a broker from its jars; it ends with the test.
func startNode(ctx context.Context, t *testing.T) *node {
	t.Helper()
	n := &node{dir: t.TempDir(), port: freePorts(t)}
	t.Cleanup(func() { n.script(context.WithoutCancel(ctx), t, "kafka/down.sh", n.dir) })
	n.script(ctx, t, "kafka/up.sh", n.dir, strconv.Itoa(n.port))
	t.Logf("real Kafka: %s from its jars", n.address())
	return n
}

// script runs one of the scripts in kafka/. Its output goes to a file: a broker
// outlives the script and would keep a pipe open.
func (n *node) script(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(n.dir, "script.log"))
	if err != nil {
		t.Fatalf("log of %s: %v", args[0], err)
	}
	defer func() { _ = log.Close() }()
	run := exec.CommandContext(ctx, args[0], args[1:]...)
	run.Stdout, run.Stderr = log, log
	if err := run.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("%v: %v\n%s", args, err, said)
	}
}

// steady produces until it is stopped.
type steady struct {
	acknowledged atomic.Int64
	end          chan struct{}
	done         chan error
}

// steadyRound is how many records are produced at a time.
const steadyRound = 100

// startSteady produces rounds of signals, each when the one before it is
// acknowledged and a pause is over.
func (l *lab) startSteady(ctx context.Context, pause time.Duration) *steady {
	s := &steady{end: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		for n := 0; ; n += steadyRound {
			select {
			case <-s.end:
				s.done <- nil
				return
			case <-time.After(pause):
			}
			records := make([]*kgo.Record, steadyRound)
			for i := range records {
				records[i] = l.signal(n + i)
			}
			if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
				s.done <- err
				return
			}
			s.acknowledged.Add(steadyRound)
		}
	}()
	return s
}

func (s *steady) produced() int { return int(s.acknowledged.Load()) }

// stop ends it after the round under way.
func (s *steady) stop() error {
	close(s.end)
	return <-s.done
}

// awaitMore waits until a good deal more has been produced, and the group has
// committed some of it.
func (l *lab) awaitMore(ctx context.Context, t *testing.T, s *steady) {
	t.Helper()
	from, before := s.produced(), l.sumCommitted(ctx, t)
	awaitThat(ctx, t, func() string {
		if n, now := s.produced(), l.sumCommitted(ctx, t); n < from+20*steadyRound || now <= before {
			return fmt.Sprintf("%d records produced after %d, %d offsets committed after %d", n, from, now, before)
		}
		return ""
	})
}

func (l *lab) sumCommitted(ctx context.Context, t *testing.T) (sum int64) {
	t.Helper()
	for _, o := range l.committed(ctx, t) {
		sum += max(0, o.offset)
	}
	return sum
}

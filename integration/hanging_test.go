//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pulse-scorer/internal/broker/brokertest"
)

// A cluster of three nodes, each of which loses markers when it stops (KAFKA-20734).
func TestHanging_TransactionsAreEndedAsTheyWere(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*changesHangGuard)
	defer cancel()
	n := startNodes(ctx, t)
	brokertest.RunHanging(t, brokertest.Cluster{
		Brokers: n.addresses(), FencesForGood: true, KeepsStaticMembers: true, AnswersConcurrentTransactions: true,
	}, outage{n})
}

// outage stops and starts nodes.
type outage struct {
	nodes *nodes
}

// Stop ends a node in order.
func (o outage) Stop(ctx context.Context, node int32) error {
	text, err := os.ReadFile(filepath.Join(o.nodes.dir, fmt.Sprintf("node-%d", node), "pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	return o.nodes.awaitGone(ctx, int(node), pid)
}

// Start starts the nodes that do not run.
func (o outage) Start(ctx context.Context) error { return o.nodes.start(ctx) }

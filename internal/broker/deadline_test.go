package broker

import (
	"context"
	"encoding/binary"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"pulse-scorer/internal/broker/wire"
	"pulse-scorer/internal/devbroker"
)

// deadlineConn notes Fetch requests that are written without a deadline.
type deadlineConn struct {
	net.Conn

	deadline  time.Time
	fetches   *atomic.Int32
	unbounded *atomic.Int32
}

func (c *deadlineConn) SetDeadline(t time.Time) error {
	c.deadline = t
	return c.Conn.SetDeadline(t)
}

func (c *deadlineConn) Write(b []byte) (int, error) {
	const apiAt = 4
	if len(b) >= apiAt+2 && binary.BigEndian.Uint16(b[apiAt:]) == uint16(wire.Fetch) {
		c.fetches.Add(1)
		if c.deadline.IsZero() {
			c.unbounded.Add(1)
		}
	}
	return c.Conn.Write(b)
}

// Looking for open owner records asked for records without a deadline: a broker
// that hung then held the takeover until the next generation of the group.
func TestCluster_EveryRequestHasADeadline(t *testing.T) {
	t.Parallel()
	var fetches, unbounded atomic.Int32
	c, _ := embeddedCluster(t, Topology{Input: "state", State: "state"},
		func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &deadlineConn{Conn: conn, fetches: &fetches, unbounded: &unbounded}, err
		}, devbroker.Topic{Name: "state", Partitions: 1})
	ids, err := c.topicIDsNow(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.fetchOne(context.WithoutCancel(t.Context()), "state", ids.State, 0, 0, readUncommitted); err != nil {
		t.Fatal(err)
	}
	if fetches.Load() == 0 || unbounded.Load() > 0 {
		t.Errorf("%d of %d fetches have no deadline", unbounded.Load(), fetches.Load())
	}
}

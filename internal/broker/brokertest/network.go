package brokertest

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"
)

// network is the way from one engine to the brokers. It counts requests, and
// it fails where a test wants it to.
type network struct {
	dialer net.Dialer

	mu       sync.Mutex // guards the rest
	conns    map[*conn]struct{}
	down     bool
	thawed   chan struct{} // closed unless the network is frozen
	faults   []*fault
	requests map[int16]int
	received int
}

func newNetwork() *network {
	n := &network{conns: make(map[*conn]struct{}), thawed: make(chan struct{}), requests: make(map[int16]int)}
	close(n.thawed)
	return n
}

// action is what a fault does to a request.
type action int

const (
	// loseRequest cuts the connection before the request is sent.
	loseRequest action = iota
	// loseAnswer cuts it when the answer has begun to arrive, so that the
	// broker has surely done what was asked.
	loseAnswer
	// swallowAnswer drops the answer and leaves the connection open.
	swallowAnswer
	// dieBefore takes the whole network away instead of sending the request.
	dieBefore
	// dieAfter takes it away when the answer has begun to arrive.
	dieAfter
	// freezeBefore holds this and all other traffic until the thaw; then the
	// request is sent, however late.
	freezeBefore
	// holdBefore holds this request alone until it is released.
	holdBefore
)

// fault waits for a request and fires once.
type fault struct {
	api    int16
	action action
	fired  chan struct{} // closed when it has happened
	held   chan struct{} // closed by release
}

// release lets a held request go.
func (f *fault) release() { close(f.held) }

var (
	errDown = errors.New("network is down (test)")
	errCut  = errors.New("connection cut (test)")
)

// arm adds a fault for the next request of an API.
func (n *network) arm(api int16, do action) *fault {
	f := &fault{api: api, action: do, fired: make(chan struct{}), held: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, f)
	return f
}

// take finds the fault that is armed for an API and disarms it.
func (n *network) take(api int16) *fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests[api]++
	for i, f := range n.faults {
		if f.api == api {
			n.faults = append(n.faults[:i:i], n.faults[i+1:]...)
			return f
		}
	}
	return nil
}

// dial is for broker.Connection.
func (n *network) dial(ctx context.Context, proto, address string) (net.Conn, error) {
	if err := n.pass(ctx.Done()); err != nil {
		return nil, err
	}
	raw, err := n.dialer.DialContext(ctx, proto, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, network: n, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		_ = raw.Close()
		return nil, errDown
	}
	n.conns[c] = struct{}{}
	return c, nil
}

// pass waits while the network is frozen.
func (n *network) pass(abandoned <-chan struct{}) error {
	n.mu.Lock()
	down, thawed := n.down, n.thawed
	n.mu.Unlock()
	if down {
		return errDown
	}
	select {
	case <-thawed:
	case <-abandoned:
		return errCut
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return errDown
	}
	return nil
}

// die cuts everything, for good.
func (n *network) die() {
	n.mu.Lock()
	n.down = true
	n.mu.Unlock()
	n.thaw()
	n.cut()
}

// cut closes all connections; new ones can be made.
func (n *network) cut() {
	n.mu.Lock()
	conns := n.conns
	n.conns = make(map[*conn]struct{})
	n.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}

func (n *network) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.thawed:
		n.thawed = make(chan struct{})
	default:
	}
}

func (n *network) thaw() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.thawed:
	default:
		close(n.thawed)
	}
}

// sent is how many requests of an API were made.
func (n *network) sent(api int16) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests[api]
}

// bytesReceived is how much the brokers have sent.
func (n *network) bytesReceived() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.received
}

// conn watches the requests that are written to one broker. One goroutine
// writes and reads it, as kafka-go does.
type conn struct {
	net.Conn

	network *network
	closing sync.Once
	closed  chan struct{}

	left  int    // bytes of the current request still to come
	head  []byte // the beginning of a request that was cut between writes
	armed *fault // acts on the answer
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	f := c.scan(p)
	if f != nil {
		switch f.action {
		case loseRequest:
			_ = c.Close()
			close(f.fired)
			return 0, errCut
		case dieBefore:
			c.network.die()
			close(f.fired)
			return 0, errDown
		case freezeBefore:
			c.network.freeze()
			close(f.fired)
		case holdBefore:
			close(f.fired)
			select {
			case <-f.held:
			case <-c.closed:
			}
		case loseAnswer, swallowAnswer, dieAfter:
			c.armed = f
		}
	}
	if err := c.network.pass(c.closed); err != nil {
		return 0, err
	}
	if f != nil && (f.action == freezeBefore || f.action == holdBefore) {
		_ = c.SetWriteDeadline(time.Time{}) // late, but sent
	}
	return c.Conn.Write(p)
}

// apiEnd is where the API key of a request ends: after its size.
const apiEnd = 6

// scan follows the requests in a stream of writes, and returns the fault of
// one that begins in p.
func (c *conn) scan(p []byte) (found *fault) {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(c.left, len(p))
			c.left -= n
			p = p[n:]
			continue
		}
		n := min(apiEnd-len(c.head), len(p))
		c.head = append(c.head, p[:n]...)
		p = p[n:]
		if len(c.head) < apiEnd {
			return found
		}
		c.left = int(binary.BigEndian.Uint32(c.head)) - 2
		api := int16(binary.BigEndian.Uint16(c.head[4:]))
		c.head = c.head[:0]
		if f := c.network.take(api); f != nil && found == nil {
			found = f
		}
	}
	return found
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.network.mu.Lock()
	c.network.received += n
	c.network.mu.Unlock()
	if f := c.armed; f != nil && n > 0 {
		c.armed = nil
		switch f.action {
		case swallowAnswer:
			close(f.fired)
			return c.swallow(p)
		case dieAfter:
			c.network.die()
		case loseAnswer, loseRequest, dieBefore, freezeBefore, holdBefore:
		}
		_ = c.Close()
		close(f.fired)
		return 0, errCut
	}
	if passErr := c.network.pass(c.closed); passErr != nil {
		return 0, passErr
	}
	return n, err
}

// swallow reads until the connection's deadline.
func (c *conn) swallow(p []byte) (int, error) {
	for {
		if _, err := c.Conn.Read(p); err != nil {
			return 0, err
		}
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	c.network.mu.Lock()
	delete(c.network.conns, c)
	c.network.mu.Unlock()
	return c.Conn.Close()
}

//go:build integration

package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// link is the way of one worker to one broker: a proxy on loopback that stands
// where the broker says it can be reached. It can be cut while the broker, and
// everybody else's way to it, is well.
type link struct {
	listener net.Listener
	target   string

	passed  atomic.Int64 // bytes
	refused atomic.Int64 // connections that were cut or not taken
	held    atomic.Int64 // pieces of a stream that had to wait

	mu     sync.Mutex // guards the rest
	down   bool
	conns  map[net.Conn]struct{}
	thawed chan struct{} // closed unless the link is frozen
	pipes  sync.WaitGroup
}

// cut is how a link fails.
type cut string

const (
	// refuse resets every connection and takes no new one.
	refuse cut = "refuse"
	// freeze lets nothing through and loses nothing: what was sent arrives when the link is back, as TCP would have it.
	freeze cut = "freeze"
)

// newLink listens at an address and passes everything on to the target.
func newLink(address, target string) (*link, error) {
	listener, err := net.Listen("tcp", address) //nolint:noctx // it lives as long as the test
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", target, err)
	}
	l := &link{listener: listener, target: target, conns: make(map[net.Conn]struct{}), thawed: make(chan struct{})}
	close(l.thawed)
	l.pipes.Go(l.accept)
	return l, nil
}

func (l *link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.pipes.Go(func() { l.serve(client) })
	}
}

// serve passes the bytes of one connection on, in both directions.
func (l *link) serve(client net.Conn) {
	if !l.enter(client) {
		return
	}
	defer l.leave(client)
	broker, err := net.Dial("tcp", l.target) //nolint:noctx // loopback answers at once
	if err != nil || !l.enter(broker) {
		return
	}
	defer l.leave(broker)
	var ways sync.WaitGroup
	ways.Go(func() { l.pass(broker, client) })
	ways.Go(func() { l.pass(client, broker) })
	ways.Wait()
}

// enter keeps a connection to be cut later, unless the link is down.
func (l *link) enter(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		l.refused.Add(1)
		reset(c)
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *link) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	_ = c.Close()
}

// reset ends a connection as a failing network does: the other side gets an
// error, not an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// pass copies one direction and waits where the link is frozen.
func (l *link) pass(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			l.await()
			l.passed.Add(int64(n))
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) await() {
	l.mu.Lock()
	thawed := l.thawed
	l.mu.Unlock()
	select {
	case <-thawed:
	default:
		l.held.Add(1)
		<-thawed
	}
}

// hits counts what the cuts have done so far: connections and streams.
func (l *link) hits() int64 { return l.refused.Load() + l.held.Load() }

// fail cuts the link until heal.
func (l *link) fail(how cut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch how {
	case freeze:
		l.thawed = make(chan struct{})
	case refuse:
		l.down = true
		for c := range l.conns {
			l.refused.Add(1)
			reset(c)
		}
	}
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
	select {
	case <-l.thawed:
	default:
		close(l.thawed)
	}
}

func (l *link) close() error {
	err := l.listener.Close()
	l.fail(refuse)
	l.mu.Lock()
	select {
	case <-l.thawed:
	default:
		close(l.thawed)
	}
	l.mu.Unlock()
	l.pipes.Wait()
	return err
}

// A cut that cuts nothing would prove nothing.
func TestLink_CutsAndHeals(t *testing.T) {
	t.Parallel()
	l, err := newLink("127.0.0.1:0", startEcho(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.close() })
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.listener.Addr().String()) //nolint:noctx // loopback
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := dial()
	if err := say(c, time.Minute); err != nil {
		t.Fatalf("whole link: %v", err)
	}
	l.fail(freeze)
	if err := say(c, time.Second); !isTimeout(err) || l.hits() != 1 {
		t.Errorf("frozen link: got %v and %d hits, want a time-out and 1", err, l.hits())
	}
	l.heal()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Errorf("healed link: what was held did not arrive: %v", err)
	}
	l.fail(refuse)
	if err := say(c, time.Minute); err == nil || isTimeout(err) {
		t.Errorf("cut link: got %v, want a reset", err)
	}
	if err := sayAnew(l.listener.Addr().String()); err == nil || isTimeout(err) {
		t.Errorf("new connection over a cut link: got %v, want a reset", err)
	}
	l.heal()
	if err := say(dial(), time.Minute); err != nil {
		t.Errorf("healed link: %v", err)
	}
}

// sayAnew uses a new connection; a reset may come while it is made.
func sayAnew(address string) error {
	c, err := net.Dial("tcp", address) //nolint:noctx // loopback
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return say(c, time.Minute)
}

// startEcho answers with what it hears.
func startEcho(t *testing.T) (address string) {
	t.Helper()
	echo, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Close() })
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	return echo.Addr().String()
}

// say sends a byte and waits for it to come back.
func say(c net.Conn, within time.Duration) error {
	if _, err := c.Write([]byte("x")); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_ = c.SetReadDeadline(time.Now().Add(within))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// links are the ways of the workers to the brokers, by worker and by broker.
type links [][]*link

// newLinks puts the proxies where the nodes of a cluster say they are.
func newLinks(t *testing.T, n *nodes) links {
	t.Helper()
	all := make(links, linksPerNode)
	for slot := range all {
		for node := range n.count {
			l, err := newLink(n.advertised(slot, node), n.listening(slot, node))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.close() })
			all[slot] = append(all[slot], l)
		}
	}
	return all
}

// busy are the links of a slot over which something passes just now.
func (ls links) busy(ctx context.Context, slot int) []*link {
	before := make([]int64, len(ls[slot]))
	for i, l := range ls[slot] {
		before[i] = l.passed.Load()
	}
	pause := time.NewTicker(500 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		var found []*link
		for i, l := range ls[slot] {
			if l.passed.Load() > before[i] {
				found = append(found, l)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

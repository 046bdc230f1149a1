package faultnet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Net dials connections that one fault happens to. Its methods may be called
// concurrently. Close it.
type Net struct {
	fault  Fault
	dialer net.Dialer

	mu      sync.Mutex // guards the rest
	seen    map[API]int
	fired   bool
	over    bool
	late    *late // a delayed request that was not delivered yet
	answers []Answer
}

// late is a delayed request with all that was written after it.
type late struct {
	upstream  net.Conn
	frames    [][]byte
	abandoned bool // by the client
}

// Answer is what the broker said to a delayed request.
type Answer struct {
	API     API
	Payload []byte
}

// New returns a Net with one fault.
func New(f Fault) *Net { return &Net{fault: f, seen: make(map[API]int)} }

// Dial has the signature of broker.Connection.Dial.
func (n *Net) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, net: n, awaited: make(map[int32]Kind)}, nil
}

// Fired tells whether the fault has happened.
func (n *Net) Fired() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fired
}

// Over tells whether the fault has run its course: the answer is lost, the
// client has given up waiting for it, or the delayed request has come.
func (n *Net) Over() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.over
}

func (n *Net) finish() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
}

// Delivered is what the broker answered to the delayed request and to what was
// written after it on the same connection; nil when nothing was delivered after
// the client had given it up.
func (n *Net) Delivered() []Answer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.answers
}

// Seen is how many requests of an API have been sent.
func (n *Net) Seen(api API) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen[api]
}

// Close closes what a delayed request still holds open, undelivered.
func (n *Net) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.late == nil || !n.late.abandoned {
		return nil
	}
	l := n.late
	n.late = nil
	if err := l.upstream.Close(); err != nil {
		return fmt.Errorf("close a connection with a delayed request: %w", err)
	}
	return nil
}

// pass decides about one request: what happens to it, if it is the one.
func (n *Net) pass(c *conn, frame []byte) (kind Kind, hit bool, err error) {
	api := API(int16(binary.BigEndian.Uint16(frame[4:])))
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.late != nil && n.late.abandoned && api == n.fault.Before {
		if err := n.deliver(); err != nil {
			return 0, false, fmt.Errorf("deliver the delayed request: %w", err)
		}
	}
	n.seen[api]++
	if n.fired || api != n.fault.API || n.seen[api] != n.fault.Occurrence {
		return 0, false, nil
	}
	n.fired = true
	n.over = n.fault.Kind == LoseRequest
	if n.fault.Kind == DelayRequest {
		n.late = &late{upstream: c.Conn}
		c.late = n.late
	}
	return n.fault.Kind, true, nil
}

// deliveryTimeout is for a broker that does not answer a request which comes
// late; JoinGroup is answered when all members have joined.
const deliveryTimeout = 3 * time.Second

// deliver sends what was kept and reads the answers. A broker that closes the
// connection has answered, too.
func (n *Net) deliver() error {
	l := n.late
	n.late, n.over = nil, true
	defer func() { _ = l.upstream.Close() }()
	timer := time.AfterFunc(deliveryTimeout, func() { _ = l.upstream.Close() })
	defer timer.Stop()
	for _, f := range l.frames {
		if _, err := l.upstream.Write(f); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	for _, f := range l.frames {
		a := Answer{API: API(int16(binary.BigEndian.Uint16(f[4:])))}
		payload, err := ReadFrame(l.upstream)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		if err == nil {
			a.Payload = payload[4:]
		}
		n.answers = append(n.answers, a)
	}
	return nil
}

// keep adds to what a delayed request holds back.
func (n *Net) keep(l *late, frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.frames = append(l.frames, append([]byte(nil), frame...))
}

// abandon says that the client has closed a connection. It returns false when
// the connection must stay open, because something is still to be delivered.
func (n *Net) abandon(l *late) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l == nil || n.late != l {
		return true
	}
	l.abandoned = true
	// The client's deadline must not hold for what comes later.
	_ = l.upstream.SetDeadline(time.Time{})
	return false
}

// maxFrame bounds what a frame may claim to hold.
const maxFrame = 256 << 20

// ReadFrame reads one frame of a Kafka connection, size included. Its errors are the connection's own,
// as the client expects them.
func ReadFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > maxFrame {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	frame := make([]byte, 4+n)
	copy(frame, size[:])
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

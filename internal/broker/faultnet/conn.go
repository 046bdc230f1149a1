package faultnet

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// conn is one connection of the client. One goroutine writes and one reads, as
// net.Conn allows; Close may come from anywhere.
type conn struct {
	net.Conn

	net *Net

	// written is the start of a request that has not been written to its end.
	written []byte
	// late is set when a request of this connection is being delayed.
	late *late
	// unread is the rest of an answer.
	unread []byte

	mu      sync.Mutex // guards the rest
	awaited map[int32]Kind
	// stalled is true when no answer is delivered any more.
	stalled bool

	closing sync.Once
	closed  error
}

// Write forwards whole requests.
func (c *conn) Write(b []byte) (int, error) {
	c.written = append(c.written, b...)
	for len(c.written) >= 4 {
		size := 4 + int(binary.BigEndian.Uint32(c.written))
		if len(c.written) < size {
			break
		}
		if err := c.request(c.written[:size]); err != nil {
			return 0, err
		}
		c.written = c.written[size:]
	}
	if len(c.written) == 0 {
		c.written = nil
	}
	return len(b), nil
}

func (c *conn) request(frame []byte) error {
	kind, hit, err := c.net.pass(c, frame)
	if err != nil {
		return err
	}
	if c.late != nil {
		c.net.keep(c.late, frame)
		return nil
	}
	if hit {
		switch kind {
		case LoseRequest:
			_ = c.Close()
			return net.ErrClosed
		case LoseAnswer, StallAnswer:
			c.await(int32(binary.BigEndian.Uint32(frame[8:])), kind)
		case DelayRequest, kinds:
		}
	}
	_, err = c.Conn.Write(frame)
	return err
}

// await notes what is to happen to the answer with a correlation ID.
func (c *conn) await(correlation int32, kind Kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited[correlation] = kind
}

func (c *conn) fate(correlation int32) (Kind, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind, hit := c.awaited[correlation]
	return kind, hit
}

func (c *conn) stall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = true
}

func (c *conn) isStalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stalled
}

// Read delivers answers.
func (c *conn) Read(b []byte) (int, error) {
	for len(c.unread) == 0 {
		frame, err := ReadFrame(c.Conn)
		if err != nil {
			return 0, err
		}
		kind, hit := c.fate(int32(binary.BigEndian.Uint32(frame[4:])))
		switch {
		case hit && kind == LoseAnswer:
			_ = c.Close()
			c.net.finish()
			return 0, io.EOF
		case hit:
			c.stall()
		}
		if !c.isStalled() {
			c.unread = frame
		}
	}
	n := copy(b, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// Close ends the connection, unless a delayed request still needs it.
func (c *conn) Close() error {
	c.closing.Do(func() {
		if c.net.abandon(c.late) {
			c.closed = c.Conn.Close()
		}
		if c.isStalled() {
			c.net.finish()
		}
	})
	return c.closed
}

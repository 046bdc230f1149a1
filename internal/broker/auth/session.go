package auth

import (
	"fmt"
	"net"
	"time"
)

// session is a connection that has to be authenticated anew before its lifetime is
// over (KIP-368). It does that before the first request that is due, between two
// requests: it counts frames in both directions to know where requests end.
//
// It relies on how kafka-go uses a connection, from one goroutine, which reads the
// answers to a request before it writes the next (transport.go of v0.4.51, conn.run).
type session struct {
	net.Conn

	now   func() time.Time
	renew func(net.Conn) (lifetime time.Duration, err error)

	renewAt  time.Time
	deadline time.Time // as the user has set it
	sent     frames
	received frames
}

// renewTimeout bounds the exchange. The broker has the user at hand.
const renewTimeout = 5 * time.Second

// minLifetime: Apache Kafka refuses to authenticate a connection twice within a
// second (KIP-368).
const minLifetime = 1100 * time.Millisecond

// renewal is when a session is renewed: when 85 % of it are over, as early as in
// Kafka's own clients.
func renewal(began time.Time, lifetime time.Duration) time.Time {
	return began.Add(max(lifetime*85/100, minLifetime))
}

// Write implements net.Conn.
func (s *session) Write(b []byte) (int, error) {
	if s.sent.whole() && s.received.whole() && s.sent.count == s.received.count && !s.now().Before(s.renewAt) {
		if err := s.again(); err != nil {
			return 0, err
		}
	}
	n, err := s.Conn.Write(b)
	s.sent.pass(b[:n])
	return n, err //nolint:wrapcheck // as the connection gives it
}

// again authenticates the connection anew, within the user's deadline.
func (s *session) again() error {
	began := s.now()
	limit := time.Now().Add(renewTimeout) //nolint:forbidigo // deadlines of connections go by the real clock
	if !s.deadline.IsZero() && s.deadline.Before(limit) {
		limit = s.deadline
	}
	if err := s.Conn.SetDeadline(limit); err != nil {
		return fmt.Errorf("authenticate anew: %w", err)
	}
	lifetime, err := s.renew(s.Conn)
	if err != nil {
		return err
	}
	s.renewAt = renewal(began, lifetime)
	if lifetime <= 0 {
		s.renewAt = began.Add(forever)
	}
	if err := s.Conn.SetDeadline(s.deadline); err != nil {
		return fmt.Errorf("authenticate anew: %w", err)
	}
	return nil
}

// forever is longer than a process lives.
const forever = 100 * 365 * 24 * time.Hour

// Read implements net.Conn.
func (s *session) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.received.pass(b[:n])
	return n, err //nolint:wrapcheck // io.EOF has to be itself
}

// SetDeadline implements net.Conn. It is what kafka-go uses of the three.
func (s *session) SetDeadline(t time.Time) error {
	s.deadline = t
	return s.Conn.SetDeadline(t) //nolint:wrapcheck // as the connection gives it
}

// frames follows the frames in a stream: four bytes of size, then as many.
type frames struct {
	count int // whole ones so far
	head  int // bytes of the size that have come
	size  uint32
	left  uint32 // of the frame
}

// whole tells whether the stream is between two frames.
func (f *frames) whole() bool { return f.head == 0 && f.left == 0 }

func (f *frames) pass(b []byte) {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(uint64(f.left), uint64(len(b)))
			f.left -= uint32(n)
			b = b[n:]
			if f.left == 0 {
				f.count++
			}
			continue
		}
		f.size = f.size<<8 | uint32(b[0])
		b = b[1:]
		if f.head++; f.head == 4 {
			f.left, f.size, f.head = f.size, 0, 0
			if f.left == 0 {
				f.count++
			}
		}
	}
}

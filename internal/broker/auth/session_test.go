package auth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"testing"
	"time"
)

// pipe is a connection that takes what is written and gives what is put in.
type pipe struct {
	net.Conn

	in, out   bytes.Buffer
	deadlines []time.Time
}

func (p *pipe) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p *pipe) Read(b []byte) (int, error)  { return p.in.Read(b) }

func (p *pipe) SetDeadline(t time.Time) error {
	p.deadlines = append(p.deadlines, t)
	return nil
}

func frame(n int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, n)...)
}

// due is a session whose time is over, and how often it was renewed.
func due(lifetime time.Duration, failure error) (s *session, p *pipe, renewed *int) {
	p, renewed = &pipe{}, new(int)
	now := time.Unix(1000, 0)
	s = &session{Conn: p, now: func() time.Time { return now }, renewAt: now, renew: func(net.Conn) (time.Duration, error) {
		*renewed++
		return lifetime, failure
	}}
	return s, p, renewed
}

// An exchange in the middle of a request or of its answer would be taken for a part of
// it.
func TestSession_IsRenewedBetweenRequestsOnly(t *testing.T) {
	t.Parallel()
	s, p, renewed := due(0, nil)
	s.renewAt = s.now().Add(time.Hour)
	send := func(b []byte, want int) {
		t.Helper()
		if _, err := s.Write(b); err != nil || *renewed != want {
			t.Fatalf("renewed %d times, %v; want %d", *renewed, err, want)
		}
	}
	request := frame(300)
	send(request[:2], 0)
	s.renewAt = s.now() // from now on it is due
	send(request[2:4], 0)
	send(request[4:100], 0)
	send(append(request[100:], frame(0)...), 0) // the rest, and a second request
	send(nil, 0)                                // two answers are outstanding
	answer := append(frame(70), frame(5)...)
	for i, cut := range []int{1, 3, 50, 20, 4, 4} { // the last one leaves a byte
		p.in.Write(answer[:cut])
		answer = answer[cut:]
		if _, err := s.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		send(nil, 0)
		if i == 5 && len(answer) != 1 {
			t.Fatalf("%d bytes are left, want 1: the test is wrong", len(answer))
		}
	}
	p.in.Write(answer)
	if _, err := s.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	send(frame(1), 1)
	// A lifetime of 0 is for ever.
	p.in.Write(frame(1))
	if _, err := s.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	send(frame(1), 1)
}

// Apache Kafka refuses a second authentication within a second of the first.
func TestRenewal_IsNeitherLateNorTooSoon(t *testing.T) {
	t.Parallel()
	began := time.Unix(1000, 0)
	for _, c := range []struct{ lifetime, want time.Duration }{
		{time.Hour, 51 * time.Minute},
		{10 * time.Second, 8500 * time.Millisecond},
		{time.Second, 1100 * time.Millisecond},
		{time.Millisecond, 1100 * time.Millisecond},
	} {
		if got := renewal(began, c.lifetime).Sub(began); got != c.want {
			t.Errorf("lifetime %v: after %v, want %v", c.lifetime, got, c.want)
		}
	}
}

func TestSession_RenewalKeepsTheUsersDeadline(t *testing.T) {
	t.Parallel()
	s, p, _ := due(time.Hour, nil)
	soon := time.Now().Add(time.Second)
	if err := s.SetDeadline(soon); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(frame(1)); err != nil {
		t.Fatal(err)
	}
	if want := []time.Time{soon, soon, soon}; !slices.Equal(p.deadlines, want) {
		t.Errorf("deadlines %v, want the user's throughout", p.deadlines)
	}
	s, p, _ = due(time.Hour, nil)
	if _, err := s.Write(frame(1)); err != nil {
		t.Fatal(err)
	}
	if len(p.deadlines) != 2 || p.deadlines[0].IsZero() || !p.deadlines[1].IsZero() {
		t.Errorf("deadlines %v, want one for the renewal and none after it", p.deadlines)
	}
}

// A request must not go over a connection that the broker has refused.
func TestSession_NothingIsWrittenWhenTheRenewalFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("refused")
	s, p, _ := due(time.Hour, failure)
	if n, err := s.Write(frame(1)); n != 0 || !errors.Is(err, failure) || p.out.Len() != 0 {
		t.Errorf("%d bytes written, %v; want none and the failure", n, err)
	}
}

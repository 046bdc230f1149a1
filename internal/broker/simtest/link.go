package simtest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"pulse-scorer/internal/broker/faultnet"
)

// link is the network of one worker. It tells the world of every step on the
// wire and does to requests and answers what the world says.
//
// It keeps what was written as a kernel does: a request that the worker has
// written goes out although the worker has given it up, unless the link is dead.
type link struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	process *process
	// latency of the nth request or answer of an API.
	latency func(api faultnet.API, n int) time.Duration

	// pumps are the goroutines of its connections.
	pumps sync.WaitGroup

	frozen atomic.Bool
	dead   chan struct{} // closed for good

	mu     sync.Mutex // guards the rest
	thawed chan struct{}
	conns  map[*conn]struct{}
	late   []*conn // given up by the worker, with something to deliver
	counts map[faultnet.API]int
	stage  stage
}

// stage is what tells equal requests apart.
type stage struct {
	// claiming: the transaction under way is a takeover's.
	claiming bool
	// doubt: a transaction's outcome has just been made unknown.
	doubt bool
	// stopping: the worker has been asked to stop.
	stopping bool
}

var errLinkDead = errors.New("the worker's network is gone (simulation)")

func newLink(p *process, dial func(context.Context, string, string) (net.Conn, error), latency func(faultnet.API, int) time.Duration) *link {
	l := &link{
		dial: dial, process: p, latency: latency, dead: make(chan struct{}), thawed: make(chan struct{}),
		conns: make(map[*conn]struct{}), counts: make(map[faultnet.API]int),
	}
	close(l.thawed)
	return l
}

// Dial has the signature of broker.Connection.Dial.
func (l *link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !l.pass(ctx.Done()) {
		return nil, errLinkDead
	}
	upstream, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	theirs, mine := net.Pipe()
	c := newConn(l, mine, upstream)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDead() {
		_ = upstream.Close()
		return nil, errLinkDead
	}
	l.conns[c] = struct{}{}
	c.run()
	return theirs, nil
}

func (l *link) isDead() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// pass waits while the link is frozen; false means that there is no going on.
func (l *link) pass(abandoned <-chan struct{}) bool {
	l.mu.Lock()
	thawed := l.thawed
	l.mu.Unlock()
	select {
	case <-thawed:
	case <-l.dead:
	case <-abandoned:
		return false
	}
	return !l.isDead()
}

// travel takes the time that a frame is on its way.
func (l *link) travel(api faultnet.API) {
	l.mu.Lock()
	l.counts[api]++
	n := l.counts[api]
	l.mu.Unlock()
	if d := l.latency(api, n); d > 0 {
		wait(d, l.dead)
	}
}

// wait lets time pass, unless something ends before.
func wait(d time.Duration, ended <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ended:
	}
}

func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.frozen.Swap(true) {
		l.thawed = make(chan struct{})
	}
}

func (l *link) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frozen.Swap(false) {
		close(l.thawed)
	}
}

// die takes the network away for good. What is being delayed is on its way
// already and arrives all the same.
func (l *link) die() {
	l.mu.Lock()
	if !l.isDead() {
		close(l.dead)
	}
	l.mu.Unlock()
	l.cut()
}

// cut closes all connections; new ones can be made while the link lives.
func (l *link) cut() {
	l.mu.Lock()
	conns := l.conns
	l.conns = make(map[*conn]struct{})
	l.mu.Unlock()
	for c := range conns {
		c.cut()
	}
}

func (l *link) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// giveUp notes a connection that has something to deliver late.
func (l *link) giveUp(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = append(l.late, c)
}

// deliverLate delivers what the worker has given up, before what it sends next.
func (l *link) deliverLate() {
	l.mu.Lock()
	late := l.late
	l.late = nil
	l.mu.Unlock()
	for _, c := range late {
		c.deliverNow()
	}
}

func (l *link) change(do func(*stage)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(&l.stage)
}

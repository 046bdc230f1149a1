package simtest

import (
	"net"
	"sync"
	"time"

	"pulse-scorer/internal/broker/faultnet"
)

// conn is one connection of a worker: two pumps, for requests and for answers.
type conn struct {
	link     *link
	mine     net.Conn // what the worker's end is connected to
	upstream net.Conn

	queue   chan []byte   // written by the worker, not sent yet
	pending chan *request // sent, not answered yet

	abandoned chan struct{} // closed when the worker has closed it
	overtake  chan struct{} // closed when what is late must be delivered now
	delivered chan struct{} // closed when it is

	overtaking sync.Once
	delivering sync.Once
}

// request is what the answer must be known by.
type request struct {
	api     faultnet.API
	version int16
	// steps are those that the answer is.
	steps []Step
	// fault happens to the answer.
	fault *fault
	// late is true for what the worker has given up.
	late bool
}

// inFlight is more than a client has under way on one connection.
const inFlight = 256

func newConn(l *link, mine, upstream net.Conn) *conn {
	return &conn{
		link: l, mine: mine, upstream: upstream, queue: make(chan []byte, inFlight), pending: make(chan *request, inFlight),
		abandoned: make(chan struct{}), overtake: make(chan struct{}), delivered: make(chan struct{}),
	}
}

func (c *conn) run() {
	c.link.pumps.Go(c.read)
	c.link.pumps.Go(func() {
		var both sync.WaitGroup
		both.Go(c.send)
		both.Go(c.receive)
		both.Wait()
		c.unanswered()
	})
}

// unanswered tells of the faults of answers that never came: the connection has
// ended before.
func (c *conn) unanswered() {
	close(c.pending)
	for r := range c.pending {
		switch {
		case r.fault == nil:
		case r.fault.Kind == Delay:
			r.fault.over("delivered late, not answered")
		default:
			r.fault.missed()
		}
	}
}

// read takes what the worker writes.
func (c *conn) read() {
	defer close(c.queue)
	defer close(c.abandoned)
	for {
		frame, err := faultnet.ReadFrame(c.mine)
		if err != nil {
			return
		}
		c.queue <- frame
	}
}

// send forwards requests.
func (c *conn) send() {
	defer c.link.forget(c)
	defer func() { _ = c.upstream.Close() }()
	defer c.markDelivered()
	late := false
	for frame := range c.queue {
		if !c.forward(frame, &late) {
			_ = c.mine.Close()
			for range c.queue {
				continue // the worker must not wait for what nobody reads
			}
			return
		}
	}
	if late {
		wait(lateAnswer, c.delivered)
	}
}

// lateAnswer is for a broker that does not answer what came late (JoinGroup).
const lateAnswer = 3 * time.Second

// forward sends one request; false means that the connection is at its end.
func (c *conn) forward(frame []byte, late *bool) bool {
	l := c.link
	r := &request{api: apiOf(frame), version: versionOf(frame)}
	if *late {
		// It follows what was late, whatever has become of the worker.
		r.late = true
		return c.write(r, frame)
	}
	if r.api == faultnet.TxnOffsetCommit || r.api == faultnet.EndTxn {
		l.deliverLate()
	}
	var before []Step
	before, r.steps = l.classify(frame)
	f := l.process.at(before)
	l.travel(r.api)
	if f != nil && !c.suffer(f, frame, r) {
		return false
	}
	if *late = r.late; !r.late && !l.pass(nil) {
		if r.fault != nil {
			r.fault.missed() // another fault has killed the worker before
		}
		return false
	}
	return c.write(r, frame)
}

func (c *conn) write(r *request, frame []byte) bool {
	c.pending <- r
	_, err := c.upstream.Write(frame)
	return err == nil
}

// suffer does to a request what a fault says.
func (c *conn) suffer(f *fault, frame []byte, r *request) bool {
	w := c.link.process.world
	switch f.Kind {
	case Cut:
		f.over("request lost, connection cut")
		return false
	case LoseAnswer, StallAnswer, RefuseDone:
		r.fault = f
	case Delay:
		r.fault, r.late = f, true
		c.hold(f)
	case Refuse:
		w.refuse(f, frame)
	case Crash, Pause, MemberJoins, MemberLeaves, LeadersMove, kinds:
		w.happen(f, c.link.process)
	}
	return true
}

// hold keeps a request until the worker has given it up and is about to send the
// next offsets, or has been silent for a while.
func (c *conn) hold(f *fault) {
	l := c.link
	select {
	case <-c.abandoned:
	case <-l.dead:
	}
	f.note("given up by the worker")
	l.giveUp(c)
	wait(longLate, c.overtake)
}

// longLate is how late a request comes when the worker commits nothing more.
const longLate = 20 * time.Second

// deliverNow lets what is held go and waits until it has been answered.
func (c *conn) deliverNow() {
	c.overtaking.Do(func() { close(c.overtake) })
	wait(lateAnswer, c.delivered)
}

func (c *conn) markDelivered() { c.delivering.Do(func() { close(c.delivered) }) }

// receive delivers answers. It reads on when the worker takes none any more: a
// broker must not wait for us.
func (c *conn) receive() {
	defer func() { _ = c.mine.Close() }()
	l := c.link
	deaf := false
	for {
		frame, err := faultnet.ReadFrame(c.upstream)
		if err != nil {
			return
		}
		r := <-c.pending
		if deaf && !r.late {
			continue
		}
		l.travel(r.api)
		if f := r.fault; f != nil {
			frame, deaf = c.answered(f, frame, r)
		}
		if f := l.process.at(r.steps); f != nil {
			l.process.world.happen(f, l.process)
		}
		if deaf || r.late {
			continue
		}
		if !l.pass(nil) {
			deaf = true
			continue
		}
		if _, err := c.mine.Write(frame); err != nil {
			deaf = true
		}
	}
}

// answered does to an answer what a fault says. deaf is true when the worker is
// to hear nothing more on this connection.
func (c *conn) answered(f *fault, frame []byte, r *request) (changed []byte, deaf bool) {
	switch f.Kind {
	case LoseAnswer:
		f.over("answered, answer lost")
		_ = c.mine.Close()
		return frame, true
	case StallAnswer:
		f.over("answered, answer withheld")
		return frame, true
	case RefuseDone:
		return refused(frame, r, f), false
	case Delay:
		f.over("delivered late, answered " + codesOf(frame, r))
		c.markDelivered()
	case Crash, Pause, Cut, Refuse, MemberJoins, MemberLeaves, LeadersMove, kinds:
	}
	return frame, false
}

// cut ends the connection, but for what is being delayed.
func (c *conn) cut() { _ = c.mine.Close() }

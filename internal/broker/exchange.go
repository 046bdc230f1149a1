package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/segmentio/kafka-go/protocol"
)

// maxResponseBytes bounds what one response may claim to hold, so that a
// broken peer cannot make the process allocate without limit.
const maxResponseBytes = 256 << 20

// exchange writes complete request frames on one connection and reads as many
// response frames. It is kafka-go's public way to speak to a broker without
// its reflection (protocol.RawExchanger, v0.4.51): a request whose Required is
// true is handed the raw connection.
//
// Several frames in one exchange are pipelined: the broker answers them in
// order, one at a time.
//
// The frames stay in use by kafka-go's connection goroutine when the caller's
// context ends first, so after an error nothing that an exchange refers to may
// be reused: fetchFrom and output.drop leave it to the garbage collector.
type exchange struct {
	api    int16
	node   int32 // broker id, or anyNode
	frames [][]byte
	count  int
	grab   func(n int) []byte
	// answers are the payloads after the size field, in request order.
	answers [][]byte
}

// anyNode routes a request to whichever broker the client is connected to.
const anyNode int32 = -1

var (
	_ protocol.RawExchanger  = (*routed)(nil)
	_ protocol.BrokerMessage = (*routed)(nil)
	_ protocol.RawExchanger  = (*exchange)(nil)
)

// errUnknownBroker is returned when the client's view of the cluster does not
// hold the broker that was asked for: the view is older or newer than ours.
var errUnknownBroker = errors.New("broker is not in the cluster's metadata")

// ApiKey implements protocol.Message.
func (x *exchange) ApiKey() protocol.ApiKey { return protocol.ApiKey(x.api) }

// Required implements protocol.RawExchanger.
func (x *exchange) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange implements protocol.RawExchanger.
func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if err := x.write(rw); err != nil {
		return nil, err
	}
	answers := make([][]byte, 0, x.count)
	for range x.count {
		a, err := readFrame(rw, x.grab)
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	x.answers = answers
	return x, nil
}

// gatherBytes is the size up to which pieces are joined before writing: kafka-go
// sets TCP_NODELAY, so each small write would be a packet of its own.
const gatherBytes = 32 << 10

func (x *exchange) write(w io.Writer) error {
	if len(x.frames) == 1 {
		_, err := w.Write(x.frames[0])
		return err
	}
	gathered := 0
	for _, f := range x.frames {
		if len(f) < gatherBytes {
			gathered += len(f)
		}
	}
	small := make([]byte, 0, gathered)
	flush := func() error {
		if len(small) == 0 {
			return nil
		}
		_, err := w.Write(small)
		small = small[:0]
		return err
	}
	for _, f := range x.frames {
		if len(f) < gatherBytes {
			small = append(small, f...)
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if _, err := w.Write(f); err != nil {
			return err
		}
	}
	return flush()
}

func readFrame(r io.Reader, grab func(int) []byte) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(size[:]))
	if n > maxResponseBytes {
		return nil, fmt.Errorf("response of %d bytes is over the limit of %d", n, maxResponseBytes)
	}
	var b []byte
	if grab != nil {
		b = grab(int(n))
	} else {
		b = make([]byte, n)
	}
	_, err := io.ReadFull(r, b)
	return b, err
}

// routed is an exchange that must reach one broker.
type routed struct {
	*exchange

	// view takes the brokers that there are as of this request.
	view *atomic.Pointer[map[int32]protocol.Broker]
}

// Broker implements protocol.BrokerMessage.
func (x routed) Broker(c protocol.Cluster) (protocol.Broker, error) {
	x.view.Store(&c.Brokers)
	b, ok := c.Brokers[x.node]
	if !ok {
		return protocol.Broker{}, fmt.Errorf("broker %d: %w", x.node, errUnknownBroker)
	}
	return b, nil
}

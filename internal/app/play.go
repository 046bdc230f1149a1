package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ndjson"
	"pulse-scorer/internal/pulse"
)

// Player produces NDJSON to the input topic, one record a line, as upstream
// should: keyed by name with Kafka's murmur2 partitioner, idempotently.
type Player struct {
	// Rate limits records a second; 0 does not.
	Rate float64
	// Shift is added to the timestamps of signals that have one.
	Shift time.Duration
	// Produced is called after records have been handed over, with their
	// number so far.
	Produced func(n int)

	producer *broker.Producer
	decoder  *codec.Decoder
	now      func() time.Time
	limit    int
	began    time.Time
	count    int
}

// NewPlayer connects to the environment's cluster.
func NewPlayer(ctx context.Context, c config.Config, now func() time.Time) (*Player, error) {
	conn, err := connection(c)
	if err != nil {
		return nil, err
	}
	compression, err := batch.ParseCompression(c.Compression)
	if err != nil {
		return nil, err
	}
	producer, err := broker.NewProducer(ctx, conn, c.TopicInput, compression)
	if err != nil {
		return nil, err
	}
	return &Player{
		Produced: func(int) {},
		producer: producer, now: now, began: now(),
		decoder: codec.NewDecoder(codec.Settings{DefaultSource: c.DefaultSource}),
		// A larger line could not be produced: it is the topic's to refuse.
		limit: maxLineBytes,
	}, nil
}

// maxLineBytes bounds the memory one line can take.
const maxLineBytes = 64 << 20

// Close ends the connections.
func (p *Player) Close() { p.producer.Close() }

// Play produces every line of in and waits until the brokers have them. Lines
// that are not signals are produced as they are, without a key: it is for the
// service to say what is wrong with them.
func (p *Player) Play(ctx context.Context, name string, in io.Reader) error {
	lines := ndjson.NewReader(in, p.limit)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return p.producer.Flush(ctx)
		}
		if err != nil {
			return err
		}
		if line.TooLong {
			return fmt.Errorf("%s: line %d has %d bytes, more than can be produced (%d)", name, line.Number, line.Size, p.limit)
		}
		if err := p.one(ctx, line.Bytes); err != nil {
			return fmt.Errorf("%s: line %d: %w", name, line.Number, err)
		}
	}
}

// Eager returns a reader of in that hands over what is collected before it
// waits for more: the input may be slow, and somebody waits for its records.
func (p *Player) Eager(ctx context.Context, in io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		if err := p.producer.Flush(ctx); err != nil {
			return 0, err
		}
		return in.Read(b)
	})
}

// one produces one line.
func (p *Player) one(ctx context.Context, line []byte) error {
	if err := p.pace(ctx); err != nil {
		return err
	}
	now := p.now().UnixMilli()
	var sig pulse.Signal
	var key []byte
	value := line
	if bad := p.decoder.Decode(line, nil, now, &sig); bad == nil {
		key = []byte(sig.Name)
		if p.Shift != 0 && sig.TimestampGiven {
			value = shifted(line, sig.Timestamp, p.Shift)
		}
	}
	if err := p.producer.Append(ctx, now, key, value, nil); err != nil {
		return err
	}
	p.count++
	p.Produced(p.count)
	return nil
}

// pace waits until the next record is due, and hands over what is collected
// before it does.
func (p *Player) pace(ctx context.Context) error {
	if p.Rate <= 0 {
		return context.Cause(ctx)
	}
	due := p.began.Add(time.Duration(float64(p.count) / p.Rate * float64(time.Second)))
	wait := due.Sub(p.now())
	if wait <= 0 {
		return context.Cause(ctx)
	}
	if err := p.producer.Flush(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shifted writes another timestamp into a signal. Its members come in another
// order then; their values stay as they are.
func shifted(line []byte, at pulse.Timestamp, by time.Duration) []byte {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return line
	}
	at.Micros += by.Microseconds()
	text := append(at.AppendRFC3339([]byte{'"'}), '"')
	members["timestamp"] = text
	moved, err := json.Marshal(members)
	if err != nil {
		return line
	}
	return moved
}

// Newest is the latest timestamp among the signals of in, and whether there
// is any.
func Newest(in io.Reader, defaultSource string) (newest time.Time, found bool, err error) {
	lines := ndjson.NewReader(in, maxLineBytes)
	decoder := codec.NewDecoder(codec.Settings{DefaultSource: defaultSource})
	var sig pulse.Signal
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return newest, found, nil
		}
		if err != nil {
			return time.Time{}, false, err
		}
		if bad := decoder.Decode(line.Bytes, nil, 0, &sig); bad != nil || !sig.TimestampGiven {
			continue
		}
		if at := sig.Timestamp.Time(); !found || at.After(newest) {
			newest, found = at, true
		}
	}
}

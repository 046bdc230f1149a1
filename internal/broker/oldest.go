package broker

import (
	"context"
	"errors"
	"io"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pipeline"
)

// openRecord is what the first record of a partition that is not decided says.
type openRecord struct {
	// producer is the ID of who wrote it; -1 before it is found.
	producer int64
	// next is an input offset that is committed with it; -1 when it names none.
	next int64
}

// oldestOpen reads a partition of results, dead letters or state from its last stable
// offset on: the record there belongs to the oldest transaction that is open. In the
// state the first record of the same producer that names offsets counts.
func (c *cluster) oldestOpen(ctx context.Context, tp topicPartition, s span) (openRecord, error) {
	found := openRecord{producer: -1, next: -1}
	topic, err := c.topicID(tp.topic)
	if err != nil {
		return found, err
	}
	for next := s.stable; next < s.end; {
		got, err := c.fetchOne(ctx, tp.topic, topic, tp.partition, next, readUncommitted)
		if err != nil {
			return found, err
		}
		before := next
		if next, err = c.readOldest(tp.topic, got.set, next, &found); err != nil || found.next >= 0 {
			return found, err
		}
		if next == before {
			return found, errors.New("the partition gives nothing below its end")
		}
	}
	return found, nil
}

// readOldest reads one answer and returns the offset to go on at.
func (c *cluster) readOldest(topic string, set []byte, next int64, found *openRecord) (int64, error) {
	cursor := batch.NewCursor(batch.Limits{Inflate: stateInflate, Part: stateInflate})
	var inflate []byte
	for {
		b, rest, err := batch.Next(set)
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		set = rest
		if b.LastOffset < next {
			continue
		}
		if found.producer < 0 {
			found.producer = b.ProducerID
		}
		if !b.Control() && b.ProducerID == found.producer {
			if inflate, err = cursor.Reset(b, inflate); err == nil {
				err = eachRecord(cursor, next, func(rec *batch.Record) error {
					if found.next < 0 {
						found.next = c.inputOf(topic, rec)
					}
					return nil
				})
			}
			if err != nil || found.next >= 0 {
				return next, err
			}
		}
		next = b.LastOffset + 1
	}
}

// inputOf is the input offset that is committed with a record of ours, at least; -1
// when it names none.
func (c *cluster) inputOf(topic string, rec *batch.Record) int64 {
	switch topic {
	case c.topology.State:
		if key := string(rec.Key); rec.Value != nil && (key == claimKey || key == ownerKey) {
			if o, err := decodeOwner(rec.Value); err == nil {
				return o.Next[c.topology.Input]
			}
		}
	case c.topology.Results:
		var o codec.Origin
		if bad := new(codec.Decoder).ReadOrigin(rec.Value, &o); bad == nil && o.Topic == c.topology.Input {
			return o.Offset + 1
		}
	case c.topology.DeadLetters:
		var parser batch.HeaderParser
		if headers, err := parser.Parse(nil, rec.Headers); err == nil {
			if l, err := pipeline.ReadLetter(headers); err == nil && l.Topic == c.topology.Input {
				return l.Offset + 1
			}
		}
	}
	return -1
}

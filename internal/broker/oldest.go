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
	// next are offsets that are committed with it, nil when it names none.
	next offsets
}

// oldestOpen reads a partition of results, dead letters or state from its last stable
// offset on: the record there belongs to the oldest transaction that is open. In the
// state the first record of the same producer that names offsets counts.
func (c *cluster) oldestOpen(ctx context.Context, tp topicPartition, s span) (openRecord, error) {
	found := openRecord{producer: -1}
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
		if next, err = c.readOldest(tp.topic, got.set, next, &found); err != nil || found.next != nil {
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
					if found.next == nil {
						found.next = c.committedWith(topic, rec)
					}
					return nil
				})
			}
			if err != nil || found.next != nil {
				return next, err
			}
		}
		next = b.LastOffset + 1
	}
}

// committedWith are offsets that are committed with a record of ours; nil when it names
// none. A record that was tried before, or parked, comes of input that was committed
// long ago: only a first try is a witness, where nothing is parked
// (TestCommittedWith_AFirstTryOnly).
func (c *cluster) committedWith(topic string, rec *batch.Record) offsets {
	switch topic {
	case c.topology.State:
		return c.ownersNext(rec)
	case c.topology.Results:
		var o codec.Origin
		bad := new(codec.Decoder).ReadOrigin(rec.Value, &o)
		if bad == nil && o.Topic == c.topology.Input && o.Attempts == 1 && !c.parks {
			return offsets{o.Offset + 1}
		}
	default: // dead letters and retry tiers
		var parser batch.HeaderParser
		headers, err := parser.Parse(nil, rec.Headers)
		if err != nil || c.parks {
			return nil
		}
		if l, err := pipeline.ReadLetter(headers); err == nil && l.Topic == c.topology.Input && l.Deliveries == 1 {
			return offsets{l.Offset + 1}
		}
	}
	return nil
}

func (c *cluster) ownersNext(rec *batch.Record) offsets {
	if key := string(rec.Key); rec.Value == nil || key != claimKey && key != ownerKey {
		return nil
	}
	o, err := decodeOwner(rec.Value)
	if err != nil {
		return nil
	}
	next := unmoved(c.topology.sources())
	for topic, offset := range o.Next {
		if tier := c.topology.sourceTier(topic); tier >= 0 {
			next[tier] = offset
		}
	}
	return next
}

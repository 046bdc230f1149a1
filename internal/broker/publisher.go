package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

// Publisher writes single records to one topic, outside of any transaction: for what
// is of use when it arrives and no loss when it does not. A record may come twice.
type Publisher struct {
	client    *kafka.Client
	transport *kafka.Transport
	topic     string
}

// NewPublisher prepares a Publisher. It does not connect.
func NewPublisher(conn Connection, topic string) *Publisher {
	t := &kafka.Transport{
		Dial: conn.Dial, ClientID: conn.ClientID, DialTimeout: dialTimeout,
		MetadataTopics: []string{topic},
	}
	return &Publisher{client: &kafka.Client{Addr: kafka.TCP(conn.Brokers...), Transport: t}, transport: t, topic: topic}
}

// Publish writes one record, and returns when all in-sync replicas have it, or ctx
// has ended.
func (p *Publisher) Publish(ctx context.Context, partition int32, now time.Time, key, value []byte) error {
	res, err := p.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: p.topic, Partition: int(partition), RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Time: now, Key: kafka.NewBytes(key), Value: kafka.NewBytes(value)}),
	})
	if err == nil {
		err = errors.Join(res.Error, recordErrors(res.RecordErrors))
	}
	if err != nil {
		return fmt.Errorf("write to %s-%d: %w", p.topic, partition, err)
	}
	return nil
}

func recordErrors(byRecord map[int]error) error {
	var errs []error
	for _, err := range byRecord {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Close ends the connections.
func (p *Publisher) Close() { p.transport.CloseIdleConnections() }

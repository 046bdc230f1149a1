package broker

import (
	"context"
	"errors"
	"fmt"

	kafka "github.com/segmentio/kafka-go"

	"pulse-scorer/internal/broker/wire"
)

// SetStart commits where a group without members is to begin, by partition of one
// topic. The metadata says that it was no worker's (footing.go).
func SetStart(ctx context.Context, conn Connection, group, topic string, offsets []int64) error {
	t := &kafka.Transport{Dial: conn.Dial, ClientID: conn.ClientID, DialTimeout: dialTimeout}
	defer t.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(conn.Brokers...), Transport: t, Timeout: adminTimeout}
	commits := make([]kafka.OffsetCommit, len(offsets))
	for p, offset := range offsets {
		commits[p] = kafka.OffsetCommit{Partition: p, Offset: offset, Metadata: "set by hand"}
	}
	err := retry(ctx, func() error {
		res, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
			GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: commits},
		})
		if err != nil {
			return fmt.Errorf("offset commit: %w", err)
		}
		var errs []error
		for _, p := range res.Topics[topic] {
			if code := kafka.Error(0); errors.As(p.Error, &code) {
				errs = append(errs, wire.ErrorCode(code)) // a group that is new needs a moment
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return fmt.Errorf("commit where group %s begins on %s: %w", group, topic, err)
	}
	return nil
}

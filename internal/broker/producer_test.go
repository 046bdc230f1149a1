package broker

import (
	"fmt"
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/devbroker"
)

// Several batches for one partition in one flush go out as several requests on
// one connection; once, the frames of the later ones overwrote the first.
func TestProducer_SeveralBatchesAPartition(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "x", Partitions: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	p, err := NewProducer(t.Context(), Connection{Brokers: b.Addrs()}, "x", batch.None)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	const records = 40
	for i := range records {
		value := make([]byte, batchBytes/4)
		if err := p.Append(t.Context(), time.Now().UnixMilli(), fmt.Appendf(nil, "k%d", i%3), value, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends := b.EndOffsets("x")
	if got := ends[0] + ends[1]; got != records {
		t.Errorf("partitions end at %v: %d records, want %d", ends, got, records)
	}
}

package broker

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/pipeline"
)

// What a killed Transactor has written and not committed is gone when the next one
// has begun, offset included; should it have been paused only, it is refused.
func TestTransactor_AKilledOneLeavesNothing(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{Topics: []devbroker.Topic{{Name: "dlq", Partitions: 1}, {Name: "in", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	next := func() *Transactor {
		tx, err := NewTransactor(Connection{Brokers: b.Addrs()}, TransactorSettings{
			Group: "g-dlq-redrive", From: "dlq", To: []string{"in"}, Timeout: time.Minute, Compression: batch.None,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tx.Close)
		if err := tx.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		return tx
	}
	offset := func(tx *Transactor, want int64) {
		t.Helper()
		if got, err := tx.Committed(t.Context(), 0); err != nil || got != want {
			t.Fatalf("committed %d, want %d: %v", got, want, err)
		}
	}
	first := next()
	offset(first, NoOffset)
	first.Append("in", 0, 1, nil, []byte("a"), nil)
	if err := first.Commit(t.Context(), 0, 5); err != nil {
		t.Fatal(err)
	}
	offset(first, 5)
	first.Append("in", 0, 1, nil, []byte("b"), nil)
	for tp := range first.building {
		first.seal(tp)
	}
	if err := first.write(t.Context(), 0, 7); err != nil { // killed before the end
		t.Fatal(err)
	}
	second := next()
	offset(second, 5)
	requireCommitted(t, b, "a")
	if err := first.end(t.Context()); !errors.Is(err, ErrTakenOver) && !errors.Is(err, ErrUnknownOutcome) || first.Passing(err) && errors.Is(err, ErrTakenOver) {
		t.Errorf("the former one: %v", err)
	}
	offset(second, 5)
	requireCommitted(t, b, "a")
	second.Append("in", 0, 1, nil, []byte("b"), nil)
	if err := second.Commit(t.Context(), 0, 7); err != nil {
		t.Fatal(err)
	}
	offset(second, 7)
	requireCommitted(t, b, "a", "b")
}

// requireCommitted wants these values in the topic and no other, as a read_committed
// consumer sees it.
func requireCommitted(t *testing.T, b *devbroker.Broker, want ...string) {
	t.Helper()
	look, err := NewInspector(Connection{Brokers: b.Addrs()}, InspectorSettings{Group: "look", Topics: Topology{Input: "in"}, MaxRecordBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	if _, err := look.Partitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = look.Scan(t.Context(), Scan{Topic: "in", To: b.EndOffsets("in")[0], Each: func(r *pipeline.Record) error {
		got = append(got, string(r.Value))
		return nil
	}})
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("the topic holds %q, want %q: %v", got, want, err)
	}
}

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/devbroker"
)

// startBroker starts an embedded broker with these topics, of two partitions.
func startBroker(t *testing.T, topics ...string) (*admin, []string) {
	t.Helper()
	var set devbroker.Settings
	for _, name := range topics {
		set.Topics = append(set.Topics, devbroker.Topic{Name: name, Partitions: 2})
	}
	b, err := devbroker.Start(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	a, err := newAdmin(b.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a, b.Addrs()
}

func send(t *testing.T, brokers []string, topic string, values ...[]byte) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, v := range values {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHold_NothingIsSeenBeforeItIsReleased(t *testing.T) {
	t.Parallel()
	a, brokers := startBroker(t, "in")
	l := Load{Records: 500, Series: 10, Partitions: 2}
	h, err := l.hold(t.Context(), brokers, "in", 1763922333)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if sum := h.ends[0] + h.ends[1]; sum != 500 || h.ends[0] == 0 || h.ends[1] == 0 {
		t.Errorf("ends %v, want 500 records on both partitions", h.ends)
	}
	ends, err := a.ends(t.Context(), "in")
	if err != nil || ends[0]+ends[1] != 0 {
		t.Errorf("ends while it is held: %v, %v", ends, err)
	}
	if err := h.release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.awaitEnd(t.Context(), "in", 500); err != nil {
		t.Error(err)
	}
}

func TestSettled_WaitsForTheLastTransaction(t *testing.T) {
	t.Parallel()
	a, brokers := startBroker(t, "out")
	h, err := Load{Records: 500, Series: 10, Partitions: 2}.hold(t.Context(), brokers, "out", 1763922333)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if ends, err := a.settled(short, "out"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is open: %v, %v", ends, err)
	}
	if err := h.release(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends, err := a.settled(t.Context(), "out")
	if err != nil || ends[0] < h.ends[0] || ends[1] < h.ends[1] {
		t.Errorf("ends %v, %v, want %v at least", ends, err, h.ends)
	}
}

func TestAwaitMembers_OfThoseThatAreThere(t *testing.T) {
	t.Parallel()
	a, brokers := startBroker(t, "in")
	for range 2 {
		client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("in"), kgo.ConsumerGroup("g"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
	}
	if err := a.awaitMembers(t.Context(), "g", 2); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.awaitMembers(short, "g", 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third one: %v", err)
	}
}

func TestCheck_CompleteAndUnique(t *testing.T) {
	t.Parallel()
	l := Load{Records: 200, Series: 10, Partitions: 2}
	var whole [][]byte
	for i := range l.Records {
		if origin(i) == i {
			whole = append(whole, l.value(i, 0))
		}
	}
	for name, c := range map[string]struct {
		values [][]byte
		good   bool
	}{
		"whole":       {whole, true},
		"one is lost": {whole[1:], false},
		"one twice":   {append(slices.Clip(whole), whole[7]), false},
		"a stranger":  {append(slices.Clip(whole), []byte("{}")), false},
		"a repeat":    {append(slices.Clip(whole), bytes.Replace(whole[98], []byte("98"), []byte("99"), 1)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, brokers := startBroker(t, "out")
			send(t, brokers, "out", c.values...)
			if err := l.check(t.Context(), a, brokers, "out"); (err == nil) != c.good || err != nil && !errors.Is(err, ErrIncomplete) {
				t.Error(err)
			}
		})
	}
}

func TestMeter_ItselfAndWhatComesTwice(t *testing.T) {
	t.Parallel()
	_, brokers := startBroker(t, "in")
	m := meter{brokers: brokers, in: "in", out: "in", load: Load{Series: 10, Partitions: 2}, rate: 200, now: time.Now}
	l, err := m.measure(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.latency) != 200 || l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max {
		t.Errorf("%d signals, %+v", len(m.latency), l)
	}
	m.latency = nil
	if _, err := m.measure(t.Context(), time.Second); !errors.Is(err, ErrIncomplete) {
		t.Errorf("with the signals of the first time before its own: %v", err)
	}
}

// Both jobs say that they are ready and end when they are told to; the copy gives what
// it was given, the other one a result for each signal.
func TestJobs_WorkThroughTheLoad(t *testing.T) {
	t.Parallel()
	l := Load{Records: 1000, Series: 10, Partitions: 2}
	for _, c := range []Contestant{Copy, Transact} {
		t.Run(string(c), func(t *testing.T) {
			t.Parallel()
			a, brokers := startBroker(t, "in", "out")
			h, err := l.hold(t.Context(), brokers, "in", 1763922333)
			if err != nil {
				t.Fatal(err)
			}
			defer h.close()
			said, say := io.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			job := Job{Brokers: brokers, In: "in", Out: "out", Group: "g", Partitions: 2, Ready: say}
			work := job.Copy
			if c == Transact {
				work = job.Transact
			}
			ended := make(chan error, 1)
			go func() { ended <- work(ctx) }()
			var line string
			if _, err := fmt.Fscanln(said, &line); err != nil || line != ready {
				t.Fatalf("it said %q, %v", line, err)
			}
			if err := h.release(ctx); err != nil {
				t.Fatal(err)
			}
			if c == Copy {
				err = a.awaitEnd(ctx, "out", l.Records)
			} else if err = a.awaitCommitted(ctx, "g", "in", h.ends); err == nil {
				err = l.check(ctx, a, brokers, "out")
			}
			if err != nil {
				t.Error(err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("asked to end: %v", err)
			}
		})
	}
}

// A broker may list a topic that it has deleted, and then says that it is unknown.
func TestDeleted_WhatIsNotThereIsNoFault(t *testing.T) {
	t.Parallel()
	err := deleted(kadm.DeleteTopicResponses{
		"gone": {Topic: "gone", Err: kerr.UnknownTopicOrPartition},
		"kept": {Topic: "kept", Err: kerr.TopicAuthorizationFailed},
		"well": {Topic: "well"},
	})
	if !errors.Is(err, kerr.TopicAuthorizationFailed) || strings.Contains(err.Error(), "gone") || !strings.Contains(err.Error(), "kept") {
		t.Errorf("%v, want only that kept was not deleted", err)
	}
	if err := deleted(kadm.DeleteTopicResponses{"gone": {Topic: "gone", Err: kerr.UnknownTopicOrPartition}}); err != nil {
		t.Error(err)
	}
}

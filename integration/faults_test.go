//go:build integration

package integration_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/faultnet"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// The size of a case: enough transactions for the later occurrences of the matrix.
const (
	faultsAtOnce    = 16 // the cases wait for time-outs most of their time
	faultPartitions = 2
	faultRounds     = 10
	faultPerRound   = 40
	faultPause      = 80 * time.Millisecond
	hangGuard       = 5 * time.Minute
)

// Every request of the engine loses its answer, has it stalled, is lost itself or
// comes late, on a real broker. The engine finds out what has happened and goes on:
// nothing is lost or doubled, the offsets end where the input does.
func TestFaults_EachRequest(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Brokers(t)
	gate := make(chan struct{}, faultsAtOnce)
	var running sync.WaitGroup
	for _, fault := range faultnet.Matrix() { //nolint:paralleltest // the gate decides how many run at once
		running.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			t.Run(fault.String(), func(t *testing.T) { surviveFault(t, brokers, fault) })
		})
	}
	running.Wait()
}

func surviveFault(t *testing.T, brokers []string, fault faultnet.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	lab := newLab(ctx, t, brokers, kafkatest.Name("fault"), faultPartitions)
	network := faultnet.New(fault)
	defer func() { _ = network.Close() }()
	stop := lab.serve(ctx, t, network)
	produced := 0
	pause := time.NewTicker(faultPause)
	defer pause.Stop()
	// Two rounds come after the fault: the last offsets cannot have been committed
	// before it, so that what it has done is done with when they are.
	for after := 0; produced < faultRounds*faultPerRound || after < 2; {
		if network.Over() {
			after++
		}
		produced = lab.produceRound(ctx, t, produced)
		select {
		case <-pause.C:
		case <-ctx.Done():
			t.Fatalf("fired %v, but the fault is not over; %d requests of this kind", network.Fired(), network.Seen(fault.API))
		}
	}
	lab.awaitEnd(ctx, t)
	if err := stop(); err != nil {
		t.Errorf("engine ended with %v, want nil", err)
	}
	for _, a := range network.Delivered() {
		t.Logf("delivered late: %v, answered %s", a.API, verdictOf(a))
	}
	if fault.Kind == faultnet.DelayRequest && len(network.Delivered()) == 0 {
		t.Error("the delayed request was never delivered")
	}
	lab.account(ctx, t).expectBalanced(t)
}

// verdictOf reads the error code of the answers in which it has a fixed place:
// after the correlation ID, an empty tag section and the throttle time.
func verdictOf(a faultnet.Answer) string {
	const codeAt = 4 + 1 + 4
	fixed := []faultnet.API{faultnet.EndTxn, faultnet.AddOffsetsToTxn, faultnet.InitProducerID, faultnet.Heartbeat}
	if !slices.Contains(fixed, a.API) || len(a.Payload) < codeAt+2 {
		return fmt.Sprintf("%d bytes", len(a.Payload))
	}
	if err := kerr.ErrorForCode(int16(binary.BigEndian.Uint16(a.Payload[codeAt:]))); err != nil {
		return err.Error()
	}
	return "without error"
}

// serve runs an engine with the real record path. stop drains it.
func (l *lab) serve(ctx context.Context, t *testing.T, network *faultnet.Net) (stop func() error) {
	t.Helper()
	registry := prometheus.NewRegistry()
	metrics := pipeline.NewMetrics(registry)
	engine, err := broker.New(
		broker.Connection{Brokers: l.brokers, ClientID: "faults", Dial: network.Dial},
		broker.Settings{
			Group: l.group, Topics: l.topics, Start: broker.Earliest,
			CommitInterval: 20 * time.Millisecond, TransactionTimeout: 3 * time.Second,
			SessionTimeout: 6 * time.Second, HeartbeatInterval: 200 * time.Millisecond,
			StallTimeout: 30 * time.Second, DrainTimeout: 15 * time.Second,
			MaxRecordBytes: 1 << 20, MaxInflightBytes: 16 << 20, Compression: batch.LZ4,
		},
		broker.Deps{
			Log:      slog.New(slog.NewTextHandler(t.Output(), nil)),
			Registry: registry, Now: time.Now,
			NewTask: func(int32) broker.Task { return l.newTask(t, metrics) },
		})
	if err != nil {
		t.Fatalf("make an engine: %v", err)
	}
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- engine.Run(run) }()
	return func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return errors.New("the engine does not stop")
		}
	}
}

func (l *lab) newTask(t *testing.T, metrics *pipeline.Metrics) broker.Task {
	t.Helper()
	var key [16]byte
	_, _ = rand.Read(key[:])
	task, err := pipeline.New(pipeline.Settings{
		Group: l.group, ScorerVersion: "test", DefaultSource: "unknown", MaxRecordBytes: 1 << 20,
		State: state.Settings{DedupeWindow: time.Hour, DedupeMaxIDs: 100000, WindowSize: 50, MemorySize: 100},
	}, pipeline.Deps{Profile: scoring.Parity(), Metrics: metrics, HashKey: key, Now: time.Now})
	if err != nil {
		t.Errorf("make a record path: %v", err)
	}
	return task
}

// produceRound writes the next records, one in ten with an ID that was there
// before, and returns how many there are now.
func (l *lab) produceRound(ctx context.Context, t *testing.T, from int) int {
	t.Helper()
	records := make([]*kgo.Record, faultPerRound)
	for i := range records {
		records[i] = l.signal(from + i)
	}
	if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	return from + len(records)
}

// repeatEvery tells which records repeat an earlier one.
const repeatEvery = 10

// poison stands in every record that cannot be scored.
const poison = "poison"

// signal is the n-th record of the input: partitions in turn, some series, and
// every tenth of a partition is the one before it once more. In a lab with poison
// some are no JSON, and some have no value.
func (l *lab) signal(n int) *kgo.Record {
	partition, at := n%l.partitions, n/l.partitions
	if at%repeatEvery == repeatEvery-1 {
		at -= 1 + at/repeatEvery%(repeatEvery-1)
	}
	id := at*l.partitions + partition
	name := fmt.Sprintf("series-%d-%d", partition, at%25)
	value := fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%d.5,"source":"chaos","timestamp":%d}`, id, name, id%1000, 1700000000+at)
	if l.poisonEvery > 0 && at%l.poisonEvery == l.poisonEvery-1 {
		value = fmt.Appendf(nil, `%s %d`, poison, id)
		if at/l.poisonEvery%2 == 1 {
			value = fmt.Appendf(nil, `{"id":"%d","name":%q,"value":null,"source":%q}`, id, name, poison)
		}
	}
	return &kgo.Record{Topic: l.topics.Input, Partition: int32(partition), Key: []byte(name), Value: value}
}

// awaitEnd waits until the group has committed the end of the input. It may commit
// more: a producer that ends a transaction has its answer before the markers are
// in the log, so the end that is read here may lack them.
func (l *lab) awaitEnd(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, hangGuard)
	defer cancel()
	ends := make(map[int32]int64)
	for p := range int32(l.partitions) {
		ends[p] = l.end(ctx, t, l.topics.Input, p)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		behind := 0
		committed := l.committed(ctx, t)
		for p, end := range ends {
			if committed[p].offset < end {
				behind++
			}
		}
		if behind == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("committed offsets are %v, want %v", committed, ends)
		}
	}
}

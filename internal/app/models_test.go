package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// shelf is a models topic that can be out of reach.
type shelf struct {
	mu     sync.Mutex
	broken bool
	has    map[string]string
	closed bool
}

func (s *shelf) Publish(_ context.Context, _ int32, _ time.Time, key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.New("out of reach")
	}
	s.has[string(key)] = string(value)
	return nil
}

func (s *shelf) Close() { s.closed = true }

func (s *shelf) repair() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = false
}

// What cannot be written stops nothing, is counted, and is written later: the newest
// of each task, at the latest at the end.
func TestModels_AFailureStopsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &shelf{broken: true, has: map[string]string{}}
		registry := prometheus.NewRegistry()
		w := newModelWriter(to, Deps{Log: slog.New(slog.DiscardHandler), Now: time.Now}, registry)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.run(ctx) }()
		count := func(result string) float64 { return counted(t, registry, result) }

		w.Offer(3, []byte("first"))
		synctest.Wait()
		if count("failed") != 1 || count("written") != 0 {
			t.Errorf("%v failed, %v written", count("failed"), count("written"))
		}
		w.Offer(3, []byte("second"))
		w.Offer(5, []byte("other"))
		to.repair()
		time.Sleep(modelsAgain)
		synctest.Wait()
		if to.has["3"] != "second" || to.has["5"] != "other" || count("written") != 2 {
			t.Errorf("%v, %v written", to.has, count("written"))
		}
		stop()
		w.Offer(3, []byte("last"))
		if err := <-done; err != nil || to.has["3"] != "last" || !to.closed {
			t.Errorf("at the end: %v, %v, closed %v", err, to.has, to.closed)
		}
	})
}

// stuck is a models topic that does not answer before its first call is given up.
type stuck struct{ calls int }

func (s *stuck) Publish(ctx context.Context, _ int32, _ time.Time, _, _ []byte) error {
	if s.calls++; s.calls > 1 {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *stuck) Close() {}

// A write that the service's end cuts short is no failure: it is written then.
func TestModels_WhatTheEndCutsShortIsWrittenThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		w := newModelWriter(&stuck{}, Deps{Log: slog.New(slog.DiscardHandler), Now: time.Now}, registry)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.run(ctx) }()
		w.Offer(3, []byte("first"))
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if failed, written := counted(t, registry, "failed"), counted(t, registry, "written"); failed != 0 || written != 1 {
			t.Errorf("%v failed, %v written, want 0 and 1", failed, written)
		}
	})
}

// counted is metric pulse_model_snapshots_total.
func counted(t *testing.T, r prometheus.Gatherer, result string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "pulse_model_snapshots_total" && m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric of result %s", result)
	return 0
}

package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestLoad_RepeatsOneInAHundred(t *testing.T) {
	t.Parallel()
	l := Load{Records: 2000, Series: 30, Partitions: 8}
	keys, seen := make(map[string]bool), make(map[int][]byte)
	for i := range l.Records {
		value := l.value(i, 1763922333.5)
		var signal struct {
			ID, Name, Source string
			Value, Timestamp float64
		}
		if err := json.Unmarshal(value, &signal); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if signal.Name != string(l.key(i)) {
			t.Errorf("%s has the key %s", value, l.key(i))
		}
		keys[signal.Name] = true
		n, err := numberOf(value)
		if err != nil || n != origin(i) {
			t.Errorf("%s is of record %d (%v), want %d", value, n, err, origin(i))
		}
		if before, again := seen[n]; again && !bytes.Equal(before, value) {
			t.Errorf("%s repeats %s", value, before)
		}
		seen[n] = value
	}
	if len(keys) != l.Series || len(seen) != l.Unique() {
		t.Errorf("%d series and %d signals, want %d and %d", len(keys), len(seen), l.Series, l.Unique())
	}
	if size := len(l.value(1234, 1763922333.5)); size < 110 || size > 135 {
		t.Errorf("a value of %d bytes", size)
	}
}

func TestNumberOf_WhatIsOfNoLoad(t *testing.T) {
	t.Parallel()
	for _, value := range []string{``, `{"id":"sig-1"}`, `{"id":"bench-0000`, `{"id":"bench-00000x001"}`} {
		if n, err := numberOf([]byte(value)); !errors.Is(err, errNoNumber) {
			t.Errorf("%s: %d, %v", value, n, err)
		}
	}
}

func TestSpread_OfRoundsThatHaveBoth(t *testing.T) {
	t.Parallel()
	if got, want := spreadOf([]float64{4, 1, 3}), (Spread{3, 1, 4}); got != want {
		t.Errorf("odd: %v, want %v", got, want)
	}
	if got, want := spreadOf([]float64{4, 1, 3, 10}), (Spread{3.5, 1, 10}); got != want {
		t.Errorf("even: %v, want %v", got, want)
	}
	r := Report{Rounds: []Round{make(Round), make(Round), make(Round)}}
	for i, took := range []time.Duration{500 * time.Millisecond, time.Second, 250 * time.Millisecond} {
		r.Rounds[i][Copy] = Measured{Records: 100, Took: took}
		if i != 1 {
			r.Rounds[i][Service] = Measured{Records: 100, Took: time.Second}
		}
	}
	if got, want := r.Ratio(Copy, Measured.Rate), (Spread{0.375, 0.25, 0.5}); got != want {
		t.Errorf("ratio: %v, want %v", got, want)
	}
	if got := r.Ratio(Transact, Measured.Rate); got != (Spread{}) {
		t.Errorf("ratio to nobody: %v", got)
	}
}

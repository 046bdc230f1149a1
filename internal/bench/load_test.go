package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
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

// As many signals as series are enough for one of each, with records by the million, too.
func TestLoad_HasAllItsSeries(t *testing.T) {
	t.Parallel()
	for _, series := range []int{1, 30, 100, 1000, 7919, 10_000, 1_000_000} {
		l := Load{Records: maxRecords, Series: series, Partitions: 8}
		first := maxRecords/2 - maxRecords/2%repeatEvery
		seen, all, last := make([]bool, series), 0, -1
		for i := first; all < series && i-first <= series+series/50; i++ {
			if origin(i) != i {
				continue
			}
			n, err := strconv.Atoi(strings.TrimPrefix(string(l.key(i)), "series-"))
			if err != nil || n >= series || series > 1 && n == last {
				t.Fatalf("record %d of %d series is of series %d, like its neighbour, or %v", i, series, n, err)
			}
			if !seen[n] {
				seen[n] = true
				all++
			}
			last = n
		}
		if all != series {
			t.Errorf("%d series of %d", all, series)
		}
	}
	last := maxRecords - 2
	if n, err := numberOf(Load{Records: maxRecords, Series: 1_000_000}.value(last, 0)); err != nil || n != last {
		t.Errorf("the last number is %d, %v", n, err)
	}
}

func TestLoad_HasTimeToBeProduced(t *testing.T) {
	t.Parallel()
	for records, want := range map[int]time.Duration{
		1_000_000: 3 * time.Minute, 10_000_000: 12 * time.Minute, maxRecords: 15 * time.Minute,
	} {
		if got := (Load{Records: records}).timeout(); got != want {
			t.Errorf("%d records have %v, want %v", records, got, want)
		}
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

// All signals of a load are of one hour that is over, whatever the clock says.
func TestLoad_IsOfOneHour(t *testing.T) {
	t.Parallel()
	const over = 1_763_920_800 // an hour begins
	l := Load{Records: 2000, Series: 30, Partitions: 8}
	for _, now := range []float64{over, over + 1, over + 1000, over + 3599} {
		for i := range l.Records {
			var s struct{ Timestamp float64 }
			if err := json.Unmarshal(l.value(i, now), &s); err != nil || s.Timestamp < over-3600 || s.Timestamp >= over {
				t.Fatalf("%v after the hour signal %d is of %.0f (%v)", now-over, i, s.Timestamp, err)
			}
		}
	}
}

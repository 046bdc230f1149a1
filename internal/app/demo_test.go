package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"pulse-scorer/internal/devbroker"
)

func TestQuantile_IsTheNearestRank(t *testing.T) {
	t.Parallel()
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1))
	}
	for _, c := range []struct {
		n    int
		q    float64
		want time.Duration
	}{{0, 0.5, 0}, {1, 0.5, 1}, {1, 0.99, 1}, {2, 0.5, 1}, {3, 0.5, 2}, {100, 0.99, 99}, {200, 0.5, 100}, {200, 0.99, 198}} {
		if got := quantile(sorted[:c.n], c.q); got != c.want {
			t.Errorf("%v of %d: %d, want %d", c.q, c.n, got, c.want)
		}
	}
}

// The census is what says whether a run was right: it must see what is lost,
// what came twice, and leave out what an earlier run has kept.
func TestCensus_SeesLostAndTwice(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(5000)
	c := &census{outcomes: make(map[place]int), dead: make(map[string]int), now: func() time.Time { return at }, changed: make(chan struct{}, 1)}
	c.skip([]int64{10})
	result := func(offset int64) devbroker.Record {
		return devbroker.Record{Topic: "results", Value: fmt.Appendf(nil, `{"input":{"partition":0,"offset":%d,"timestamp":"1970-01-01T00:00:04Z"}}`, offset)}
	}
	letter := func(offset int64) devbroker.Record {
		return devbroker.Record{Topic: "dlq", Headers: map[string]string{"__dlq.errors.offset": fmt.Sprint(offset), "pulse-error-class": "too_large"}}
	}
	for _, r := range []devbroker.Record{result(9), result(10), result(11), result(11), letter(9), letter(12), letter(12)} {
		c.count(r, "results")
	}
	got := c.summary(6, 1, time.Second)
	want := Summary{In: 6, Scored: 3, Twice: 2, Lost: 2, Duplicate: 1, Dead: map[string]int{"too_large": 2}, Seconds: 1, PerSecond: 6, P50: time.Second, P99: time.Second}
	g, err := json.Marshal(got)
	w, err2 := json.Marshal(want)
	if err != nil || err2 != nil || !bytes.Equal(g, w) {
		t.Errorf("summary %s, want %s", g, w)
	}
	if !errors.Is(got.Balanced(), ErrUnbalanced) || (Summary{In: 3, Scored: 3}).Balanced() != nil {
		t.Errorf("balanced: %v", got.Balanced())
	}
	c.count(devbroker.Record{Topic: "results", Value: []byte("nonsense")}, "results")
	if err := c.wait(t.Context(), 6, func() int { return 1 }, func(int, int) {}); err == nil {
		t.Error("a result that is not JSON passes")
	}
}

package pipeline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// The results of a service that retried, parked, held, was rolled back and
// restarted, are found again from its input and from what became of each record:
// however far ingest runs ahead.
func TestReplayer_FindsWhatTheServiceDid(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		s := retrySettings()
		s.State.DedupeMaxIDs = 1000
		if seed%2 == 0 {
			s = byKey()
			s.Retry.MaxParked = 15
		}
		if seed%4 < 2 {
			s.State.WindowSize = 0
		}
		g := newStage(t, seed, s, 300)
		mixForecasts(g)
		g.run()
		fates := map[int64]Fate{}
		var results []written
		for _, w := range g.out {
			switch w.to { //nolint:exhaustive // the others are no outcomes
			case Results:
				results = append(results, w)
				fates[originOf(t, w)] |= FateScored
			case DeadLetters:
				l, err := ReadLetter(w.headers)
				if err != nil {
					t.Fatal(err)
				}
				fates[l.Offset] |= FateOf(&l)
			}
		}
		compareReplay(t, g, results, fates, seed)
	}
}

// mixForecasts makes every third signal a forecast, and some of them bad, all with
// the IDs they had.
func mixForecasts(g *stage) {
	for i, in := range g.input {
		switch {
		case i%3 == 0:
			in.Value = bytes.Replace(forecastAt(in.Offset).Value, []byte(fmt.Sprintf("f-%d", in.Offset)), idOf(in.Value), 1)
			in.Value = bytes.Replace(in.Value, []byte(`"name":"n"`), fmt.Appendf(nil, `"name":"series-%d"`, i%4), 1)
		case i%50 == 1:
			in.Value = []byte(`{"name":"n","value":"bad","source":"s"}`)
		}
	}
}

func idOf(value []byte) []byte {
	_, id, _ := bytes.Cut(value, []byte(`"id":"`))
	id, _, _ = bytes.Cut(id, []byte(`"`))
	return id
}

func compareReplay(t *testing.T, g *stage, results []written, fates map[int64]Fate, seed uint64) {
	t.Helper()
	r, err := NewReplayer(g.settings, profileFor(&g.settings))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 4))
	next, again := 0, 0
	for _, w := range results {
		origin := originOf(t, w)
		for ahead := int(origin) + random.IntN(30); next <= min(ahead, len(g.input)-1); next++ {
			r.Ingest(g.input[next], fates[int64(next)])
		}
		attempts := 1
		if !bytes.Contains(w.value, []byte(`"attempts":1,`)) {
			again++
		}
		got, err := r.Score(nil, origin, attempts)
		if err != nil {
			t.Fatalf("seed %d: result of offset %d: %v", seed, origin, err)
		}
		if a, b := scoresOf(t, written{value: got}), scoresOf(t, w); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("seed %d: result of offset %d\n%v\nis replayed as\n%v", seed, origin, b, a)
		}
	}
	if again < 5 || len(results) < 100 {
		t.Errorf("seed %d: %d results, %d after another try", seed, len(results), again)
	}
	if _, err := r.Score(nil, originOf(t, results[0]), 1); err == nil || !strings.Contains(err.Error(), "cannot be scored") {
		t.Errorf("a result twice: %v", err)
	}
}

// A record whose result is too large for its topic is not decoded any more, so it
// counts against no source: not in the service, and not when it is scored again.
func TestReplayer_WhatWasNotReadCountsAgainstNobody(t *testing.T) {
	t.Parallel()
	s := v2Settings()
	task := taskWith(t, s, NewMetrics(prometheus.NewRegistry()), wall)
	again, err := NewReplayer(s, profileFor(&s))
	if err != nil {
		t.Fatal(err)
	}
	for i, source := range []string{`,"source":""`, `,"source":"s"`, `,"source":"s"`, `,"source":""`, `,"source":"s"`} {
		in := signalAt(int64(i), fmt.Sprintf(`{"id":"%d","name":"n","value":1%s}`, i, source))
		in.ResultRefused = i == 2
		w := one(t, task, in)
		if in.ResultRefused {
			l, err := ReadLetter(w.headers)
			if err != nil || l.Class != "too_large" {
				t.Fatalf("%+v, %v", l, err)
			}
			again.Ingest(signalAt(in.Offset, string(in.Value)), FateOf(&l))
			continue
		}
		again.Ingest(in, FateScored)
		got, err := again.Score(nil, in.Offset, 1)
		if err != nil || !bytes.Equal(got, w.value) || !strings.Contains(string(got), `"reliability":1}`) {
			t.Errorf("record %d: %s\nagain %s, %v", i, w.value, got, err)
		}
	}
}

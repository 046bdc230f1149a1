package pipeline

import (
	"strings"

	"pulse-scorer/internal/pulse"
)

// tally counts one batch. It reaches the metrics when the batch has committed,
// so that a batch that is done again is not counted twice
// (TestMetrics_CountOnlyWhatHasCommitted).
type tally struct {
	outcomes         [outcomes]int
	deaths           map[death]int
	sources          map[string]int
	trust            []float64
	keysAbsent       int
	keysDiffer       int
	enrichmentErrors int
	unlearned        int
	panics           int
	// times are the record timestamps of scored records, sampled.
	times []int64

	lastSource string
	lastCount  int
}

type death struct {
	stage Stage
	class pulse.Class
}

func newTally() *tally {
	return &tally{deaths: make(map[death]int), sources: make(map[string]int)}
}

func (c *tally) reset() {
	clear(c.deaths)
	clear(c.sources)
	*c = tally{deaths: c.deaths, sources: c.sources, trust: c.trust[:0], times: c.times[:0]}
}

func (c *tally) scored(in *Record, sig *pulse.Signal, sc *pulse.Score) {
	c.outcomes[OutcomeScored]++
	c.source(sig.Source)
	if sc.Trust.Valid {
		c.trust = append(c.trust, sc.Trust.Number)
	}
	switch {
	case in.Key == nil:
		c.keysAbsent++
	case string(in.Key) != sig.Name:
		c.keysDiffer++
	}
	if in.Offset%sampleEvery == 0 || len(c.times) == 0 {
		c.times = append(c.times, in.TimestampMs)
	}
}

// source counts runs of the same source without a map access each.
func (c *tally) source(s string) {
	if s != c.lastSource {
		c.flushSource()
		c.lastSource = strings.Clone(s)
	}
	c.lastCount++
}

func (c *tally) flushSource() {
	if c.lastCount > 0 {
		c.sources[c.lastSource] += c.lastCount
	}
	c.lastSource, c.lastCount = "", 0
}

func (c *tally) dead(o Outcome) {
	c.outcomes[OutcomeDead]++
	c.deaths[death{o.Stage, o.Bad.Class}]++
}

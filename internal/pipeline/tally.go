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
	letters          map[pulse.Class]int
	failures         map[failure]int
	sources          map[string]*sourceCount
	trust            []float64
	keysAbsent       int
	keysDiffer       int
	enrichmentErrors int
	unlearned        int
	// times are the record timestamps of scored records, sampled.
	times []int64
	// followed are the records that somebody follows.
	followed []Followed
	// sight is nil when nobody watches.
	sight *Sight

	// last is the source of the signal before: most come in runs.
	last *sourceCount
}

// sourceCount counts the ingested signals of a source.
type sourceCount struct {
	name string
	n    int
}

type failure struct {
	stage Stage
	class pulse.Class
}

func newTally(sight *Sight) *tally {
	return &tally{
		letters: make(map[pulse.Class]int), failures: make(map[failure]int), sources: make(map[string]*sourceCount), sight: sight,
	}
}

func (c *tally) reset() {
	clear(c.letters)
	clear(c.failures)
	clear(c.sources)
	clear(c.followed)
	*c = tally{
		followed: c.followed[:0], letters: c.letters, failures: c.failures, sources: c.sources, trust: c.trust[:0], times: c.times[:0], sight: c.sight,
	}
	c.sight.reset()
}

func (c *tally) scored(p *passage) {
	in, sc := p.in, &p.score
	c.outcomes[OutcomeScored]++
	if sc.Trust.Valid {
		c.trust = append(c.trust, sc.Trust.Number)
	}
	if sc.EnrichmentError != "" {
		c.enrichmentErrors++
	}
	if p.unremembered {
		c.unlearned++
	}
	switch {
	case in.Key == nil:
		c.keysAbsent++
	case string(in.Key) != p.signal.Name:
		c.keysDiffer++
	}
	if in.Offset%sampleEvery == 0 || len(c.times) == 0 {
		c.times = append(c.times, p.recordMs)
	}
}

// ingested counts a signal of a source, which belongs to the record.
func (c *tally) ingested(source string) {
	if c.last == nil || c.last.name != source {
		if c.last = c.sources[source]; c.last == nil {
			c.last = &sourceCount{name: strings.Clone(source)}
			c.sources[c.last.name] = c.last
		}
	}
	c.last.n++
}

func (c *tally) dead(o Outcome, class pulse.Class) {
	c.outcomes[OutcomeDead]++
	c.letters[class]++
	c.failures[failure{o.Stage, o.Bad.Class}]++
}

func (c *tally) retried(o Outcome) {
	c.outcomes[OutcomeRetried]++
	c.failures[failure{o.Stage, o.Bad.Class}]++
}

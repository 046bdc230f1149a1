package series

// sourceRate is the weight of a source's record in its reliability: a power of
// two, so that nothing is rounded.
const sourceRate = 1.0 / 128

// Source is what a task remembers of one source. The zero value has no records,
// and is reliable.
type Source struct {
	// bad is the decaying share of records that were bad: half of what one adds
	// is gone after 89 records.
	bad float64
	// level, before and third are where the series stood that were observed
	// last, in deviations from their long run.
	level, before, third float64
}

// Count takes one record of the source.
func (s *Source) Count(good bool) {
	s.bad -= float64(s.bad * sourceRate)
	if !good {
		s.bad += sourceRate
	}
}

// Note takes what a series of the source has just observed.
func (s *Source) Note(series *Series) {
	s.third, s.before = s.before, s.level
	s.level = series.level.slow.measure(series.level.lag(0))
}

// Reliability is the decaying share of records that were good, in [0,1]. A source
// without records is reliable until it shows otherwise.
func (s *Source) Reliability() float64 { return max(0, 1-s.bad) }

// mean3 is the rolling mean of three levels.
func (s *Source) mean3() float64 { return (s.level + s.before + s.third) / 3 }

package series

// sourceRate is the weight of a source's record in its reliability, sourceDrift
// that of an observation in its drift. Powers of two, so that no weight is
// rounded.
const sourceRate, sourceDrift = 1.0 / 128, 1.0 / 4

// Source is what a task remembers of one source. The zero value has no records,
// and is reliable.
type Source struct {
	// bad is the decaying share of records that were bad: half of what one adds
	// is gone after 89 records.
	bad float64
	// level is where the last series of the source stood, in deviations from
	// its long run, drift the rolling mean of that.
	level, drift float64
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
	s.level = series.level.slow.measure(series.level.lag(0))
	s.drift += float64((s.level - s.drift) * sourceDrift)
}

// Reliability is the decaying share of records that were good, in [0,1]. A source
// without records is reliable until it shows otherwise.
func (s *Source) Reliability() float64 { return max(0, 1-s.bad) }

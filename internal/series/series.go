package series

import "pulse-scorer/internal/anomaly"

// Series is what a task remembers of one series: its detector, cadence, level
// and, if it brings forecasts, the trust they got. It is a machine that Observe
// and Scored advance, each by one call; the same calls lead to the same state to
// the bit, also from a copy or from AppendBinary's bytes. The zero value is a
// new series.
type Series struct {
	detector anomaly.Detector
	cadence  cadence
	level    level
	trust    trust
	// anomaly is the last observation's score.
	anomaly float64
}

// Reading is what one observation shows against its series.
type Reading struct {
	// Anomaly is in [0,1]: how surely the value is out of the ordinary.
	Anomaly float64
	// Continuity is in (0,1]: the part of the observations that were due since
	// the last one that has come.
	Continuity float64
	// UsualGap is the time between two observations of the series in seconds, a long
	// one that is still usual; 0 as long as too little is known.
	UsualGap float64
}

// Observe takes the next observation of the series: a finite value and the time
// it was observed at, in microseconds since 1970. It allocates nothing.
func (s *Series) Observe(value float64, timestampMicros int64) Reading {
	s.anomaly = unit(s.detector.Next(timestampMicros, value))
	s.level.observe(value)
	usual := s.cadence.usualGap() // before this gap is one of them: a late value must not make itself fresh
	return Reading{Anomaly: s.anomaly, Continuity: s.cadence.observe(timestampMicros), UsualGap: usual}
}

// Trust is what is known of the stream's scores.
func (s *Series) Trust() Trust {
	t := &s.trust
	if t.count == 0 {
		return Trust{Error: PriorError}
	}
	return Trust{Known: true, Last: t.last, Mean: t.mean, Error: t.err}
}

// Scored takes the trust score in [0,1] that a forecast of the stream got, and
// the prediction of it.
func (s *Series) Scored(score, predicted float64) { s.trust.observe(score, predicted) }

// unit is x within [0,1], and 0 for what is no number.
func unit(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return min(x, 1)
}

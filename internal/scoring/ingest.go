package scoring

import "pulse-scorer/internal/pulse"

// Ingest scores one observation: freshness, anomaly, tag of the name, trust
// index. nowMicros is the record's own time, not the clock's.
//
// window holds the last values of the series in order, the signal's own one
// last; of a longer one the last WindowSize count. It is only read. Nothing is
// allocated (TestIngest_AllocatesNothing), and for a finite value every number
// of the result is finite.
func (p *Profile) Ingest(sig *pulse.Signal, nowMicros int64, window []float64) pulse.Ingest {
	if extra := len(window) - p.WindowSize; extra > 0 {
		window = window[extra:]
	}
	recency := p.Recency.score(nowMicros, sig.Timestamp.Micros)
	anomaly := p.Anomaly.flag(sig.Value, window)
	return pulse.Ingest{
		SignalTag:    p.SignalTags.of(sig.Name),
		RawRecency:   recency,
		RecencyScore: roundTo(recency, p.ScoreDecimals),
		AnomalyFlag:  anomaly,
		STI:          roundTo(p.STI.index(recency, anomaly), p.ScoreDecimals),
	}
}

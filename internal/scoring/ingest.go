package scoring

import "pulse-scorer/internal/pulse"

// Seen is what is known of a signal's series and source, the signal itself
// included.
type Seen struct {
	// Window holds the last values of the series in order, the signal's own one
	// last, for a profile that has a WindowSize; of a longer one the last
	// WindowSize count. It is only read.
	Window []float64
	// Anomaly, Continuity and Reliability, in [0,1], are for a profile without:
	// how surely the value is out of the ordinary, what part of the observations
	// due has come, and what part of the source's records was good.
	Anomaly, Continuity, Reliability float64
	// UsualGap is how many seconds lie between two observations of the series, 0 when
	// that is not known yet.
	UsualGap float64
}

// Ingest scores one observation: freshness, anomaly, tag of the name, trust
// index, and what its quality is made of. nowMicros is the record's own time,
// not the clock's.
//
// Nothing is allocated (TestIngest_AllocatesNothing), and for a finite value
// every number of the result is finite.
func (p *Profile) Ingest(sig *pulse.Signal, nowMicros int64, seen Seen) (found pulse.Ingest) {
	recency := p.Recency.score(nowMicros, sig.Timestamp.Micros)
	found.SignalTag = p.SignalTags.of(sig.Name)
	found.RawRecency = recency
	found.RecencyScore = roundTo(recency, p.ScoreDecimals)
	if p.WindowSize != 0 {
		window := seen.Window
		if extra := len(window) - p.WindowSize; extra > 0 {
			window = window[extra:]
		}
		found.AnomalyFlag = p.Anomaly.flag(sig.Value, window)
	} else {
		score := roundTo(unit(seen.Anomaly), p.Anomaly.ScoreDecimals)
		found.AnomalyScore = pulse.Some(score)
		found.AnomalyFlag = score >= p.Anomaly.Threshold
		found.Quality = pulse.Quality{
			Freshness:   roundTo(p.Recency.freshness(nowMicros, sig.Timestamp.Micros, seen.UsualGap), p.ScoreDecimals),
			Normality:   roundTo(1-score, p.ScoreDecimals),
			Continuity:  roundTo(unit(seen.Continuity), p.ScoreDecimals),
			Reliability: roundTo(unit(seen.Reliability), p.ScoreDecimals),
		}
	}
	found.STI = roundTo(p.STI.index(recency, found.AnomalyFlag), p.ScoreDecimals)
	return found
}

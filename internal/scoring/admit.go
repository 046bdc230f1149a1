package scoring

import "pulse-scorer/internal/pulse"

// Admit says why a signal cannot be scored at all, nil when it can: it is from
// further ahead of its record's time than MaxAheadMicros, or an optional field of
// its forecast has the wrong type. It comes before anything of the signal enters a
// state. Fields are named from the signal on, "overlays.hope" for one.
func (p *Profile) Admit(sig *pulse.Signal, nowMicros int64) *pulse.Bad {
	if bad := p.Recency.tooFarAhead(nowMicros, sig.Timestamp.Micros); bad != nil {
		return bad
	}
	return nil
}

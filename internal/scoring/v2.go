package scoring

import (
	"pulse-scorer/internal/anomaly"
	"pulse-scorer/internal/pulse"
)

// V2 is the default profile: parity with its defects repaired. What it sets is all
// that differs. Each call returns a fresh value.
func V2() *Profile {
	p := Parity()
	p.Name = "v2"
	p.v2Ingest()
	p.v2Trust()
	p.v2Alignment()
	return p
}

func (p *Profile) v2Ingest() {
	p.WindowSize = 0
	p.RawQuality = true
	p.RawTrust, p.RawAlignment = pulse.Optional{}, pulse.Optional{}
	p.Recency.MaxAheadMicros = 5 * 60 * 1_000_000
	p.Recency.FreshGaps = 2
	p.Anomaly = AnomalyRules{Threshold: anomaly.DefaultThreshold, ScoreDecimals: 6}
	p.SignalTags.Whole = true
}

func (p *Profile) v2Trust() {
	p.StrictTypes = true
	p.ChangeInEitherPlace = true
	p.Fragility.First = true
	p.Fragility.Cap = 1
	p.Confidence.Floor = 0
	p.History.OnlyChanges = true
	p.Risk.FromModel = true
}

func (p *Profile) v2Alignment() {
	p.Alignment.Unknowns = true
	p.Alignment.BothTags = true
	p.RegretNeedsID = true
	p.License.AlignmentMin = 75
	p.License.NamesStable = false
	// The texts object where the licence does.
	p.Explanation.AlignmentMin = 75
}
